using System.CommandLine;
using System.CommandLine.Parsing;
using Moirai.Tool.Million;

namespace Moirai.Tool;

/// <summary>The commands of the tool, and what exit codes mean: 0 good, 1 bad news, 2 a question that makes no sense.</summary>
internal static class CommandLine
{
    private const int BadUsage = 2;

    public static async Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("moirai: shows what Moirai does, with its books open.") { MillionCommand.Create() };
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (ParseError error in parsed.Errors)
            {
                await Console.Error.WriteLineAsync(error.Message);
            }

            await Console.Error.WriteLineAsync("See --help.");
            return BadUsage;
        }

        return await parsed.InvokeAsync();
    }
}
