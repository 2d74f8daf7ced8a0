using System.CommandLine;
using System.CommandLine.Help;
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
        // No RootCommand: that is called after the file of the program, and this one is always called moirai.
        var root = new Command("moirai", "Shows what Moirai does, with its books open: looks into running processes, and runs a million tasks of its own.")
        {
            new HelpOption(),
            new VersionOption(),
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
