using Microsoft.AspNetCore.Builder;
using Microsoft.Playwright;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, part 3: the page where things are not as one would like: names without end, nobody to show, a server that goes away.</summary>
[Trait("Issue", "7")]
public sealed class StrangeTests(Browser browser)
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Dark, 390)]
    public async Task Names_of_any_length_and_kind_take_a_few_lines_and_push_nothing_aside(ColorScheme scheme, int width)
    {
        string[] names = [new('x', 10_000), string.Join(' ', Enumerable.Repeat("word", 2_000)), "two\nlines\tand\u202Eturned", "注文の処理 📦", " ", "\u0301\u0301\u0301", "'\"&<>`${x}"];
        await using var runtime = new TaskRuntime(new() { Name = names[0], Alarms = new AlarmLimits { Blocked = TimeSpan.FromMilliseconds(1), PoolFull = TimeSpan.FromMilliseconds(1) } });
        foreach (string name in names)
        {
            var mutex = new AsyncMutex(name);
            TaskPool pool = runtime.CreatePool(name, maxTasks: 2);
            for (int i = 0; i < 2; i++)
            {
                pool.TrySpawn(
                    async _ =>
                    {
                        using (await mutex.LockAsync())
                        {
                            await Future.Delay(s_hour);
                        }
                    },
                    out _,
                    name: name).ShouldBeTrue();
            }
        }

        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site, scheme, width: width, height: 900);
        await visit.UntilAsync("state.history.length >= 3 && document.querySelectorAll('#rows tr').length >= 12 && state.frame.alarms.length > 3");

        (await visit.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth")).ShouldBeLessThanOrEqualTo(width);
        foreach (string parts in new[] { "#rows tr", "#pools li", "#tree li", "#findings li", "#lives-names li", "#locks li", "header" })
        {
            (await visit.Page.EvaluateAsync<double>("parts => Math.max(...[...document.querySelectorAll(parts)].map(one => one.getBoundingClientRect().height))", parts)).ShouldBeLessThan(360, parts);
        }

        (await visit.Page.EvaluateAsync<double>("() => Math.max(...[...document.querySelectorAll('#waits .node text')].map(one => one.getComputedTextLength()))")).ShouldBeInRange(1, 144, "names stay in their boxes");
        (await visit.Page.EvaluateAsync<double>("() => Math.max(...[...document.querySelectorAll('#waits .what')].map(one => one.getComputedTextLength()))")).ShouldBeInRange(1, 136, "and what is waited for between them");

        await visit.Page.Locator("#rows tr").First.ClickAsync();
        await visit.UntilAsync("document.querySelector('#detail h2')?.textContent.length > 0 && document.querySelector('#detail .chain li')");
        (await visit.Page.EvaluateAsync<double>("() => document.querySelector('#detail h2').getBoundingClientRect().height")).ShouldBeLessThan(360);
        await visit.KeepAsync($"strange-{width}");
        (await visit.Page.EvaluateAsync<bool>("() => { const pane = document.getElementById('detail'); return pane.scrollWidth <= pane.clientWidth; }")).ShouldBeTrue("nothing in the pane is pushed out of it");
        (await visit.Page.EvaluateAsync<double>("() => Math.max(...[...document.querySelectorAll('#rows tr')].map(one => one.getBoundingClientRect().height))")).ShouldBeLessThan(360, "also beside the pane");
        (await visit.Page.EvaluateAsync<int>("() => JSON.stringify(state.frame).length")).ShouldBeLessThan(100_000, "a frame is bounded, whatever there is");
        visit.Complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_runtime_in_which_nothing_lives_is_told_to_be_empty()
    {
        await using var runtime = new TaskRuntime(new() { Name = "empty" });
        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        await visit.UntilAsync("state.history.length >= 2");

        (await visit.Page.Locator("#none").TextContentAsync()).ShouldBe("No task lives.");
        (await visit.Page.Locator("#clear").TextContentAsync()).ShouldNotBeNull().ShouldContain("No alarm, no deadlock, no leak");
        (await visit.Page.Locator("#pools-card, #waits-card, #locks-card, #lives-card").Filter(new() { Visible = true }).CountAsync()).ShouldBe(0);
        visit.Complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task One_of_two_runtimes_is_chosen_and_one_that_is_not_there_is_not_missed()
    {
        await using var first = new TaskRuntime(new() { Name = "first & <b>" });
        await using var second = new TaskRuntime(new() { Name = "second" });
        _ = second.SpawnDetached(static async _ => await Future.Delay(s_hour), name: "of the second");
        await using Site site = await Site.OpenAsync(
            app => app.MapMoirai(configure: options =>
            {
                options.Runtimes.Add(first);
                options.Runtimes.Add(second);
            }),
            realTime: true);
        await using Visit visit = await browser.VisitAsync(site, query: "?runtime=nobody");
        (await visit.Page.Locator("#runtime").InputValueAsync()).ShouldBe("first & <b>");

        await visit.Page.Locator("#runtime").SelectOptionAsync("second");

        await visit.UntilAsync("[...document.querySelectorAll('#rows td.name')].some(one => one.textContent === 'of the second')");
        visit.Page.Url.ShouldEndWith("?runtime=second");
        (await visit.Page.TitleAsync()).ShouldBe("second · Moirai");
        visit.Complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_server_that_goes_away_is_told_and_what_was_seen_last_stays()
    {
        await using var runtime = new TaskRuntime(new() { Name = "leaving" });
        _ = runtime.SpawnDetached(static async _ => await Future.Delay(s_hour), name: "last seen");
        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 1");

        await site.StopAsync();

        await visit.UntilAsync("document.getElementById('connection').className === 'off'");
        (await visit.Page.Locator("#connection").TextContentAsync()).ShouldNotBeNull().ShouldContain("no connection, trying again");
        (await visit.Page.Locator("#rows td.name").TextContentAsync()).ShouldBe("last seen");
    }
}
