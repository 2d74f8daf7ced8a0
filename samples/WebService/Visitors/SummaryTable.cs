using System.Globalization;
using Spectre.Console;
using WebService.Orders;

namespace WebService.Visitors;

/// <summary>Prints what the visitors met, and the two verdicts.</summary>
internal static class SummaryTable
{
    public static void Print(VisitSummary? summary, ServiceEnd end)
    {
        IAnsiConsole console = ConsoleOf();
        if (summary is not null)
        {
            PrintVisits(console, summary);
        }

        PrintStock(console, end.Audit);
        if (summary is { Unexpected: > 0 })
        {
            console.MarkupLineInterpolated($"answers: [red]{summary.Unexpected} that a healthy service would not give[/]");
        }

        PrintVerdicts(console, end);
    }

    /// <summary>The last words of a service, with or without visitors.</summary>
    public static void Print(ServiceEnd end) => PrintVerdicts(ConsoleOf(), end);

    private static void PrintVisits(IAnsiConsole console, VisitSummary summary)
    {
        Table table = new Table().Border(TableBorder.Rounded).Title($"{summary.Visitors} visitors, {Number(summary.Seconds)} s");
        table.AddColumn("what they did").AddColumn("what they got").AddColumn(new TableColumn("times").RightAligned());
        string? previous = null;
        foreach (VisitCount count in summary.Counts)
        {
            table.AddRow(count.Kind == previous ? string.Empty : Markup.Escape(count.Kind), Markup.Escape(count.Outcome), Number(count.Count));
            previous = count.Kind;
        }

        console.Write(table);
        console.MarkupLineInterpolated($"requests {Number(summary.Requests)}, [bold]{Number(summary.Requests / summary.Seconds)}/s[/], latency p50 [bold]{Number(summary.MedianMilliseconds)} ms[/], p99 [bold]{Number(summary.P99Milliseconds)} ms[/]");
        console.WriteLine();
    }

    private static void PrintStock(IAnsiConsole console, Audit audit)
    {
        Table table = new Table().Border(TableBorder.Rounded).Title("stock");
        table.AddColumn("article");
        foreach (string column in (string[])["initial", "free", "reserved", "sold", "given back", "orders sold"])
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (ArticleAudit article in audit.Articles)
        {
            table.AddRow(article.Article, Number(article.Initial), Number(article.Free), Number(article.Reserved), Number(article.Sold), Number(article.GivenBack), Number(article.SoldOrders));
        }

        console.Write(table);
    }

    private static void PrintVerdicts(IAnsiConsole console, ServiceEnd end)
    {
        console.WriteLine(end.Report.ToString());
        console.MarkupLineInterpolated($"audit:  {Word(end.AuditIsClean)}");
        console.MarkupLineInterpolated($"census: {Word(end.CensusIsClean)}: {end.Census}");
    }

    // Escaped by the interpolation, so without colour: a log reads the same words.
    private static string Word(bool clean) => clean ? "balanced" : "DOES NOT BALANCE";

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("N1", CultureInfo.InvariantCulture);

    // A pipe has no width: give the lines room rather than breaking them at 80.
    private static IAnsiConsole ConsoleOf()
    {
        if (!Console.IsOutputRedirected)
        {
            return AnsiConsole.Console;
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No });
        console.Profile.Width = 240;
        return console;
    }
}
