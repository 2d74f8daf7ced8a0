using System.Text.Json;

namespace Moirai.Tests.Tools;

public sealed class LoadBenchTests
{
    private static readonly BuiltProgram Bench = new("Moirai.Load");

    private static readonly string[] Keys =
    [
        "peer", "name", "variant", "mode", "n", "tasks", "phases", "seconds", "ops", "ns_per_op", "cpu_s",
        "vm_hwm_kb", "vm_rss_kb", "alloc_bytes", "gcs", "gc_pause_s", "census_balanced", "extra",
    ];

    [Theory]
    [InlineData("million-pool", "cancel", "spawn,drain")]
    [InlineData("million-pool", "plain", "spawn,drain")]
    [InlineData("million-pool", "task", "spawn,drain")]
    [InlineData("million-live", "sleep", "spawn,all_alive,drain")]
    [InlineData("million-live", "gate", "spawn,all_alive,drain")]
    [InlineData("spawn-join", "handles", "spawn,join")]
    [InlineData("spawn-join", "detached", "spawn,join")]
    [InlineData("spawn-join", "local", "spawn,join")]
    [InlineData("timeout-churn", "yield", "run")]
    [InlineData("timeout-churn", "oneshot", "run")]
    [InlineData("timeout-churn", "oneshot-foreign", "run")]
    [InlineData("timeout-churn", "yield-token", "run")]
    [InlineData("timeout-churn", "oneshot-token", "run")]
    [InlineData("timers", "random", "insert,cancel")]
    [InlineData("timers", "ordered", "insert,cancel")]
    [InlineData("timers", "fire", "insert,fire")]
    [InlineData("yield", "one", "run")]
    [InlineData("yield", "many", "run")]
    [InlineData("yield", "local", "run")]
    [InlineData("cancel-tree", "plain", "build,cancel_call,all_ended")]
    [InlineData("cancel-tree", "cleanup", "build,cancel_call,all_ended")]
    [InlineData("mutex", "uncontended", "run")]
    [InlineData("mutex", "two", "run")]
    [InlineData("mutex", "few", "run")]
    [InlineData("mutex", "many", "run")]
    [InlineData("mutex", "held", "run")]
    [InlineData("ping-pong", "channel", "run")]
    [InlineData("ping-pong", "semaphore", "run")]
    [InlineData("atomic-waker", "same", "run")]
    [InlineData("atomic-waker", "swap", "run")]
    [InlineData("atomic-waker", "take", "run")]
    [InlineData("leak-scan", "promises", "suspend,search,drain")]
    [InlineData("snapshot", "chains", "suspend,snapshots,drain")]
    [InlineData("snapshot", "plain", "suspend,snapshots,drain")]
    [InlineData("snapshot", "load", "suspend,snapshots,drain")]
    [InlineData("snapshot", "load-plain", "suspend,snapshots,drain")]
    [InlineData("snapshot", "full", "suspend,snapshots,drain")]
    [InlineData("accounting", "future-none", "run")]
    [InlineData("accounting", "future-polls", "run")]
    [InlineData("accounting", "future-exact", "run")]
    [InlineData("accounting", "plain-none", "run")]
    [InlineData("accounting", "plain-polls", "run")]
    [InlineData("accounting", "plain-exact", "run")]
    [InlineData("accounting", "plain-handler", "run")]
    [InlineData("accounting", "plain-clock", "run")]
    [InlineData("deadlock-check", "pair", "run")]
    [InlineData("deadlock-check", "line", "run")]
    [InlineData("deadlock-check", "threads", "run")]
    [InlineData("deadlock-check", "threads-off", "run")]
    [InlineData("meter-look", "sleep", "suspend,looks,drain")]
    [InlineData("stages", "detached", "call,spawn,first_step,wake,last_step,result,collections")]
    [InlineData("stages", "pool", "call,spawn,first_step,wake,last_step,result,collections")]
    [InlineData("alarm-look", "within", "suspend,looks,drain")]
    [InlineData("alarm-look", "over", "suspend,looks,drain")]
    public async Task Each_load_prints_one_line_of_json_and_leaves_a_balanced_census(string name, string variant, string phases)
    {
        JsonElement run = (await Bench.RunAsync([name, "--variant", variant, "--n", "500", .. Hold(name)])).OnlyLineOfJson();

        run.EnumerateObject().Select(property => property.Name).ShouldBe(Keys);
        run.GetProperty("peer").GetString().ShouldBe("moirai");
        run.GetProperty("name").GetString().ShouldBe(name);
        run.GetProperty("variant").GetString().ShouldBe(variant);
        long ops = run.GetProperty("ops").GetInt64();
        if (name == "snapshot")
        {
            ops.ShouldBeGreaterThanOrEqualTo(500); // what snapshots were taken of, or what went on beside them
        }
        else
        {
            ops.ShouldBe(500 * Hops(name));
        }
        run.GetProperty("census_balanced").GetBoolean().ShouldBeTrue();
        run.GetProperty("phases").EnumerateObject().Select(phase => phase.Name).ShouldBe(phases.Split(','));
        run.GetProperty("vm_hwm_kb").GetInt64().ShouldBePositive();
    }

    [Theory]
    [InlineData("million-pool")]
    [InlineData("million-live")]
    [InlineData("spawn-join")]
    [InlineData("timeout-churn")]
    [InlineData("timers")]
    [InlineData("yield")]
    [InlineData("cancel-tree")]
    [InlineData("mutex")]
    [InlineData("ping-pong")]
    [InlineData("ping-pong", "semaphore")]
    [InlineData("atomic-waker")]
    public async Task Each_load_is_also_done_by_hand_which_keeps_no_census(string name, string? variant = null)
    {
        string[] way = variant is null ? [] : ["--variant", variant];
        JsonElement run = (await Bench.RunAsync([name, .. way, "--peer", "dotnet", "--n", "500", .. Hold(name)])).OnlyLineOfJson();

        run.EnumerateObject().Select(property => property.Name).ShouldBe(Keys);
        run.GetProperty("peer").GetString().ShouldBe("dotnet");
        run.GetProperty("ops").GetInt64().ShouldBe(500 * Hops(name));
        run.GetProperty("census_balanced").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Theory]
    [InlineData("timeout-churn", "yield")]
    [InlineData("timeout-churn", "oneshot")]
    [InlineData("timeout-churn", "oneshot-foreign")]
    [InlineData("timers", "random")]
    [InlineData("timers", "fire")]
    public async Task A6_the_depth_of_the_queue_at_the_end_is_in_the_json_and_zero(string name, string variant)
    {
        string[] shared = name == "timers" ? [] : ["--tasks", "7"];
        JsonElement run = (await Bench.RunAsync([name, "--variant", variant, "--n", "1000", .. shared])).OnlyLineOfJson();

        run.GetProperty("extra").GetProperty("timer_entries_left").GetInt64().ShouldBe(0);
    }

    [Theory]
    [InlineData("timeout-churn", "oneshot")]
    [InlineData("timeout-churn", "oneshot-foreign")]
    [InlineData("timeout-churn", "yield-token")]
    [InlineData("timeout-churn", "oneshot-token")]
    [InlineData("timers", "fire")]
    public async Task The_other_ways_by_hand_do_the_work_too(string name, string variant) =>
        (await Bench.RunAsync(name, "--variant", variant, "--peer", "dotnet", "--n", "500")).OnlyLineOfJson().GetProperty("ops").GetInt64().ShouldBe(500);

    [Fact]
    public async Task A3_no_timer_fires_early()
    {
        JsonElement run = (await Bench.RunAsync("timers", "--variant", "fire", "--n", "1000")).OnlyLineOfJson();

        run.GetProperty("extra").GetProperty("earliest_us").GetDouble().ShouldBeGreaterThanOrEqualTo(0);
        run.GetProperty("extra").GetProperty("late_p99_us").GetDouble().ShouldBePositive();
    }

    [Fact]
    public async Task Repeated_passes_report_the_memory_after_each()
    {
        JsonElement run = (await Bench.RunAsync("spawn-join", "--n", "100", "--repeat", "3")).OnlyLineOfJson();

        run.GetProperty("extra").EnumerateObject().Select(property => property.Name).ShouldBe(["rss_1", "rss_2", "rss_3"]);
        run.GetProperty("extra").GetProperty("rss_3").GetInt64().ShouldBePositive();
    }

    [Fact]
    public async Task The_comparison_shows_both_and_their_ratio_in_plain_text_when_redirected()
    {
        ProgramEnd end = await Bench.RunAsync("compare", "--only", "timers", "--rounds", "1", "--n", "100");

        end.Code.ShouldBe(0, end.Errors);
        end.Output.ShouldContain("ratio");
        end.Output.ShouldNotContain("\u001b");
        string[] cells = end.Output.Split('\n').Single(line => line.StartsWith("timers random ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        cells[2..5].ShouldAllBe(cell => double.Parse(cell) > 0);
    }

    [Theory]
    [InlineData("million-pol", "million-pool, million-live, spawn-join, timeout-churn, timers, yield, cancel-tree, mutex, deadlock-check, atomic-waker, ping-pong, leak-scan, snapshot, accounting, alarm-look, meter-look, stages, compare")]
    [InlineData("", "million-pool, million-live")]
    [InlineData("yield --variant some", "'many'")]
    [InlineData("yield --peer java", "'dotnet'")]
    [InlineData("timers --n 0", "--n is a number from 1 to")]
    [InlineData("timers --n -1", "not '-1'")]
    [InlineData("timers --n 99999999999999999999", "not '99999999999999999999'")]
    [InlineData("timers --n ten", "not 'ten'")]
    [InlineData("yield --tasks 3000000000", "--tasks is a number from 1 to")]
    [InlineData("million-live --hold NaN", "--hold is a number from 0.001 to")]
    [InlineData("cancel-tree --tasks 1", "at least 2")]
    [InlineData("ping-pong --tasks 5", "'--tasks'")]
    [InlineData("spawn-join --hold 1", "'--hold'")]
    [InlineData("spawn-join --watched Somebody", "'Metrics'")]
    [InlineData("deadlock-check --peer dotnet", "no deadlocks")]
    [InlineData("stages --peer dotnet", "no stages")]
    [InlineData("scale --plot no/such/folder/plot.svg", "no folder for the plot")]
    [InlineData("latency --seconds 0", "--seconds is a number from 0.01 to")]
    [InlineData("compare --only nothing", "'nothing'")]
    public async Task A_question_that_makes_no_sense_is_refused_with_what_would(string args, string saying) =>
        (await Bench.RunAsync(args.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ShouldBeRefused(saying);

    [Fact]
    public async Task The_readme_has_a_row_for_every_work_with_all_of_its_variants()
    {
        string[] rows = await File.ReadAllLinesAsync(Path.Combine(Root(), "bench", "README.md"));
        string known = (await Bench.RunAsync("nothing")).Errors.Split("Known: ")[1].Split(", compare")[0];
        foreach (string name in known.Split(", "))
        {
            string row = rows.SingleOrDefault(row => row.StartsWith($"| `{name}` |", StringComparison.Ordinal)).ShouldNotBeNull($"{name} has no row");
            string refusal = (await Bench.RunAsync(name, "--variant", "?")).Errors.Split("Known: ")[0];
            string[] variants = [.. refusal.Split('\'').Where((_, i) => i % 2 == 1).Where(static word => word != "?")];
            variants.ShouldNotBeEmpty(refusal);
            variants.Where(variant => !row.Contains($"`{variant}`", StringComparison.Ordinal)).ShouldBeEmpty($"variants that the row of {name} does not name");
        }
    }

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Moirai.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder.ShouldNotBeNull("The tests do not run inside the repository.");
    }

    // A round trip is two operations.
    private static int Hops(string name) => name switch { "ping-pong" => 2, "alarm-look" or "meter-look" => 9, _ => 1 };

    private static string[] Hold(string name) => name == "million-live" ? ["--hold", "0.1"] : [];
}
