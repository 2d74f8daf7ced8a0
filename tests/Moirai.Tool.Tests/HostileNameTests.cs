using Moirai.Tool.Views;

namespace Moirai.Tool.Tests;

/// <summary>Names are the program's: whatever they hold, they neither steer the terminal nor look like something that they are not.</summary>
[Trait("Issue", "7")]
public sealed class HostileNameTests
{
    // All that a terminal would obey, but the end of a line.
    private static readonly string s_bad = string.Concat(Enumerable.Range(0, 32).Where(static code => code != '\n').Concat([0x7F, 0x85, 0x9B, 0x202E, 0x2028]).Select(static code => (char)code));

    [Fact]
    public async Task No_command_lets_a_name_steer_the_terminal_or_forge_a_line()
    {
        await using Probe orders = await Probe.StartAsync("hostile");

        foreach (string[] command in new[] { new[] { "dump", "--tasks", "9" }, ["tree"], ["top", "--every", "50"], ["top", "--every", "50", "--sort", "name"] })
        {
            ToolEnd end = (await Tool.RunAsync([command[0], "-p", orders.Pid, .. command[1..]])).ShouldBeGood();

            end.Output.ShouldContain("evil ␛[2J", customMessage: command[0]);
            end.Output.IndexOfAny([.. s_bad]).ShouldBe(-1, command[0]);
            end.Lines.ShouldAllBe(static line => !line.StartsWith("moirai top  1 forged", StringComparison.Ordinal));
        }

        ToolEnd json = (await Tool.RunAsync("dump", "-p", orders.Pid, "--json")).ShouldBeGood();
        json.Output.IndexOfAny([.. s_bad]).ShouldBe(-1);
        RuntimeSnapshot.FromJson(json.Lines.ShouldHaveSingleItem()).Tasks.ShouldContain(static task => task.Name.StartsWith("evil \e[2J", StringComparison.Ordinal), "a program that reads it gets the name as it is");
    }

    [Fact]
    public async Task On_a_screen_only_the_commands_own_codes_are_written()
    {
        await using Probe orders = await Probe.StartAsync("hostile");
        var screen = new Screen(120, 40);
        screen.On("evil", "q");

        (await screen.RunAsync("top", "-p", orders.Pid, "--every", "50")).ShouldBe(0, screen.Errors);

        screen.Pictures.SelectMany(static picture => picture).ShouldAllBe(static line => line.IndexOfAny(s_bad.ToCharArray()) < 0);
        screen.Pictures.ShouldAllBe(static picture => picture.Length <= 40);
    }

    [Fact]
    public void A_story_of_several_lines_is_indented_so_that_none_looks_like_one_of_ours() =>
        Words.Wrap("12:00:00Z  Deadlock: a ring\n12:00:01Z  forged\r\nend", int.MaxValue, hang: 11).ShouldBe("12:00:00Z  Deadlock: a ring\n           12:00:01Z  forged\n           end");

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a\eb", "a␛b")]
    [InlineData("a\nb\tc", "a␊b␉c")]
    [InlineData("a\u009Bb\u202Ec", "a\uFFFDb\uFFFDc")]
    [InlineData("Größe 📦", "Größe 📦")]
    public void What_would_be_obeyed_is_shown_as_a_sign(string text, string plain) => Words.Plain(text).ShouldBe(plain);

    [Theory]
    [InlineData("orders", 6)]
    [InlineData("注文の処理", 10)]
    [InlineData("📦 a", 4)]
    [InlineData("e\u0301", 1)]
    public void Signs_of_two_columns_are_counted_as_two(string text, int columns) => Words.Columns(text).ShouldBe(columns);

    [Theory]
    [InlineData("注文の処理", 10, "注文の処理")]
    [InlineData("注文の処理", 9, "注文の処…")]
    [InlineData("注文の処理", 4, "注…")]
    [InlineData("注文の処理", 1, "")]
    [InlineData("📦📦", 3, "📦…")]
    public void What_is_cut_is_no_wider_than_it_may_be_and_no_sign_is_cut_in_two(string text, int width, string fitted) => Words.Fit(text, width).ShouldBe(fitted);
}
