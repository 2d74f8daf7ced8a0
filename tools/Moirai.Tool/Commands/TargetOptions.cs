using System.CommandLine;
using System.Text.Json;
using Moirai.Tool.Connecting;

namespace Moirai.Tool.Commands;

/// <summary>The options by which a user says whom a command is about, the same in each.</summary>
internal sealed class TargetOptions
{
    private readonly Option<int?> _id = Numbers.Whole(("--process-id", "-p"), (1, int.MaxValue), "The number of the process.", "pid");
    private readonly Option<string?> _name = new("--name", "-n") { Description = "The name of the process, instead of its number.", HelpName = "name" };
    private readonly Option<string?> _runtime = new("--runtime", "-r") { Description = "Only the runtime of this name; all by default.", HelpName = "name" };

    public void AddTo(Command command)
    {
        command.Options.Add(_id);
        command.Options.Add(_name);
        command.Options.Add(_runtime);
    }

    /// <exception cref="CannotAskException">It is not clear who is meant.</exception>
    public Target Find(ParseResult parsed) => Target.Find(parsed.GetValue(_id), parsed.GetValue(_name));

    public string? Runtime(ParseResult parsed) => parsed.GetValue(_runtime);
}

/// <summary>What the commands share.</summary>
internal static class Commanding
{
    /// <summary>How long an answer may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private const int Good = 0;
    private const int BadNews = 1;
    private const int BadUsage = 2;
    private const int Interrupted = 130;

    /// <summary>Has a command run by <paramref name="run"/>, and tells what goes wrong in a sentence.</summary>
    /// <param name="command">The command.</param>
    /// <param name="terminal">Where to it is told.</param>
    /// <param name="run">Gives the exit code.</param>
    /// <param name="isLive">Whether it goes on until it is interrupted, so that this is the good end of it.</param>
    public static void Do(this Command command, Terminal terminal, Func<ParseResult, CancellationToken, Task<int>> run, bool isLive = false) =>
        command.SetAction(async (parsed, ct) =>
        {
            try
            {
                return await run(parsed, ct);
            }
            catch (CannotAskException error)
            {
                await terminal.Error.WriteLineAsync(Views.Words.Wrap(error.Message, terminal.Width, hang: 0));
                return error.IsUsage ? BadUsage : BadNews;
            }
            catch (IOException error) // a disk that is full, say
            {
                await terminal.Error.WriteLineAsync($"The output could not be written: {error.Message.TrimEnd('.')}.");
                return BadNews;
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return isLive ? Good : Interrupted;
            }
        });

    public static RuntimeSnapshot SnapshotOf(JsonElement runtime) => RuntimeSnapshot.FromJson(runtime.GetProperty("snapshot").GetRawText());
}
