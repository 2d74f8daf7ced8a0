using Microsoft.Playwright;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, part 3: pictures of the page for the documents, and that nothing on it hides behind something else.</summary>
[Trait("Issue", "7")]
public sealed class PictureTests(Browser browser)
{
    [Fact]
    public async Task With_a_task_open_beside_a_deadlock_neither_the_filter_nor_the_ring_is_hidden()
    {
        await using var show = new Showcase(DeadlockPolicy.Report);
        await using Site site = await Site.OpenAsync(show.Runtime, realTime: true);
        await using Visit visit = await browser.VisitAsync(site, ColorScheme.Light, width: 1280, height: 760);
        show.PlantDeadlock();
        await visit.UntilAsync("!document.getElementById('banner').hidden && document.querySelectorAll('#waits .edge.ring').length === 3");
        await visit.Page.Locator("#waits .node.ring").First.DispatchEventAsync("click");
        await visit.UntilAsync("document.querySelectorAll('#detail .chain.ring li').length === 2 && document.getAnimations().length === 0");

        // What is at their middles is they themselves: the pane lies over none of them.
        foreach (string one in new[] { "#filter", "#pause", "#ask", "#banner", "#waits .node.ring", "#detail h2" })
        {
            (await visit.Page.EvaluateAsync<bool>(
                "one => { const it = document.querySelector(one), box = it.getBoundingClientRect(), at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2); return it.contains(at) || at.contains(it); }", one)).ShouldBeTrue(one);
            (await visit.Page.EvaluateAsync<bool>(
                "one => { const it = document.querySelector(one).getBoundingClientRect(), pane = document.getElementById('detail').getBoundingClientRect(); return it.right <= pane.left || it.left >= pane.left; }", one)).ShouldBeTrue(one);
        }

        await visit.KeepAsync("dashboard-deadlock");
        await KeepInDocumentsAsync(visit, "dashboard-deadlock");
        visit.Complaints.ShouldBeEmpty();
    }

    private static async Task KeepInDocumentsAsync(Visit visit, string name)
    {
        if (Environment.GetEnvironmentVariable("KEEP_PICTURES") is not null)
        {
            await visit.Page.ScreenshotAsync(new() { Path = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../docs/images", $"{name}.png")) });
        }
    }
}
