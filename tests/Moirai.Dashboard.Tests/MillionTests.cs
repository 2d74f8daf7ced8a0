using Microsoft.Playwright;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, part 3: the page before a million tasks. Beside the other tests of the page, which mostly wait for their shows.</summary>
public sealed class MillionTests(Browser browser)
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    [Fact]
    public async Task A_million_live_tasks_are_groups_and_the_page_stays_light()
    {
        const int Count = 1_000_000;
        await using var runtime = new TaskRuntime(new() { Name = "million", Accounting = AccountingLevel.None });
        await using TaskPool pool = runtime.CreatePool("sleepers", maxTasks: Count);
        string[] names = [.. Enumerable.Range(1, 40).Select(static i => $"sleeper {i}")];
        for (int i = 0; i < Count; i++)
        {
            pool.TrySpawn(static async _ => await Future.Delay(s_hour), out _, name: names[i % names.Length * (i % 7) / 6]).ShouldBeTrue();
        }

        await Eventually.IsAsync(() => runtime.TakeCensus().TimerEntries == Count, "a million that sleep");
        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        IPage page = visit.Page;
        await visit.UntilAsync("state.history.length >= 1"); // the next comes when looking has cost no more than a tenth of a processor: on a busy machine late
        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("/");
        await page.Keyboard.TypeAsync("sleeper 4");
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 2");
        await page.Keyboard.PressAsync("Escape");
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 40");
        (await page.Locator("#live").TextContentAsync()).ShouldBe("1,000,000");

        int nodes = await page.EvaluateAsync<int>("() => document.querySelectorAll('*').length");
        int[] longTasks = await page.EvaluateAsync<int[]>("() => longTasks"); // those of loading the page among them
        double look = await page.EvaluateAsync<double>("() => state.frame.snapshot.duration");
        int frame = await page.EvaluateAsync<int>("() => JSON.stringify(state.frame).length");
        TestContext.Current.TestOutputHelper!.WriteLine(FormattableString.Invariant(
            $"1,000,000 live tasks: {nodes} elements, a frame of {frame / 1024} kB, a look of {look * 1000:0} ms; long tasks in the page, in ms: [{string.Join(", ", longTasks)}], over 100 ms: {longTasks.Count(static one => one > 100)}"));
        nodes.ShouldBeLessThan(2_500);
        frame.ShouldBeLessThan(250_000);
        await visit.KeepAsync("million");
        visit.Complaints.ShouldBeEmpty();
        pool.Cancel();
    }
}
