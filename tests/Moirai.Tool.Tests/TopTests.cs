namespace Moirai.Tool.Tests;

/// <summary><c>moirai top</c>: the picture, the keys, and plain text where nobody looks.</summary>
[Trait("Issue", "7")]
public sealed class TopTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Written_into_a_file_it_is_one_picture_in_plain_text(bool blocked)
    {
        await using Probe orders = await Probe.StartAsync(blocked ? ["spawn 10", "fill", "block"] : ["spawn 10", "fill"]);

        ToolEnd end = (await Tool.RunProgramAsync("top", "-p", orders.Pid, "--every", "100")).ShouldBeGood().ShouldFit(120);

        end.Lines.Count(static line => line.StartsWith("moirai top", StringComparison.Ordinal)).ShouldBe(1);
        end.Output.ShouldNotContain('\e');
        end.Output.ShouldContain("13 live: 13 blocked, 0 ready, 0 running");
        end.Output.ShouldContain("tiny     [||||||||||||||||||||||||||||||] 1 of 1");
        end.Output.ShouldContain("mutex 'ledger' held by #1 'reconcile'");
    }

    [Fact]
    public async Task As_many_pictures_are_written_as_were_asked_for()
    {
        await using Probe orders = await Probe.StartAsync();

        ToolEnd end = (await Tool.RunAsync("top", "-p", orders.Pid, "--every", "50", "--count", "3")).ShouldBeGood();

        end.Lines.Count(static line => line.StartsWith("moirai top", StringComparison.Ordinal)).ShouldBe(3);
    }

    [Fact]
    public async Task The_busiest_task_is_at_the_top_with_its_share_of_a_processor()
    {
        await using Probe orders = await Probe.StartAsync("spawn 300", "spin");

        ToolEnd end = (await Tool.RunAsync("top", "-p", orders.Pid, "--every", "100")).ShouldBeGood();

        string busiest = end.Lines[Array.FindIndex(end.Lines, static line => line.StartsWith("busiest", StringComparison.Ordinal)) + 1];
        busiest.ShouldContain("spinner");
        busiest.ShouldContain("%");
    }

    [Fact]
    public async Task Only_tasks_of_a_name_are_shown_when_that_is_asked_for()
    {
        await using Probe orders = await Probe.StartAsync("spawn 3");

        ToolEnd end = (await Tool.RunAsync("top", "-p", orders.Pid, "--every", "50", "--filter", "ORD", "--sort", "name")).ShouldBeGood();

        end.Output.ShouldContain(" order ");
        end.Output.ShouldNotContain(" save ");
    }

    [Theory]
    [InlineData(80, 24)]
    [InlineData(120, 40)]
    public async Task On_a_screen_keys_sort_filter_pause_and_quit(int width, int height)
    {
        await using Probe orders = await Probe.StartAsync("spawn 10", "fill");
        var screen = new Screen(width, height);
        screen.On("longest blocked      waited", "s")
            .On("sort: busiest", "s")
            .On("sort: longest blocked", "s")
            .On("sort: name", "s")
            .On("sort: both", "/")
            .On("names with: _", "sap\bv")
            .On("names with: sav_", "\r")
            .On("! order ", "p")
            .On("PAUSED", "p")
            .On("p pause", "q");

        int code = await screen.RunAsync("top", "-p", orders.Pid, "--every", "50");

        code.ShouldBe(0, screen.Errors);
        screen.Unpressed.ShouldBe(0);
        screen.Pictures.ShouldAllBe(picture => picture.Length <= height && picture.All(line => line.Length <= width));
        screen.Pictures.ShouldContain(static picture => picture.Any(static line => line.Contains("filter: sav")) && picture.All(static line => !line.Contains(" order ")));
        screen.Raw.ShouldEndWith("\e[?25h\e[?1049l"); // the cursor is back, and what was there before
    }

    [Fact]
    public async Task Interrupted_it_leaves_the_screen_as_it_found_it()
    {
        await using Probe orders = await Probe.StartAsync();
        var screen = new Screen(80, 24);
        screen.On("longest blocked", Screen.Interrupt);

        (await screen.RunAsync("top", "-p", orders.Pid, "--every", "50")).ShouldBe(0);

        screen.Raw.ShouldEndWith("\e[?25h\e[?1049l");
    }

    [Fact]
    public async Task When_the_process_ends_it_says_so_below_the_screen_as_it_was()
    {
        await using Probe orders = await Probe.StartAsync();
        var screen = new Screen(80, 24);
        screen.On("longest blocked", () => orders.KillAsync().GetAwaiter().GetResult());

        (await screen.RunAsync("top", "-p", orders.Pid, "--every", "50")).ShouldBe(1);

        screen.Raw.ShouldEndWith("\e[?25h\e[?1049l");
        screen.Errors.ShouldContain("has ended");
    }
}
