using System.CommandLine;
using System.Text.Json;
using Moirai.Tool.Connecting;
using Moirai.Tool.Views;

namespace Moirai.Tool.Commands;

/// <summary><c>moirai leaks</c>: has a process search for tasks that nothing can wake any more.</summary>
internal static class LeaksCommand
{
    private const string Description = """
        Has a process prove which of its tasks nothing can wake any more.

        That costs it a full garbage collection, so it is done only in runtimes that were made with
        TaskRuntimeOptions.AllowCommands. Exit code 1 when something has leaked.
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static Command Create(Terminal terminal)
    {
        var target = new TargetOptions();
        var heal = new Option<bool>("--heal") { Description = "Resume what has leaked with a LeakedTaskException, so that its clean-up runs." };
        var json = new Option<bool>("--json") { Description = "A line of JSON for each runtime." };
        var command = new Command("leaks", Description) { heal, json };
        target.AddTo(command);
        command.Do(terminal, async (parsed, ct) =>
        {
            Answer answer = await Asking.OnceAsync(
                target.Find(parsed), () => new Question("leaks").With("heal", parsed.GetValue(heal) ? 1 : 0).With("runtime", target.Runtime(parsed)), Patience, ct);
            foreach (JsonElement runtime in answer.Runtimes)
            {
                if (parsed.GetValue(json))
                {
                    await terminal.Out.WriteLineAsync(runtime.GetRawText());
                }
                else
                {
                    LeaksText.Write(runtime, terminal.Out, terminal.Width);
                }
            }

            return answer.Runtimes.Any(static runtime => runtime.GetProperty("leaked").GetInt32() > 0) ? 1 : 0;
        });
        return command;
    }
}
