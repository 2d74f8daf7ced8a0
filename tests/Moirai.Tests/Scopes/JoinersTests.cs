namespace Moirai.Tests.Scopes;

/// <summary>Several who wait for the same tasks to end, some of whom give up.</summary>
public sealed class JoinersTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void C13_whoever_gives_up_waiting_for_a_pool_leaves_the_others_waiting_and_none_is_forgotten(int leaves)
    {
        var world = new World();
        var gate = new Gate();
        TaskPool pool = world.Runtime.CreatePool("drained by three", 1); // one page, never full: nobody but the waiting asks whether it is empty
        _ = TaskSlotTests.Admit(pool, async _ => await gate.WaitAsync());
        ManagedTask[] drains = [.. Enumerable.Range(0, 3).Select(_ => world.Start(async _ => await pool.DrainAsync()))];
        world.Census.Waiters.ShouldBe(3);

        drains[leaves].Cancel();
        world.Run();
        drains[leaves].State.ShouldBe(TaskState.Canceled);
        world.Census.Waiters.ShouldBe(2);

        gate.Open();
        world.Run();
        drains.Where((_, i) => i != leaves).ShouldAllBe(static drain => drain.State == TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(new[] { 0 })]
    [InlineData(new[] { 1 })]
    [InlineData(new[] { 3 })]
    [InlineData(new[] { 0, 1 })]
    [InlineData(new[] { 3, 0 })]
    [InlineData(new[] { 2, 1, 0, 3 })]
    public void C11_whoever_gives_up_awaiting_a_task_leaves_the_others_waiting_in_their_order(int[] leave)
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask awaited = world.Start(async _ => await gate.WaitAsync());
        ManagedTask[] joiners = [.. Enumerable.Range(0, 4).Select(i => world.Start(async _ =>
        {
            await awaited;
            world.Log($"{i}");
        }))];
        foreach (int leaves in leave)
        {
            joiners[leaves].Cancel().ShouldBeTrue();
            world.Run();
            joiners[leaves].State.ShouldBe(TaskState.Canceled);
        }

        gate.Open();
        world.Run();
        world.Trace.ShouldBe(Enumerable.Range(0, 4).Except(leave).Select(static i => $"{i}"));
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void C11_a_scope_or_pool_that_a_canceled_task_opens_is_canceled_from_the_start(bool shielded)
    {
        var world = new World();
        ManagedTask? child = null;
        ManagedTask? grandchild = null;
        ManagedTask opener = world.Start(async _ =>
        {
            ManagedTask.Current!.Cancel("too late for more");
            using CancelShield? shield = shielded ? ManagedTask.Shield() : null;
            TaskScope scope = world.Runtime.OpenScope("late");
            child = scope.Spawn(static async _ => await Future.Yield());
            TaskPool pool = world.Runtime.CreatePool("late too", 1);
            grandchild = TaskSlotTests.Admit(pool, static async _ => await Future.Yield());
            using CancelShield leaving = ManagedTask.Shield();
            await scope.DisposeAsync();
            await pool.DrainAsync();
        });

        // Under a shield it is clean-up, and runs in peace.
        TaskState end = shielded ? TaskState.Completed : TaskState.Canceled;
        opener.State.ShouldBe(TaskState.Completed);
        grandchild!.State.ShouldBe(end);
        if (!shielded)
        {
            child!.CancelCause!.Reason.ShouldBe("too late for more");
            grandchild.CancelCause!.Reason.ShouldBe("too late for more");
        }

        world.ShouldBeEmpty();
    }
}
