namespace Moirai.Telemetry.Tests;

/// <summary>Issue 7: nothing of it costs when nobody listens.</summary>
[Trait("Issue", "7")]
public sealed class CostTests
{
    private const int Tasks = 10_000;

    // The task 80, its frame with the state machine 104, and what its execution context and its seat come to.
    private const double BytesPerTask = 0;

    [Fact]
    public void When_nobody_listens_a_task_allocates_what_it_did_before_there_was_telemetry()
    {
        using var world = new World("cost");
        Allocated(world).ShouldBe(BytesPerTask, 1.0);
    }

    [Fact]
    public void Twin_somebody_who_listens_is_seen_in_what_a_task_allocates_and_is_gone_when_he_goes()
    {
        using var world = new World("cost");
        double before = Allocated(world);
        using (new MeterBook("cost", static instrument => instrument.Name == "moirai.task.duration"))
        {
            Twin.IsCaught(() => Allocated(world).ShouldBe(before, 1.0), "should be within");
        }

        using (new SpanBook())
        {
            Twin.IsCaught(() => Allocated(world).ShouldBe(before, 1.0), "should be within");
        }

        Allocated(world).ShouldBe(before, 1.0);
    }

    [Fact]
    public void Who_only_reads_counts_and_levels_costs_a_task_nothing()
    {
        using var world = new World("cost");
        double before = Allocated(world);
        using var book = new MeterBook("cost", static instrument => !instrument.Name.EndsWith("duration", StringComparison.Ordinal));
        Allocated(world).ShouldBe(before, 1.0);
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

    // Twice, so that what is made once is there.
    private static double Allocated(World world)
    {
        Spawn(world);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Spawn(world);
        return (double)(GC.GetAllocatedBytesForCurrentThread() - before) / Tasks;
    }

    private static void Spawn(World world)
    {
        for (int i = 0; i < Tasks; i++)
        {
            _ = world.Runtime.SpawnDetached(YieldAsync(), "measured");
            world.Run();
        }
    }

    private static async Future YieldAsync() => await Future.Yield();
}
