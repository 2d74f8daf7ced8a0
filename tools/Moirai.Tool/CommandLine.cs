using System.CommandLine;
using System.CommandLine.Parsing;
using Moirai.Tool.Commands;
using Moirai.Tool.Million;

namespace Moirai.Tool;

/// <summary>The commands of the tool, and what exit codes mean: 0 good, 1 bad news (among them: there is nobody to ask), 2 a question that makes no sense, 130 interrupted before the answer came.</summary>
internal static class CommandLine
{
    private const int BadUsage = 2;

    public static Task<int> RunAsync(string[] args) => RunAsync(args, Terminal.Console);

    /// <summary>Runs a command.</summary>
    /// <param name="args">What the user typed.</param>
    /// <param name="terminal">Where the commands that look into processes write and read.</param>
    /// <param name="ct">Interrupts it, as Ctrl-C does.</param>
    public static async Task<int> RunAsync(string[] args, Terminal terminal, CancellationToken ct = default)
    {
        var root = new RootCommand("moirai: shows what Moirai does, with its books open. Looks into running processes, and runs a million tasks of its own.")
        {
            PsCommand.Create(terminal),
            TopCommand.Create(terminal),
            TreeCommand.Create(terminal),
            DumpCommand.Create(terminal),
            LeaksCommand.Create(terminal),
            WatchCommand.Create(terminal),
            MillionCommand.Create(),
        };
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (ParseError error in parsed.Errors)
            {
                await terminal.Error.WriteLineAsync(error.Message);
            }

            await terminal.Error.WriteLineAsync("See --help.");
            return BadUsage;
        }

        return await parsed.InvokeAsync(cancellationToken: ct);
    }
}
