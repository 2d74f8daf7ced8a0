using System.Globalization;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, what it must reach: no long task over 100 ms in the page, with 1,000,000 live tasks behind it. In a browser of its own, in which nothing else is traced.</summary>
[Trait("Issue", "7")]
public sealed class SmoothnessTests(Browser browser) : IClassFixture<Browser>
{
    // Half of what the issue allows by the clock. By the clock is told, and not asserted: how much of a processor a browser gets is the machine's.
    private const double LongestTask = 50;

    // Fewer tell what of it is the browser's and the machine's, for docs/performance.md.
    private static readonly int s_count = int.Parse(Environment.GetEnvironmentVariable("MOIRAI_PAGE_TASKS") ?? "1000000", CultureInfo.InvariantCulture);

    [Fact]
    public async Task With_a_million_live_tasks_no_task_of_the_page_takes_over_50_ms_of_processor_time()
    {
        await using var runtime = new TaskRuntime(new() { Name = "million", Accounting = AccountingLevel.None });
        await using TaskPool pool = runtime.CreatePool("sleepers", maxTasks: s_count);
        string[] names = [.. Enumerable.Range(1, 130).Select(static i => $"sleeper {i}")]; // more than a frame lists
        for (int i = 0; i < s_count; i++)
        {
            pool.TrySpawn(static async _ => await Future.Delay(TimeSpan.FromHours(1)), out _, name: names[i % names.Length]).ShouldBeTrue();
        }

        await Eventually.IsAsync(() => runtime.TakeCensus().TimerEntries == s_count, "a million that sleep");
        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await BeginBrowsingAsync();
        Trace? trace = null;

        // Loading it is traced too, but not what the browser does for its empty page before.
        await using Visit visit = await browser.VisitAsync(site, opened: async () => trace = await Trace.BeginAsync(browser.Chromium));
        await visit.UntilAsync("state.history.length >= 2");
        await visit.Page.Keyboard.PressAsync("j");
        await visit.Page.Keyboard.PressAsync("Enter");
        await visit.UntilAsync("document.querySelector('#detail .chain li')");
        await visit.Page.Keyboard.PressAsync("Escape");
        await visit.Page.Keyboard.PressAsync("/");
        await visit.Page.Keyboard.TypeAsync("sleeper 77");
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 1");
        await visit.Page.Keyboard.PressAsync("Escape");
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 40");
        await visit.UntilAsync("(() => { const box = document.querySelector('#groups .scroll'); box.scrollTop = box.scrollHeight; return document.querySelectorAll('#rows tr').length === 120; })()");

        PageTask[] tasks = await trace!.EndAsync();
        Tell(tasks);
        tasks.Length.ShouldBeGreaterThan(50, "the page was traced");
        tasks[0].Processor.ShouldBeLessThan(LongestTask);
        pool.Cancel();
    }

    [Fact]
    public async Task Twin_a_page_that_computes_for_longer_in_one_go_is_caught()
    {
        await using var runtime = new TaskRuntime(new() { Name = "slow page" });
        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        Trace trace = await Trace.BeginAsync(browser.Chromium);
        await using Visit visit = await browser.VisitAsync(site);

        await visit.Page.EvaluateAsync("() => new Promise(done => setTimeout(() => { for (let i = 0, x = 1; i < 3e8; i++) { x = (x * 16807) % 2147483647; globalThis.planted = x; } done(); }))");

        (await trace.EndAsync())[0].Processor.ShouldBeGreaterThan(LongestTask);
    }

    // A browser that has just been started is at work for itself for a second or two: its other processes, and the page below its address bar, whose script alone takes 300 ms. Another page of another server lives until then.
    private async Task BeginBrowsingAsync()
    {
        await using var other = new TaskRuntime(new() { Name = "other" });
        await using Site site = await Site.OpenAsync(other, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        await visit.UntilAsync("state.history.length >= 4");
    }

    // For docs/performance.md: on a quiet machine both are the same.
    private static void Tell(PageTask[] tasks)
    {
        ITestOutputHelper output = TestContext.Current.TestOutputHelper!;
        output.WriteLine($"{tasks.Length} tasks of the page, the longest in ms by processor time: {Longest(tasks.Select(static one => one.Processor))}; by the browser's clock: {Longest(tasks.Select(static one => one.Clock))}");
        foreach (PageTask task in tasks.Take(3).Union(tasks.OrderByDescending(static one => one.Clock).Take(3)))
        {
            output.WriteLine(FormattableString.Invariant($"    {task.Processor:0.0} of processor time, {task.Clock:0.0} by the clock: {task.Parts}"));
        }
    }

    private static string Longest(IEnumerable<double> milliseconds) =>
        string.Join(", ", milliseconds.OrderDescending().Take(5).Select(static one => FormattableString.Invariant($"{one:0.0}")));
}
