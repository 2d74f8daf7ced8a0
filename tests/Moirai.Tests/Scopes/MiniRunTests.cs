namespace Moirai.Tests.Scopes;

/// <summary>The million-task run in small, and again and again.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class MiniRunTests
{
    private const int Tasks = 10_000;
    private const int Limit = 1_000;

    // A run keeps about a hundred bytes at most; a leaked task costs twice that, ten runs leak 100,000 of them.
    private const long Bound = 2_000_000;

    [Fact]
    public void C14_ten_thousand_tasks_through_a_thousand_slots_leave_an_exact_census_and_nothing_else()
    {
        var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "mini" });
        TaskPool pool = RunOnce(runtime, keep: null);
        Census census = runtime.TakeCensus();
        census.IsEmpty.ShouldBeTrue(census.ToString());
        (census.OpenScopes, pool.Counts.Created, pool.Counts.Completed).ShouldBe((0, Tasks, Tasks));
        census.Created.ShouldBe(Tasks + 2, "the tasks, who spawned them, and who waited for the drain");
        census.Completed.ShouldBe(census.Created);
    }

    [Fact]
    public void C14_memory_stays_flat_over_ten_runs() => StaysFlat(keep: null);

    [Fact]
    public void C14_twin_a_run_that_keeps_its_handles_is_caught() => Should.Throw<ShouldAssertException>(() => StaysFlat(keep: []));

    private static void StaysFlat(List<ManagedTask>? keep)
    {
        var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "mini" });
        RunOnce(runtime, keep: null);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int run = 0; run < 10; run++)
        {
            RunOnce(runtime, keep);
        }

        long grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        GC.KeepAlive(keep);
        grown.ShouldBeLessThan(Bound);
        runtime.TakeCensus().IsEmpty.ShouldBeTrue();
    }

    private static TaskPool RunOnce(TaskRuntime runtime, List<ManagedTask>? keep)
    {
        TaskPool pool = runtime.CreatePool("mini", Limit);
        runtime.Run(SpawnAllAsync(pool, keep));
        runtime.Run(pool.DrainAsync());
        return pool;
    }

    private static async Future SpawnAllAsync(TaskPool pool, List<ManagedTask>? keep)
    {
        for (int i = 0; i < Tasks; i++)
        {
            ManagedTask task = await pool.SpawnAsync(static async _ => await Future.Delay(TimeSpan.FromMilliseconds(1)));
            pool.ActiveCount.ShouldBeLessThanOrEqualTo(Limit);
            keep?.Add(task);
        }
    }
}
