using Moirai.Tool.Views;

namespace Moirai.Tool.Tests;

/// <summary>What is written fits the terminal, and loses nothing where it goes into a file.</summary>
[Trait("Issue", "7")]
public sealed class WidthTests
{
    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public async Task Every_command_fits_the_terminal(int width)
    {
        await using Probe orders = await Probe.StartObedientAsync("spawn 10", "leak 3", "fill");

        (await Tool.RunAsync(width, "ps")).ShouldBeGood().ShouldFit(width);
        (await Tool.RunAsync(width, "dump", "-p", orders.Pid, "--tasks", "20")).ShouldBeGood().ShouldFit(width);
        (await Tool.RunAsync(width, "tree", "-p", orders.Pid)).ShouldBeGood().ShouldFit(width);
        (await Tool.RunAsync(width, "leaks", "-p", orders.Pid)).ShouldFit(width).Code.ShouldBe(1);
        (await Tool.RunAsync(width, "watch", "-p", orders.Pid, "--count", "1")).ShouldBeGood().ShouldFit(width);
    }

    [Fact]
    public void A_table_drops_numbers_that_may_be_dropped_before_it_cuts_words()
    {
        Written(40).ShouldBe(["pid  process              live  failed", "17   a process of a name  1234       0"]);
        Written(31).ShouldBe(["pid  process              live", "17   a process of a name  1234"]);
        Written(26).ShouldBe(["pid  process          live", "17   a process of a…  1234"]);

        static string[] Written(int width)
        {
            using var text = new StringWriter { NewLine = "\n" };
            var table = new TextTable("pid", "process", ">live", "?>failed");
            table.Add("17", "a process of a name", "1234", "0");
            table.Write(text, width);
            return text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
    }

    [Fact]
    public void A_long_line_is_broken_between_words_and_indented_further()
    {
        Words.Wrap("  one two three four", 12).ShouldBe("  one two\n    three\n    four");
        Words.Wrap("  one two", int.MaxValue).ShouldBe("  one two");
        Words.Wrap("averyveryverylongword", 5).ShouldBe("averyveryverylongword");
    }

    [Theory]
    [InlineData(0, "< 1 ms")]
    [InlineData(999, "999 ms")]
    [InlineData(1_500, "1.5 s")]
    [InlineData(90_000, "90 s")]
    [InlineData(600_000, "10 min")]
    [InlineData(7_200_000, "2 h")]
    [InlineData(864_000_000, "10 days")]
    public void Times_are_as_exact_as_matters(int milliseconds, string words) => Words.Time(TimeSpan.FromMilliseconds(milliseconds)).ShouldBe(words);
}
