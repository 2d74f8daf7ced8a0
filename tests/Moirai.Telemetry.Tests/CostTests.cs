namespace Moirai.Telemetry.Tests;

/// <summary>Issue 7: nothing of it costs when nobody listens.</summary>
[Trait("Issue", "7")]
public sealed class CostTests
{
    // Fewer than a thread measures in a second.
    private const int Tasks = 500;
    private const int Rounds = 5;

    // As measured before there was telemetry: the task, its seat, its frame with the state machine, the watch over an outcome. The JIT leaves an object of 24 bytes out once it has optimized the methods.
    private static readonly double[] s_bytes = [217.3, 193.3];

    [Fact]
    public void When_nobody_listens_a_task_allocates_what_it_did_before_there_was_telemetry()
    {
        using var world = new World("cost");
        ShouldCostNothing(world);
    }

    [Fact]
    public void Twin_somebody_who_listens_is_seen_in_what_a_task_allocates_and_not_any_more_when_he_is_gone()
    {
        using var world = new World("cost");
        using (new MeterBook("cost", static instrument => instrument.Name == "moirai.task.duration"))
        {
            Twin.IsCaught(() => ShouldCostNothing(world), "bytes a task");
        }

        using (new SpanBook())
        {
            Twin.IsCaught(() => ShouldCostNothing(world), "bytes a task");
        }

        ShouldCostNothing(world);
    }

    [Fact]
    public void Who_only_reads_counts_and_levels_costs_a_task_nothing()
    {
        using var world = new World("cost");
        using var book = new MeterBook("cost", static instrument => !instrument.Name.EndsWith("duration", StringComparison.Ordinal));
        ShouldCostNothing(world);
        book.Of("moirai.task.ended").ShouldHaveSingleItem();
    }

    [Fact]
    public void A_span_is_let_go_of_with_its_task_although_the_handle_is_kept()
    {
        using var world = new World("cost");
        (ManagedTask task, WeakReference span) = RunWithSpan(world);
        for (int i = 0; i < 5 && span.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        span.IsAlive.ShouldBeFalse();
        task.State.ShouldBe(TaskState.Completed);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static (ManagedTask Task, WeakReference Span) RunWithSpan(World world)
    {
        using var spans = new SpanBook();
        ManagedTask task = world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "spanned");
        world.Run();
        return (task, new WeakReference(spans["spanned"]));
    }

    private static void ShouldCostNothing(World world)
    {
        double bytes = Allocated(world);
        s_bytes.ShouldContain(known => Math.Abs(known - bytes) < 0.5, $"{bytes} bytes a task");
    }

    // The median of some rounds: the JIT may optimize in the midst of one. A round before the first makes what is made once.
    private static double Allocated(World world)
    {
        var bytes = new double[Rounds + 1];
        for (int round = 0; round <= Rounds; round++)
        {
            OwnThread.Run(() =>
            {
                Spawn(world, 1); // makes what a thread has once
                long before = GC.GetAllocatedBytesForCurrentThread();
                Spawn(world, Tasks);
                bytes[round] = (double)(GC.GetAllocatedBytesForCurrentThread() - before) / Tasks;
            });
        }

        return bytes.Skip(1).Order().ElementAt(Rounds / 2);
    }

    private static void Spawn(World world, int tasks)
    {
        for (int i = 0; i < tasks; i++)
        {
            _ = world.Runtime.SpawnDetached(YieldAsync(), "measured");
            world.Run();
        }
    }

    private static async Future YieldAsync() => await Future.Yield();
}
