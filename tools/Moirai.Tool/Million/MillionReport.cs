using System.Text.Json;
using Spectre.Console;

namespace Moirai.Tool.Million;

/// <summary>Shows the outcome: as a table, in plain text, or as one line of JSON.</summary>
internal static class MillionReport
{
    public static string Json(MillionOutcome outcome) => JsonSerializer.Serialize(new
    {
        tasks = outcome.Tasks,
        limit = outcome.Limit,
        created = outcome.Pool.Created,
        ended = Ended(outcome.Pool),
        completed = outcome.Pool.Completed,
        failed = outcome.Pool.Failed,
        canceled = outcome.Pool.Canceled,
        create_seconds = Math.Round(outcome.CreateSeconds, 6),
        seconds = Math.Round(outcome.TotalSeconds, 6),
        vm_hwm_kb = outcome.PeakKb,
        census_balanced = outcome.Census.IsBalanced,
        census_empty = outcome.Census.IsEmpty,
        census = new
        {
            created = outcome.Census.Created,
            live = outcome.Census.Live,
            completed = outcome.Census.Completed,
            failed = outcome.Census.Failed,
            canceled = outcome.Census.Canceled,
            slots_in_use = outcome.Census.SlotsInUse,
            waiters = outcome.Census.Waiters,
            timer_entries = outcome.Census.TimerEntries,
            ready = outcome.Census.Ready,
        },
        guide = new { tasks = GuideFigures.Tasks, limit = GuideFigures.Limit, create_seconds = GuideFigures.CreateSeconds, seconds = GuideFigures.TotalSeconds, peak_bytes = GuideFigures.PeakBytes },
    });

    public static void WritePlain(MillionOutcome outcome, TextWriter to)
    {
        to.WriteLine(Title(outcome));
        to.WriteLine();
        List<Row> rows = [new("", "Moirai", GuideHead(outcome)), .. Figures(outcome)];
        int first = rows.Max(static row => row.What.Length);
        int second = rows.Max(static row => row.Ours.Length);
        int third = rows.Max(static row => row.Guide.Length);
        foreach (Row row in rows)
        {
            to.WriteLine($"{row.What.PadRight(first)}  {row.Ours.PadLeft(second)}  {row.Guide.PadLeft(third)}");
        }

        to.WriteLine();
        to.WriteLine($"census: {outcome.Census}");
        to.WriteLine(Verdict(outcome));
    }

    public static void WriteTable(MillionOutcome outcome, IAnsiConsole console)
    {
        bool good = outcome.Complaint is null;
        var table = new Table()
            .Border(TableBorder.Rounded)
            .BorderColor(Color.Grey42)
            .Title($"[bold]{Markup.Escape(Title(outcome))}[/]")
            .AddColumn(new TableColumn("").NoWrap())
            .AddColumn(new TableColumn("[bold aqua]Moirai[/]").RightAligned().NoWrap())
            .AddColumn(new TableColumn($"[grey]{Markup.Escape(GuideHead(outcome))}[/]").RightAligned().NoWrap());
        foreach (Row row in Figures(outcome))
        {
            table.AddRow($"{Markup.Escape(row.What)}", $"[bold]{Markup.Escape(row.Ours)}[/]", $"[grey]{Markup.Escape(row.Guide)}[/]");
        }

        table.AddEmptyRow();
        foreach ((string what, string count, bool asItShouldBe) in Account(outcome.Census))
        {
            table.AddRow($"[grey]census:[/] {what}", asItShouldBe ? count : $"[bold red]{count}[/]", "");
        }

        console.WriteLine();
        console.Write(table);
        console.MarkupLine($" [{(good ? "green" : "red")}]{Markup.Escape(Verdict(outcome))}[/]");
    }

    private static string Title(MillionOutcome outcome) =>
        $"{outcome.Tasks:N0} tasks that sleep 1 ms, at most {outcome.Limit:N0} at a time";

    private static string GuideHead(MillionOutcome outcome) =>
        outcome is { Tasks: GuideFigures.Tasks, Limit: GuideFigures.Limit } ? "the guide" : $"the guide, for {GuideFigures.Tasks:N0}";

    private static string Verdict(MillionOutcome outcome) => outcome switch
    {
        { Complaint: { } complaint } => complaint,
        { IsInterrupted: true } => "Interrupted: no more were created, those that lived were canceled. The census balances; nothing is left.",
        _ => "The census balances; nothing is left.",
    };

    private static IEnumerable<Row> Figures(MillionOutcome outcome) =>
    [
        new("created", $"{outcome.Pool.Created:N0}", $"{GuideFigures.Tasks:N0}"),
        new("ended", $"{Ended(outcome.Pool):N0}", $"{GuideFigures.Tasks:N0}"),
        new("seconds to create", $"{outcome.CreateSeconds:N3} s", $"{GuideFigures.CreateSeconds:N3} s"),
        new("seconds in all", $"{outcome.TotalSeconds:N3} s", $"about {GuideFigures.TotalSeconds:N0} s"),
        new("peak resident memory", $"{outcome.PeakKb * 1024 / 1e6:N0} MB", $"{GuideFigures.PeakBytes / 1e6:N0} MB"),
    ];

    private static IEnumerable<(string What, string Count, bool AsItShouldBe)> Account(Census census) =>
    [
        ("created, the filling task too", $"{census.Created:N0}", census.IsBalanced),
        ("completed", $"{census.Completed:N0}", census.IsBalanced),
        ("failed", $"{census.Failed:N0}", census.Failed == 0),
        ("canceled", $"{census.Canceled:N0}", true),
        ("live", $"{census.Live:N0}", census.Live == 0),
        ("slots in use", $"{census.SlotsInUse:N0}", census.SlotsInUse == 0),
        ("timer entries", $"{census.TimerEntries:N0}", census.TimerEntries == 0),
        ("waiters", $"{census.Waiters:N0}", census.Waiters == 0),
    ];

    private static long Ended(PoolCounts counts) => counts.Completed + counts.Failed + counts.Canceled;

    private sealed record Row(string What, string Ours, string Guide);
}
