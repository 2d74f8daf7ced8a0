using Microsoft.Playwright;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, part 3: the page in a real browser. Its pictures are kept: artifacts/screenshots.</summary>
public sealed class PageTests(Browser browser)
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    [Fact]
    public async Task The_page_shows_scopes_pools_tasks_lives_waits_timers_and_alarms_in_light_and_in_dark()
    {
        await using var show = new Showcase();
        await using Site site = await Site.OpenAsync(show.Runtime, static options => options.AllowCommands = true, realTime: true);
        await using Visit light = await browser.VisitAsync(site, ColorScheme.Light);
        await using Visit dark = await browser.VisitAsync(site, ColorScheme.Dark);
        await Task.WhenAll(ShowsAllAsync(light, ColorScheme.Light), ShowsAllAsync(dark, ColorScheme.Dark)); // both see the same show: it takes its time once
    }

    [Fact]
    public async Task A_deadlock_is_cried_out_and_its_ring_is_red()
    {
        await using var show = new Showcase(DeadlockPolicy.Report);
        await using Site site = await Site.OpenAsync(show.Runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        IPage page = visit.Page;
        (await page.Locator("#banner").IsVisibleAsync()).ShouldBeFalse();
        await visit.UntilAsync("state.history.length >= 8");
        show.PlantDeadlock();
        await visit.UntilAsync("!document.getElementById('banner').hidden && document.querySelectorAll('#waits .edge.ring').length === 3");
        (await page.Locator("#banner").TextContentAsync()).ShouldNotBeNull().ShouldContain("3 tasks wait for each other");
        string[] colours = await page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('#waits .edge.ring')].map(one => getComputedStyle(one).stroke)");
        colours.ShouldAllBe(static colour => colour == "rgb(207, 36, 56)");
        await visit.UntilAsync("[...document.querySelectorAll('#waits .node')].some(one => one.textContent.includes('query stock'))");
        await page.Locator("#waits .node.ring").First.DispatchEventAsync("click"); // the graph may be drawn anew while a pointer is on its way
        await visit.UntilAsync("document.querySelectorAll('#detail .chain.ring li').length === 2");
        await visit.KeepAsync("deadlock");
        visit.Complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task Names_are_text_and_never_markup()
    {
        const string Name = "<img src=x onerror=alert(1)><script>alert(2)</script>";
        await using var runtime = new TaskRuntime(new() { Name = Name });
        using var mutex = new AsyncMutex(Name);
        await using TaskPool pool = runtime.CreatePool(Name, maxTasks: 4);
        for (int i = 0; i < 2; i++)
        {
            _ = await pool.SpawnAsync(
                async _ =>
                {
                    using (await mutex.LockAsync())
                    {
                        await Future.Delay(s_hour);
                    }
                },
                name: Name);
        }

        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 2 && document.querySelectorAll('#waits .node').length === 2");
        await visit.Page.Locator("#rows tr").First.ClickAsync();
        await visit.UntilAsync("document.querySelector('#detail h2')?.textContent.includes('<script>')");
        (await visit.Page.Locator("#rows td.name").First.TextContentAsync()).ShouldBe(Name);
        (await visit.Page.Locator("img, main script, aside script").CountAsync()).ShouldBe(0);
        visit.Complaints.ShouldBeEmpty("nothing ran and nothing was refused by the policy, since nothing tried");
        pool.Cancel();
    }

    [Fact]
    public async Task Rows_beyond_the_first_forty_come_to_whoever_walks_or_scrolls_to_the_end()
    {
        await using var runtime = new TaskRuntime(new() { Name = "rows" });
        for (int i = 0; i < 95; i++)
        {
            _ = runtime.SpawnDetached(static async _ => await Future.Delay(s_hour), name: $"task {i}");
        }

        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 40");
        for (int i = 0; i < 41; i++)
        {
            await visit.Page.Keyboard.PressAsync("j");
        }

        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 60 && document.querySelectorAll('#rows tr')[40].getAttribute('aria-selected') === 'true'");

        await visit.UntilAsync("(() => { const box = document.querySelector('#groups .scroll'); box.scrollTop = box.scrollHeight; return document.querySelectorAll('#rows tr').length === 95; })()");

        // As between the choice of another runtime and its first picture: the rows of before are still there.
        await visit.Page.EvaluateAsync("() => { Object.assign(state, { frame: null, rows: ROWS }); moreRows(); }");

        await visit.UntilAsync("state.frame !== null");
        await visit.Page.Keyboard.PressAsync("/");
        await visit.Page.Keyboard.TypeAsync("task");
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 40");
    }

    [Fact]
    public async Task Keys_filter_walk_open_close_and_pause()
    {
        await using var runtime = new TaskRuntime(new() { Name = "keys" });
        string[] names = ["apple", "banana", "cherry"];
        foreach (string name in names)
        {
            _ = runtime.SpawnDetached(static async _ => await Future.Delay(s_hour), name: name);
        }

        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        IPage page = visit.Page;
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 3");

        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("k");
        await page.Keyboard.PressAsync("j");
        (await page.Locator("#rows tr[aria-selected=true] td.name").TextContentAsync()).ShouldBe("banana");
        await page.Keyboard.PressAsync("Enter");
        await visit.UntilAsync("document.querySelector('#detail h2')?.textContent.endsWith('banana') && document.querySelector('#detail .chain li')");
        await page.Keyboard.PressAsync("Escape");
        (await page.Locator("#detail").IsVisibleAsync()).ShouldBeFalse();

        await page.Keyboard.PressAsync("/");
        await page.Keyboard.TypeAsync("cherr");
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 1 && document.querySelector('#rows mark')?.textContent === 'cherr'"); // one row is left before the last letter has come
        await page.Keyboard.PressAsync("Escape");
        await visit.UntilAsync("document.querySelectorAll('#rows tr').length === 3");

        await page.Keyboard.PressAsync("?");
        (await page.Locator("#help").IsVisibleAsync()).ShouldBeTrue();
        await page.Keyboard.PressAsync("Escape");
        (await page.Locator("#help").IsVisibleAsync()).ShouldBeFalse();

        await page.Keyboard.PressAsync("p");
        await Eventually.IsAsync(() => site.Observer.IsIdle, "a server that looks at nothing while the page is paused");
        await page.Keyboard.PressAsync("p");
        await Eventually.IsAsync(() => site.Observer.WatcherCount == 1, "a page that watches again");
        (await page.Locator("#commands button").CountAsync()).ShouldBe(0, "it is only for reading");
        visit.Complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task Who_goes_through_the_graph_and_the_pane_by_keys_stays_where_he_is_while_they_are_drawn_anew()
    {
        await using var runtime = new TaskRuntime(new() { Name = "focus" });
        using var mutex = new AsyncMutex("ledger");
        ManagedTask holder = runtime.SpawnDetached(
            async _ =>
            {
                using (await mutex.LockAsync())
                {
                    await Future.Delay(s_hour);
                }
            },
            name: "holder");
        await Eventually.IsAsync(() => holder.State == TaskState.Blocked, "a holder that waits");
        List<ManagedTask> waiters = [Wait()];
        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        IPage page = visit.Page;
        await visit.UntilAsync("document.querySelectorAll('#waits .node.task').length === 2");

        await page.EvaluateAsync("() => [...document.querySelectorAll('#waits .node')].find(one => one.textContent.includes('waiter')).focus()");
        await page.EvaluateAsync("() => { globalThis.drawn = document.querySelector('#waits svg'); }");
        waiters.Add(runtime.SpawnDetached(async _ => await holder, name: "joiner"));
        await visit.UntilAsync("document.querySelector('#waits svg') !== drawn && document.querySelectorAll('#waits .node.task').length === 3");
        (await page.EvaluateAsync<string?>("() => document.activeElement.closest('#waits .node')?.textContent")).ShouldNotBeNull().ShouldContain("waiter");

        await page.Keyboard.PressAsync("Space");
        await visit.UntilAsync("document.querySelector('#detail h2')?.textContent.includes('waiter') && document.querySelector('#detail button.link')");
        await page.Locator("#detail button.link").First.FocusAsync();
        await page.EvaluateAsync("() => { globalThis.drawn = document.querySelector('#detail .facts').textContent; }");
        await visit.UntilAsync("document.querySelector('#detail .facts').textContent !== drawn"); // it has waited for a second more
        (await page.EvaluateAsync<string?>("() => document.activeElement.closest('#detail button.link')?.textContent")).ShouldNotBeNull().ShouldContain("holder");
        visit.Complaints.ShouldBeEmpty();
        holder.Cancel();

        ManagedTask Wait() => runtime.SpawnDetached(
            async _ =>
            {
                using (await mutex.LockAsync())
                {
                }
            },
            name: "waiter");
    }

    [Fact]
    public async Task Text_that_is_chosen_in_the_pane_stays_chosen_while_it_is_drawn_anew() =>
        (await ChosenAsync(prepare: "() => { }")).ShouldBe("chosen in the pane");

    [Fact]
    public async Task Twin_a_pane_that_is_made_anew_each_second_loses_what_is_chosen_in_it() =>
        (await ChosenAsync(prepare: "() => { bring = (node, anew) => node.replaceChildren(...anew.childNodes); }")).ShouldBeEmpty();

    [Fact]
    public async Task A_task_is_canceled_by_a_button_that_asks_again()
    {
        await using var runtime = new TaskRuntime(new() { Name = "commands" });
        ManagedTask task = runtime.SpawnDetached(static async _ => await Future.Delay(s_hour), name: "victim");
        await using Site site = await Site.OpenAsync(runtime, static options => options.AllowCommands = true, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        IPage page = visit.Page;
        await page.Locator("#rows tr").First.ClickAsync();
        await page.Locator("#cancel").ClickAsync();
        task.CancelCause.ShouldBeNull();
        await page.Locator("#cancel.sure").ClickAsync();
        await Eventually.IsAsync(() => task.State == TaskState.Canceled, "a canceled task");
        await page.Keyboard.PressAsync("Escape");
        await page.Locator("#report").ClickAsync();
        await visit.UntilAsync("document.getElementById('said').textContent.startsWith('Nothing has leaked')");
    }

    [Fact]
    public async Task A_narrow_window_shows_all_of_it_without_scrolling_sideways()
    {
        await using var show = new Showcase();
        await using Site site = await Site.OpenAsync(show.Runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site, ColorScheme.Dark, width: 390, height: 844);
        await visit.UntilAsync("state.history.length >= 8 && document.querySelectorAll('#rows tr').length > 4");
        (await visit.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth")).ShouldBeLessThanOrEqualTo(390);
        await visit.KeepAsync("narrow");
        await visit.KeepAsync("narrow-whole", whole: true);
        visit.Complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_chart_of_a_pool_goes_on_while_scopes_before_it_come_and_go()
    {
        await using var runtime = new TaskRuntime(new() { Name = "moving" });
        TaskScope before = runtime.OpenScope("before");
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var inside = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ManagedTask import = runtime.SpawnDetached(
            async _ => await runtime.RunScopeAsync("import", async scope =>
            {
                await using TaskPool pool = runtime.CreatePool("inner", maxTasks: 3);
                inside.SetResult();
                await open.Task;
            }),
            name: "import");
        await inside.Task;
        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        await visit.UntilAsync("state.history.length >= 4");
        int number = await visit.Page.EvaluateAsync<int>("() => state.frame.snapshot.scopes.find(one => one.name === 'inner').index");

        await before.DisposeAsync();

        await visit.Page.WaitForFunctionAsync("number => state.frame.snapshot.scopes.find(one => one.name === 'inner').index !== number", number);
        (await visit.Page.EvaluateAsync<int>("() => [...state.pools.values()][0].length")).ShouldBeGreaterThan(4);
        open.SetResult();
        await import;
        visit.Complaints.ShouldBeEmpty();
    }

    // What is left of the choice of a task's name in the pane when the pane has been drawn again.
    private async Task<string> ChosenAsync(string prepare)
    {
        await using var runtime = new TaskRuntime(new() { Name = "choice" });
        _ = runtime.SpawnDetached(static async _ => await Future.Delay(s_hour), name: "chosen in the pane");
        await using Site site = await Site.OpenAsync(runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site);
        IPage page = visit.Page;
        await page.EvaluateAsync(prepare);
        await page.Locator("#rows tr").First.ClickAsync();
        await visit.UntilAsync("document.querySelector('#detail h2')?.textContent.endsWith('chosen in the pane') && document.querySelector('#detail .facts')");
        await page.EvaluateAsync("() => { const name = document.querySelector('#detail h2').firstChild; getSelection().setBaseAndExtent(name, name.data.indexOf('chosen'), name, name.data.length); globalThis.drawn = document.querySelector('#detail .facts').textContent; }");
        await visit.UntilAsync("document.querySelector('#detail .facts').textContent !== drawn");
        return await page.EvaluateAsync<string>("() => getSelection().toString()");
    }

    private static async Task ShowsAllAsync(Visit visit, ColorScheme scheme)
    {
        await visit.UntilAsync("state.history.length >= 36 && state.frame.alarms.length > 0 && state.frame.snapshot.groups.some(one => one.name === 'book order')");
        IPage page = visit.Page;
        (await page.Locator("#rows tr", new() { HasText = "send mail" }).CountAsync()).ShouldBePositive();
        (await page.Locator("#pools li").CountAsync()).ShouldBe(2);
        (await page.Locator("#tree li", new() { HasText = "part × 6" }).CountAsync()).ShouldBe(1, "brothers of one name are one row");
        (await page.Locator("#lives-names li").CountAsync()).ShouldBePositive();
        (await page.Locator("#waits .node", new() { HasText = "reconcile" }).CountAsync()).ShouldBe(1);
        (await page.Locator("#findings li.warn").CountAsync()).ShouldBePositive();
        (await page.Locator("#timers dd").First.TextContentAsync()).ShouldNotBe("0");
        (await page.EvaluateAsync<bool>("() => { const c = document.getElementById('lives-picture'); return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(one => one > 0); }")).ShouldBeTrue("lives are drawn");
        string ground = await page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor");
        ground.ShouldBe(scheme == ColorScheme.Dark ? "rgb(18, 17, 26)" : "rgb(246, 245, 249)");
        string name = scheme.ToString().ToLowerInvariant();
        await visit.KeepAsync(name);
        await visit.KeepAsync($"{name}-whole", whole: true);
        visit.Complaints.ShouldBeEmpty();
    }
}
