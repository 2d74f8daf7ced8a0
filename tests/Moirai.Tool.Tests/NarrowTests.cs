namespace Moirai.Tool.Tests;

/// <summary>Terminals that are hardly there.</summary>
[Trait("Issue", "7")]
public sealed class NarrowTests
{
    [Theory]
    [InlineData(40, 12)]
    [InlineData(20, 5)]
    [InlineData(10, 3)]
    [InlineData(1, 1)]
    [InlineData(0, 0)]
    public async Task Top_draws_no_more_than_there_is_room_for(int width, int height)
    {
        await using Probe orders = await Probe.StartAsync("spawn 10", "fill");
        var screen = new Screen(width, height);
        screen.On("", "s").On("", "/").On("", "x\r").On("", "p").On("", "q");

        (await screen.RunAsync("top", "-p", orders.Pid, "--every", "50")).ShouldBe(0, screen.Errors);

        screen.Pictures.Count.ShouldBePositive();
        screen.Pictures.ShouldAllBe(picture => picture.Length <= Math.Max(1, height) && picture.All(line => line.Length <= width));
        screen.Raw.ShouldEndWith("\e[?25h\e[?1049l");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(39)]
    public async Task Below_forty_columns_text_is_as_wide_as_it_has_to_be_and_nothing_throws(int width)
    {
        await using Probe orders = await Probe.StartAsync("spawn 3");

        (await Tool.RunAsync(width, "ps")).ShouldBeGood();
        (await Tool.RunAsync(width, "dump", "-p", orders.Pid, "--tasks", "3")).ShouldBeGood().ShouldFit(40);
        (await Tool.RunAsync(width, "tree", "-p", orders.Pid)).ShouldBeGood().ShouldFit(40);
    }

    [Theory]
    [InlineData("--every", "0")]
    [InlineData("--every", "-7")]
    [InlineData("--count", "0")]
    [InlineData("--count", "-1")]
    [InlineData("--every", "99999999999")]
    [InlineData("--sort", "upwards")]
    public async Task A_number_that_makes_no_sense_is_refused_by_name(string option, string value)
    {
        await using Probe orders = await Probe.StartAsync();

        ToolEnd end = await Tool.RunAsync("top", "-p", orders.Pid, option, value);

        end.Code.ShouldBe(2, end.Output + end.Errors);
        end.Errors.ShouldContain(value);
    }

    [Theory]
    [InlineData("dump", "--tasks", "-1")]
    [InlineData("watch", "--count", "0")]
    public async Task So_it_is_in_the_other_commands(string command, string option, string value)
    {
        await using Probe orders = await Probe.StartAsync();

        ToolEnd end = await Tool.RunAsync(command, "-p", orders.Pid, option, value);

        end.Code.ShouldBe(2, end.Output + end.Errors);
        end.Errors.ShouldContain(option);
    }
}
