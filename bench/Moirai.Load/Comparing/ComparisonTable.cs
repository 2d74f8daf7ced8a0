using Moirai.Load.Harness;
using Spectre.Console;

namespace Moirai.Load.Comparing;

/// <summary>Shows a comparison: in colour on a terminal, in plain columns elsewhere.</summary>
internal static class ComparisonTable
{
    private const string Missing = "–";

    private static readonly string[] Heads =
        ["work", "ns/op", "by hand", "ratio", "B/op", "by hand", "peak MB", "by hand", "B/task", "by hand"];

    public static void Show(IReadOnlyList<Case> cases, int rounds)
    {
        string title = $"Moirai beside hand-written .NET, medians of {rounds} ({Report.Mode})";
        const string legend = "ratio: Moirai's time to that of the code by hand, less is better. B/op: bytes allocated. B/task: resident, suspended.";
        if (Console.IsOutputRedirected)
        {
            Console.WriteLine(title);
            Console.WriteLine();
            foreach (string line in Plain([Heads, .. cases.Select(Cells)]))
            {
                Console.WriteLine(line);
            }

            Console.WriteLine();
            Console.WriteLine(legend);
            return;
        }

        var table = new Table().Border(TableBorder.SimpleHeavy).Title($"[bold]{Markup.Escape(title)}[/]").Caption(Markup.Escape(legend));
        for (int i = 0; i < Heads.Length; i++)
        {
            var column = new TableColumn(i is 0 ? "[bold]work[/]" : $"[bold]{Heads[i]}[/]");
            table.AddColumn(i == 0 ? column.NoWrap() : column.RightAligned().NoWrap());
        }

        foreach (Case what in cases)
        {
            string[] cells = [.. Cells(what).Select(Markup.Escape)];
            cells[3] = $"[bold {(Ratio(what) is < 1 ? "green" : "red")}]{cells[3]}[/]";
            table.AddRow(cells);
        }

        AnsiConsole.Write(table);
    }

    private static double? Ratio(Case what) => what.NsPerOp("moirai") / what.NsPerOp("dotnet");

    private static string[] Cells(Case what) =>
    [
        what.Failures == 0 ? what.Title : $"{what.Title} ({what.Failures} FAILED)",
        Number(what.NsPerOp("moirai"), "N1"),
        Number(what.NsPerOp("dotnet"), "N1"),
        Number(Ratio(what), "F2"),
        Number(what.BytesPerOp("moirai"), "N0"),
        Number(what.BytesPerOp("dotnet"), "N0"),
        Number(what.PeakMegabytes("moirai"), "N0"),
        Number(what.PeakMegabytes("dotnet"), "N0"),
        Number(what.BytesPerTask("moirai"), "N0"),
        Number(what.BytesPerTask("dotnet"), "N0"),
    ];

    private static string Number(double? value, string format) => value?.ToString(format) ?? Missing;

    private static IEnumerable<string> Plain(IReadOnlyList<string[]> rows)
    {
        int[] widths = [.. Enumerable.Range(0, Heads.Length).Select(i => rows.Max(row => row[i].Length))];
        return rows.Select(row => string.Join("  ", row.Select((cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))));
    }
}
