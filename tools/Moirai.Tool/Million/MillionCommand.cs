using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using Moirai.Tool.Commands;
using Spectre.Console;

namespace Moirai.Tool.Million;

/// <summary><c>moirai million</c>: a million tasks through a pool, and the account of it.</summary>
internal static class MillionCommand
{
    private const int Interrupted = 130;
    private const long MostTasks = 1_000_000_000;

    private const string Description = """
        Runs a million tasks through one pool and shows the account.

        Each task sleeps 1 ms; at most 100,000 live at a time. All bookkeeping is on: names, states, ids, cancellation, counts.
        The guide's figures for the same run stand beside. Exit code 1 when the census does not balance or anything is left.
        """;

    public static Command Create()
    {
        var tasks = new Option<long>("--tasks") { Description = "How many tasks, 1 to 1,000,000,000.", DefaultValueFactory = _ => GuideFigures.Tasks };
        var limit = new Option<int>("--limit") { Description = "How many may live at a time, 1 or more.", DefaultValueFactory = _ => GuideFigures.Limit };
        var json = new Option<bool>("--json") { Description = "One line of JSON instead of the table." };
        tasks.CustomParser = result => Within(result, tasks.Name, MostTasks);
        limit.CustomParser = result => Within(result, limit.Name, int.MaxValue);

        var command = new Command("million", Description) { tasks, limit, json };
        command.Do(Terminal.Console, async (parsed, ct) =>
        {
            var run = new MillionRun(parsed.GetValue(tasks), parsed.GetValue(limit));
            return parsed.GetValue(json) ? await ShowJsonAsync(run, ct) : await ShowTableAsync(run, ct);
        });
        return command;
    }

    private static T Within<T>(ArgumentResult result, string name, T most)
        where T : struct, INumber<T>
    {
        string text = result.Tokens[^1].Value;
        if (T.TryParse(text, CultureInfo.InvariantCulture, out T value) && value >= T.One && value <= most)
        {
            return value;
        }

        result.AddError($"{name} is a whole number from 1 to {most:N0}, not '{text}'.");
        return T.One;
    }

    private static async Task<int> ShowJsonAsync(MillionRun run, CancellationToken ct)
    {
        MillionOutcome outcome = await run.RunAsync(ct);
        await Console.Out.WriteLineAsync(MillionReport.Json(outcome).AsMemory(), CancellationToken.None);
        return await CodeAsync(outcome, ct);
    }

    private static async Task<int> ShowTableAsync(MillionRun run, CancellationToken ct)
    {
        MillionOutcome outcome;
        if (Console.IsOutputRedirected)
        {
            outcome = await run.RunAsync(ct);
            MillionReport.WritePlain(outcome, Console.Out);
        }
        else
        {
            outcome = await MillionProgress.ShowAsync(run, ct);
            MillionReport.WriteTable(outcome, AnsiConsole.Console);
        }

        return await CodeAsync(outcome, ct);
    }

    private static async Task<int> CodeAsync(MillionOutcome outcome, CancellationToken ct)
    {
        if (outcome.Complaint is { } complaint)
        {
            await Console.Error.WriteLineAsync(complaint.AsMemory(), CancellationToken.None);
            return 1;
        }

        return ct.IsCancellationRequested ? Interrupted : 0;
    }
}
