using System.Globalization;
using Moirai.Load.Comparing;

namespace Moirai.Load.Scaling;

/// <summary>How the cost of a task grows with the number of tasks: works of growing size, each run in a process of its own, by Moirai and by hand in turn; a table, and a plot.</summary>
internal static class Scale
{
    private const long Fewest = 1_000;
    private const long TasksInAll = 1_000_000;
    private const int MostPasses = 1_000;

    // Name, variant, colour. A pool holds a tenth of the tasks at a time.
    private static readonly (string Name, string Variant, string Color)[] s_works =
    [
        ("spawn-join", "handles", "#1f77b4"),
        ("million-live", "gate", "#d62728"),
        ("million-pool", "cancel", "#2ca02c"),
    ];

    /// <param name="most">The largest number of tasks.</param>
    /// <param name="rounds">How often each point is measured, both peers in turn; the median counts.</param>
    /// <param name="file">Where the plot goes; null for none.</param>
    /// <param name="ct">Ends the run between two works.</param>
    /// <returns>The exit code: 1 when a run failed.</returns>
    public static async Task<int> RunAsync(long most, int rounds, string? file, CancellationToken ct)
    {
        int failures = 0;
        List<PlotLine> lines = [];
        Console.WriteLine("| work | tasks | Moirai ns a task | by hand ns a task | ratio |");
        Console.WriteLine("|---|---:|---:|---:|---:|");
        foreach ((string name, string variant, string color) in s_works)
        {
            List<(double X, double Y)> ours = [];
            List<(double X, double Y)> byHand = [];
            for (long n = Fewest; n <= most; n *= 10)
            {
                List<double> our = [];
                List<double> hand = [];
                for (int round = 0; round < rounds; round++)
                {
                    failures += await MeasureAsync(our, name, variant, "moirai", n, ct) ? 0 : 1;
                    failures += await MeasureAsync(hand, name, variant, "dotnet", n, ct) ? 0 : 1;
                }

                if (our.Count == 0 || hand.Count == 0)
                {
                    continue; // why has been said on standard error
                }

                ours.Add((n, Median(our)));
                byHand.Add((n, Median(hand)));
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} {variant} | {n:N0} | {Median(our):N0} | {Median(hand):N0} | {Median(our) / Median(hand):0.00} |"));
            }

            lines.Add(new PlotLine($"{name} {variant}", false, color, ours));
            lines.Add(new PlotLine($"{name}, by hand", true, color, byHand));
        }

        if (file is not null && lines.Exists(static line => line.Points.Count > 0))
        {
            string svg = LogPlot.Draw("Cost of a task, by the number of tasks", "tasks", "ns a task", lines.FindAll(static line => line.Points.Count > 0));
            await File.WriteAllTextAsync(file, svg, ct);
            Console.WriteLine();
            Console.WriteLine($"The plot is in {file}.");
        }

        return failures == 0 ? 0 : 1;
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    // Small works are repeated until a million tasks have run, so that the code is as warm as in the large ones; the median counts.
    private static async Task<bool> MeasureAsync(List<double> values, string name, string variant, string peer, long n, CancellationToken ct)
    {
        long passes = Math.Clamp(TasksInAll / n, 1, MostPasses);
        List<string> options = ["--variant", variant, "--peer", peer, "--n", $"{n}", "--repeat", $"{passes}"];
        if (name == "million-pool")
        {
            options.AddRange(["--tasks", $"{n / 10}"]);
        }

        if (await Comparison.RunSelfAsync(name, options, ct) is not { } run)
        {
            return false;
        }

        values.Add(run.GetProperty("ns_per_op").GetDouble());
        return true;
    }
}
