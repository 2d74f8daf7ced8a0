using Spectre.Console;

namespace Moirai.Tool.Million;

/// <summary>Two bars while it runs: created and ended. Looked at twenty times a second, from outside of the runtime.</summary>
internal static class MillionProgress
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(50);

    public static Task<MillionOutcome> ShowAsync(MillionRun run, CancellationToken ct) => AnsiConsole.Progress()
        .AutoClear(true)
        .HideCompleted(false)
        .Columns(
            new TaskDescriptionColumn { Alignment = Justify.Left },
            new ProgressBarColumn { CompletedStyle = Style.Parse("aqua"), FinishedStyle = Style.Parse("green"), RemainingStyle = Style.Parse("grey30") },
            new PercentageColumn(),
            new ElapsedTimeColumn())
        .StartAsync(async context =>
        {
            ProgressTask created = context.AddTask(Label("created", 0, 0), maxValue: run.Tasks);
            ProgressTask ended = context.AddTask(Label("ended", 0, 0), maxValue: run.Tasks);
            Task<MillionOutcome> running = run.RunAsync(ct);
            while (await Task.WhenAny(running, Task.Delay(BetweenLooks, TimeProvider.System, CancellationToken.None)) != running)
            {
                Show(run.Counts);
            }

            MillionOutcome outcome = await running;
            Show(outcome.Pool);
            return outcome;

            void Show(PoolCounts counts)
            {
                long gone = counts.Created - counts.Live;
                created.Value = counts.Created;
                created.Description = Label("created", counts.Created, counts.Live);
                ended.Value = gone;
                ended.Description = Label("ended", gone, null);
            }
        });

    private static string Label(string what, long count, long? live) =>
        $"{what,-8} [bold]{count,13:N0}[/]{(live is { } now ? $"  [grey]{now,9:N0} live[/]" : new string(' ', 16))}";
}
