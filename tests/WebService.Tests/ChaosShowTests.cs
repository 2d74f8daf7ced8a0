using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace WebService.Tests;

/// <summary>Issue 7, part 5: a newcomer sees each planted trouble found, named and, where it can be, healed, in the page, in <c>moirai top</c>, and at /health. The pictures of the README are taken here.</summary>
[Trait("Issue", "7")]
public sealed class ChaosShowTests(ChaosHouse house) : IClassFixture<ChaosHouse>
{
    private const float Failsafe = 60_000;
    private const int Columns = 120;
    private const int Lines = 40;

    // What is told of each: who it is, and what became of it.
    private static readonly string[][] s_troubles =
    [
        ["ship order", "book payment", "mutex 'stock'", "mutex 'accounts'"],
        ["orphan", "Chaos.cs:"],
        ["blocked worker", "kept its thread"],
        ["pool 'one at a time' had no free slot"],
    ];

    [Fact]
    public async Task The_page_shows_each_trouble_found_named_and_healed()
    {
        using IPlaywright playwright = await Playwright.CreateAsync();
        await using IBrowser browser = await LaunchAsync(playwright);
        IPage page = await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1280, Height = 900 }, ColorScheme = ColorScheme.Dark });
        List<string> complaints = [];
        page.PageError += (_, error) => complaints.Add(error);
        page.Console += (_, line) => complaints.AddRange(line.Type is "error" or "warning" ? [line.Text] : []);

        await page.GotoAsync(new Uri(house.Http.BaseAddress!, "/moirai/").ToString());

        ILocator findings = page.Locator("#findings");
        foreach (string told in s_troubles.SelectMany(static words => words))
        {
            await findings.GetByText(told).First.WaitForAsync(new() { Timeout = Failsafe });
        }

        await findings.Locator("li", new() { HasText = "Deadlock, over" }).Filter(new() { HasText = "has thrown" }).First.WaitForAsync(new() { Timeout = Failsafe });
        await findings.Locator("li", new() { HasText = "orphan" }).Filter(new() { HasText = "it was resumed with a LeakedTaskException" }).First.WaitForAsync(new() { Timeout = Failsafe });
        await findings.Locator("li", new() { HasText = "Alarm, over" }).Filter(new() { HasText = "one at a time" }).First.WaitForAsync(new() { Timeout = Failsafe });
        await page.WaitForFunctionAsync(
            "frames => state.history.length > frames && state.frame.alarms.some(one => one.kind === 'PoolFull')", Picture.IsForDocuments ? 60 : 2, new() { Timeout = Failsafe });
        await page.WaitForFunctionAsync(
            "() => [...document.querySelectorAll('#findings li.warn')].some(li => li.textContent.includes('Pool full') && li.querySelector('button').textContent === 'one at a time' && /\\d wait for a slot/.test(li.textContent))",
            null,
            new() { Timeout = Failsafe });
        await Picture.KeepAsync("chaos-page", page);
        complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task Moirai_top_shows_each_trouble_found_named_and_healed()
    {
        // An alarm is among what was found once it is over, which may come after the first look.
        string output = await Eventually.Get(() => house.RunToolAsync(null, "top", "--every", "100"), static screen => FoundOn(screen).Length == 5);

        string[] found = FoundOn(output);
        found.ShouldAllBe(static line => line.Length <= Columns);
        foreach (string[] words in s_troubles)
        {
            found.ShouldContain(line => words.Take(1).All(line.Contains), output);
        }

        found.ShouldContain(static line => line.Contains("deadlock: broken: #"));
        found.ShouldContain(static line => line.Contains("leak: #") && line.Contains("'orphan' was healed"));
        found.ShouldContain(static line => line.Contains("over: pool 'one at a time'"));
        found.ShouldContain(static line => line.Contains("over: #") && line.Contains("'blocked worker'"));
    }

    [Fact]
    public async Task Moirai_top_on_a_screen_is_what_the_README_shows()
    {
        await house.FrameAsync(static frame => frame.GetProperty("alarms").EnumerateArray().Any(static alarm => alarm.GetProperty("kind").GetString() == "PoolFull"));

        string output = await house.RunToolAsync((Columns, Lines), "top", "--every", "100", "--count", "3");

        string picture = output.Split("\e[H")[^1].Split("\e[J")[0];
        picture.ShouldContain("ship order");
        picture.ShouldContain("orphan");
        using IPlaywright playwright = await Playwright.CreateAsync();
        await using IBrowser browser = await LaunchAsync(playwright);
        IPage page = await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1000, Height = 720 } });
        await page.SetContentAsync(Picture.OfTerminal(picture));
        (await page.Locator("pre").TextContentAsync()).ShouldNotBeNull().ShouldNotContain('\e');
        await Picture.KeepAsync("chaos-top", page, "pre");
    }

    [Fact]
    public async Task Moirai_dump_tells_what_was_found_lately()
    {
        string output = await Eventually.Get(() => house.RunToolAsync(null, "dump", "-r", "order service"), static dump => FoundLately(dump).Contains("one at a time", StringComparison.Ordinal));

        string found = FoundLately(output);
        foreach (string[] words in s_troubles)
        {
            words.ShouldAllBe(word => found.Contains(word));
        }
    }

    [Fact]
    public async Task Moirai_watch_tells_of_each_as_it_comes()
    {
        // A round has two events of its own and two alarms that come and go.
        string output = await house.RunToolAsync(null, "watch", "-r", "order service", "--json", "--count", "12");

        JsonElement[] told = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonElement.Parse(line))];
        told.ShouldAllBe(static one => one.GetProperty("runtime").GetString() == "order service");
        told.Select(static one => one.GetProperty("kind").GetString()).ToHashSet().IsSupersetOf(["Deadlock", "Leaked", "Alarm", "AlarmCleared"]).ShouldBeTrue(output);
    }

    [Fact]
    public async Task The_health_of_the_service_names_what_was_found()
    {
        HealthAnswer health = (await house.Http.GetFromJsonAsync<HealthAnswer>("/health"))!;

        health.Status.ShouldBe("Degraded");
        health.Checks["moirai-deadlocks"].Story.ShouldNotBeNull().ShouldContain("'ship order'");
        health.Checks["moirai-leaks"].Story.ShouldNotBeNull().ShouldContain("'orphan'");
        await house.FrameAsync(static frame => frame.GetProperty("alarms").EnumerateArray().Any(static alarm => alarm.GetProperty("name").GetString() == "one at a time"));
        HealthAnswer worse = (await house.Http.GetFromJsonAsync<HealthAnswer>("/health"))!;
        worse.Checks["moirai-alarms"].Story.ShouldNotBeNull().ShouldContain("pool 'one at a time' had no free slot");
    }

    private static string[] FoundOn(string screen) =>
        [.. screen.Split('\n').SkipWhile(static line => !line.StartsWith("found ", StringComparison.Ordinal)).TakeWhile(static line => line.Trim().Length > 0)];

    private static string FoundLately(string dump) => dump.IndexOf("found lately", StringComparison.Ordinal) is var at and >= 0 ? dump[at..] : string.Empty;

    private static Task<IBrowser> LaunchAsync(IPlaywright playwright) => playwright.Chromium.LaunchAsync(new()
    {
        ExecutablePath = Environment.GetEnvironmentVariable("CHROMIUM") ?? "/usr/bin/chromium",
        Args = ["--no-sandbox", "--disable-dev-shm-usage"],
        Timeout = Failsafe,
    });
}
