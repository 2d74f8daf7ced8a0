using System.Diagnostics;
using System.Text.Json;

namespace Moirai.Tool.Tests;

/// <summary>What the commands show of a process: their code, and the real program, also while the thread pool of the process is blocked to the last thread.</summary>
[Trait("Issue", "7")]
public sealed class CommandTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Ps_lists_the_process_with_its_runtimes_and_counts(bool blocked)
    {
        await using Probe orders = await Probe.StartAsync(blocked ? ["spawn 10", "block"] : ["spawn 10"]);
        await using Probe plain = await Probe.StartPlainAsync();

        ToolEnd end = (await Tool.RunAsync("ps")).ShouldBeGoodFor(orders, plain);

        string[] words = end.Lines.Single(line => line.Contains(orders.Pid)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        words.Take(7).ShouldBe([orders.Pid, "Moirai.ToolProbe", "orders", "12", "0", "0", "0"]);
        end.Output.ShouldNotContain(plain.Pid);
        (await Tool.RunAsync("ps", "--all")).Output.ShouldContain($"{plain.Id}  Moirai.ToolProbe: without Moirai");
    }

    [Fact]
    public async Task Ps_as_json_is_a_line_for_each_process()
    {
        await using Probe orders = await Probe.StartAsync();

        ToolEnd end = (await Tool.RunAsync("ps", "--json")).ShouldBeGoodFor(orders);

        JsonElement line = end.Lines.Select(static line => JsonElement.Parse(line)).Single(line => line.GetProperty("process").GetInt32() == orders.Id);
        line.GetProperty("runtimes")[0].GetProperty("live").GetInt32().ShouldBe(2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Dump_tells_what_tasks_do_where_and_because_of_whom(bool blocked)
    {
        await using Probe orders = await Probe.StartAsync(blocked ? ["spawn 10", "block"] : ["spawn 10"]);

        ToolEnd end = (await Tool.RunProgramAsync("dump", "-p", orders.Pid)).ShouldBeGood();

        end.Output.ShouldContain("12 live: 12 blocked");
        end.Output.ShouldContain("× 5 'order' waiting at Program.cs:");
        end.Output.ShouldContain("at Orders.CheckAsync (Program.cs:");
        end.Output.ShouldContain("at Orders.HandleAsync (Program.cs:");
        end.Output.ShouldContain("at Orders.PlainAsync (Program.cs:");
        end.Output.ShouldContain("'save' waiting at Program.cs:");
        end.Output.ShouldContain("mutex 'ledger' held by #1 'reconcile'");
        end.Output.ShouldContain("pool 'requests'  10 live, 10 of 100,000 slots");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Dump_as_json_is_a_snapshot(bool blocked)
    {
        await using Probe orders = await Probe.StartAsync(blocked ? ["spawn 3000", "block"] : ["spawn 3000"]);

        ToolEnd end = (await Tool.RunProgramAsync("dump", "-p", orders.Pid, "--json", "--tasks", "2500")).ShouldBeGood();

        RuntimeSnapshot snapshot = RuntimeSnapshot.FromJson(end.Lines.ShouldHaveSingleItem());
        snapshot.Runtime.ShouldBe("orders");
        snapshot.Census.Live.ShouldBe(3002);
        snapshot.Census.IsBalanced.ShouldBeTrue();
        snapshot.States.Live.ShouldBe(3002);
        snapshot.Tasks.Count.ShouldBe(2500);
        snapshot.TasksNotListed.ShouldBe(502);
        snapshot.Tasks.Select(static task => task.Id).Distinct().Count().ShouldBe(2500);
    }

    [Fact]
    public async Task A_process_can_be_said_by_its_name()
    {
        await using Probe orders = await Probe.StartAsync();

        (await Tool.RunAsync("dump", "-n", "moirai.TOOLPROBE", "--json")).ShouldBeGood().Output.ShouldContain("\"runtime\":\"orders\"");
    }

    [Fact]
    public async Task Dump_lists_tasks_one_by_one_where_it_is_asked_to()
    {
        await using Probe orders = await Probe.StartAsync("spawn 4");

        ToolEnd end = (await Tool.RunAsync("dump", "-p", orders.Pid, "--tasks", "5")).ShouldBeGood();

        end.Lines.Count(static line => line.StartsWith("      spawned at ", StringComparison.Ordinal)).ShouldBe(5);
        end.Output.ShouldContain("… and 1 more (--tasks)");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Tree_shows_scopes_with_what_is_in_them(bool blocked)
    {
        await using Probe orders = await Probe.StartAsync(blocked ? ["spawn 1500", "fill", "block"] : ["spawn 1500", "fill"]);

        ToolEnd end = (await Tool.RunProgramAsync("tree", "-p", orders.Pid)).ShouldBeGood();

        end.Lines[0].ShouldStartWith("runtime 'orders'");
        end.Lines.ShouldContain(static line => line.StartsWith("├─ pool 'requests'  1,500 live", StringComparison.Ordinal));
        end.Lines.Count(static line => line.StartsWith("│  ├─ × 500 'order' blocked at Program.cs:", StringComparison.Ordinal)).ShouldBe(2);
        end.Lines.ShouldContain("│  └─ … and 500 more tasks");
        end.Lines.ShouldContain(static line => line.Contains("'reconcile'") && line.EndsWith("holds mutex 'ledger'", StringComparison.Ordinal));
        end.Lines[^1].ShouldStartWith("   └─ ");
        end.Lines[^1].ShouldContain("'occupant'");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Leaks_are_proved_where_the_process_allows_commands(bool blocked)
    {
        await using Probe orders = await Probe.StartObedientAsync(blocked ? ["leak 3", "block"] : ["leak 3"]);

        ToolEnd end = await Tool.RunProgramAsync("leaks", "-p", orders.Pid);

        end.Code.ShouldBe(1, end.Errors);
        end.Errors.ShouldBeEmpty();
        end.Output.ShouldContain("3 tasks have leaked; 5 waiting of 5 live tasks");
        end.Output.ShouldContain("× 3 'forgotten', spawned at Program.cs:");
        end.Output.ShouldContain("at Orders.ForgottenAsync (Program.cs:");
        end.Output.ShouldContain("was left as it is (--heal resumes it)");
    }

    [Fact]
    public async Task Leaks_are_healed_when_that_is_asked_for_and_then_nothing_has_leaked()
    {
        await using Probe orders = await Probe.StartObedientAsync("leak 3");

        ToolEnd healed = await Tool.RunAsync("leaks", "-p", orders.Pid, "--heal", "--json");
        ToolEnd after = await Tool.RunAsync("leaks", "-p", orders.Pid);

        healed.Code.ShouldBe(1);
        JsonElement report = JsonElement.Parse(healed.Lines.ShouldHaveSingleItem());
        report.GetProperty("leaks").EnumerateArray().Select(static leak => leak.GetProperty("remedy").GetString()).ShouldBe(["Resumed", "Resumed", "Resumed"]);
        after.ShouldBeGood().Output.ShouldContain("nothing has leaked");
    }

    [Fact]
    public async Task Leaks_are_not_looked_for_where_commands_are_not_allowed()
    {
        await using Probe orders = await Probe.StartAsync("leak 3");

        (await Tool.RunAsync("leaks", "-p", orders.Pid)).ShouldComplain(1, "'orders' allows no commands", "TaskRuntimeOptions.AllowCommands");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_shows_alarms_and_leaks_as_they_come(bool blocked)
    {
        await using Probe orders = await Probe.StartObedientAsync(blocked ? ["leak 1", "block"] : ["leak 1"]);
        await orders.SayAsync("fill");
        using Process watch = Tool.StartProgram("watch", "-p", orders.Pid, "--json");
        JsonElement alarm = await NextAsync(watch, "Alarm");

        (await Tool.RunAsync("leaks", "-p", orders.Pid)).Code.ShouldBe(1);

        JsonElement leak = await NextAsync(watch, "Leaked");
        alarm.GetProperty("message").GetString()!.ShouldContain("pool 'tiny' had no free slot");
        leak.GetProperty("name").GetString().ShouldBe("forgotten");
        leak.GetProperty("spawnSite").GetString()!.ShouldStartWith("Program.cs:");
        await InterruptAsync(watch);
    }

    [Fact]
    public async Task Watch_begins_with_the_alarms_that_are_there_and_ends_well_when_it_is_interrupted()
    {
        await using Probe orders = await Probe.StartAsync("fill");
        using Process watch = Tool.StartProgram("watch", "-p", orders.Pid);

        (await Patience.Of(watch.StandardOutput.ReadLineAsync()))!.ShouldContain("pool 'tiny' had no free slot");

        await InterruptAsync(watch);
    }

    // As Ctrl-C does.
    private static async Task InterruptAsync(Process watch)
    {
        using var kill = Process.Start("kill", ["-INT", $"{watch.Id}"]);
        ToolEnd end = await Tool.EndAsync(watch);
        end.Code.ShouldBe(0);
        end.Errors.ShouldBeEmpty();
    }

    private static async Task<JsonElement> NextAsync(Process watch, string kind)
    {
        while (true)
        {
            string? line = await Patience.Of(watch.StandardOutput.ReadLineAsync());
            JsonElement told = JsonElement.Parse(line.ShouldNotBeNull("the watch has ended"));
            if (told.GetProperty("kind").GetString() == kind)
            {
                return told;
            }
        }
    }
}
