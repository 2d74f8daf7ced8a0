using System.Diagnostics;
using System.Text.Json;

namespace Moirai.Tool.Tests;

/// <summary>A process with two runtimes: one of them is asked about, or watched.</summary>
[Trait("Issue", "7")]
public sealed class RuntimeFilterTests
{
    [Fact]
    public async Task Watch_shows_only_what_the_chosen_runtime_tells()
    {
        await using Probe orders = await Probe.StartAsync("fill", "second");

        ToolEnd end = (await Tool.RunAsync("watch", "-p", orders.Pid, "-r", "imports", "--count", "1", "--json")).ShouldBeGood();

        JsonElement told = JsonElement.Parse(end.Lines.ShouldHaveSingleItem());
        told.GetProperty("runtime").GetString().ShouldBe("imports");
        told.GetProperty("message").GetString()!.ShouldContain("pool 'narrow'");
    }

    [Fact]
    public async Task Watch_leaves_out_events_of_other_runtimes_that_come_later()
    {
        await using Probe orders = await Probe.StartObedientAsync("leak 1", "second");
        using Process watch = Tool.StartProgram("watch", "-p", orders.Pid, "-r", "imports", "--json");
        using Process all = Tool.StartProgram("watch", "-p", orders.Pid, "--json");
        await HearAsync(watch, "pool 'narrow'");
        await HearAsync(all, "pool 'narrow'");

        (await Tool.RunAsync("leaks", "-p", orders.Pid)).Code.ShouldBe(1);
        await HearAsync(all, "forgotten"); // who watches all is told
        await orders.SayAsync("release"); // the importer ends, and with it the alarm

        string[] heard = await HearAsync(watch, "is over");
        heard.ShouldAllBe(static line => line.Contains("\"runtime\":\"imports\""));
        watch.Kill();
        all.Kill();
    }

    [Fact]
    public async Task Watch_says_which_runtime_tells_what_where_there_are_several()
    {
        await using Probe orders = await Probe.StartAsync("fill", "second");

        using Process watch = Tool.StartProgram("watch", "-p", orders.Pid);

        // One of them may have more to tell than the other, and first: a pool that is full, and a timer that was late on a busy machine.
        string[] heard = [];
        while (!(heard.Any(static line => line.Contains("Z  'orders' alarm ")) && heard.Any(static line => line.Contains("Z  'imports' alarm "))))
        {
            heard = [.. heard, (await Patience.Of(watch.StandardOutput.ReadLineAsync())).ShouldNotBeNull($"the watch has ended, and told only {string.Join(" | ", heard)}")];
        }

        watch.Kill();
    }

    [Fact]
    public async Task Watch_of_a_runtime_that_does_not_exist_is_refused_with_those_that_do()
    {
        await using Probe orders = await Probe.StartAsync("second");

        (await Tool.RunAsync("watch", "-p", orders.Pid, "-r", "nobody")).ShouldComplain(1, "No runtime named 'nobody'", "'orders'", "'imports'");
    }

    [Fact]
    public async Task Every_command_takes_one_runtime_of_two()
    {
        await using Probe orders = await Probe.StartObedientAsync("spawn 2", "second");

        (await Tool.RunAsync("dump", "-p", orders.Pid, "-r", "imports")).ShouldBeGood().Output.ShouldNotContain("runtime 'orders'");
        (await Tool.RunAsync("tree", "-p", orders.Pid, "-r", "imports")).ShouldBeGood().Output.ShouldNotContain("runtime 'orders'");
        (await Tool.RunAsync("top", "-p", orders.Pid, "-r", "imports", "--every", "50")).ShouldBeGood().Lines[0].ShouldContain("runtime 'imports'");
        (await Tool.RunAsync("leaks", "-p", orders.Pid, "-r", "orders")).ShouldBeGood().Output.ShouldContain("runtime 'orders'");
        (await Tool.RunAsync("leaks", "-p", orders.Pid, "-r", "imports")).ShouldComplain(1, "'imports' allows no commands");
        (await Tool.RunAsync("ps")).ShouldBeGood().Lines.Count(line => line.Contains(orders.Pid)).ShouldBe(2);
    }

    private static async Task<string[]> HearAsync(Process watch, string words)
    {
        List<string> heard = [];
        while (true)
        {
            heard.Add((await Patience.Of(watch.StandardOutput.ReadLineAsync())).ShouldNotBeNull("the watch has ended"));
            if (heard[^1].Contains(words, StringComparison.Ordinal) || JsonElement.Parse(heard[^1]).GetProperty("message").GetString()!.Contains(words, StringComparison.Ordinal))
            {
                return [.. heard];
            }
        }
    }
}
