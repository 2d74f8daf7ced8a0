using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Moirai.Dashboard.Tests.Browser))]

namespace Moirai.Dashboard.Tests;

/// <summary>A real Chromium without a window, one for all tests that want it: that of <c>CHROMIUM</c>, else that of the distribution.</summary>
public sealed class Browser : IAsyncLifetime
{
    // Waits in the page end what would never end; nothing is expected of their length.
    internal const float Failsafe = 60_000;

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    internal IBrowser Chromium => _browser!;

    public async ValueTask InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Environment.GetEnvironmentVariable("CHROMIUM") ?? "/usr/bin/chromium",
            Args = ["--no-sandbox", "--disable-dev-shm-usage"],
            Timeout = Failsafe,
        });
    }

    /// <param name="opened">Called when the browser has made its empty page, before ours is loaded into it.</param>
    internal async Task<Visit> VisitAsync(Site site, ColorScheme scheme = ColorScheme.Light, int width = 1440, int height = 1150, string query = "", Func<Task>? opened = null)
    {
        IBrowserContext context = await _browser!.NewContextAsync(new BrowserNewContextOptions
        {
            ColorScheme = scheme,
            ViewportSize = new ViewportSize { Width = width, Height = height },
            BaseURL = site.Url.ToString(),
        });
        context.SetDefaultTimeout(Failsafe);
        IPage page = await context.NewPageAsync();
        var visit = new Visit(context, page);
        page.Console += (_, line) => visit.Note(line.Type is "error" or "warning" ? line.Text : null);
        page.PageError += (_, error) => visit.Note(error);
        page.Dialog += async (_, dialog) =>
        {
            visit.Note($"a dialog: {dialog.Message}");
            await dialog.DismissAsync();
        };
        await page.AddInitScriptAsync("globalThis.longTasks = []; new PerformanceObserver(list => longTasks.push(...list.getEntries().map(one => Math.round(one.duration)))).observe({ type: 'longtask', buffered: true });");
        if (opened is not null)
        {
            await opened();
        }

        await page.GotoAsync($"/moirai/{query}");
        await page.WaitForFunctionAsync("() => state.frame !== null && document.querySelectorAll('#tiles .tile').length === 6");
        return visit;
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
    }
}

/// <summary>One page that is open. What it complained about fails the test when it is closed.</summary>
internal sealed class Visit(IBrowserContext context, IPage page) : IAsyncDisposable
{
    private readonly List<string> _complaints = [];

    internal IPage Page => page;

    internal IReadOnlyList<string> Complaints
    {
        get
        {
            lock (_complaints)
            {
                return [.. _complaints];
            }
        }
    }

    internal void Note(string? complaint)
    {
        if (complaint is not null)
        {
            lock (_complaints)
            {
                _complaints.Add(complaint);
            }
        }
    }

    /// <summary>Waits until something holds in the page.</summary>
    internal Task UntilAsync(string condition) => page.WaitForFunctionAsync($"() => {condition}");

    /// <summary>Kept as output of the tests: artifacts/screenshots, and beside the test in its results.</summary>
    internal async Task KeepAsync(string name, bool whole = false)
    {
        string folder = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../screenshots"));
        byte[] picture = await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"{name}.png"), FullPage = whole });
        TestContext.Current.AddAttachment($"{name}.png", picture, "image/png");
    }

    public async ValueTask DisposeAsync() => await context.DisposeAsync();
}
