namespace Moirai.Tests.Scopes;

/// <summary>Who leaves a scope or pool in which others still live: who is canceled then, and who gets what.</summary>
public sealed class LeavingTests
{
    [Fact]
    public void C11_a_join_that_is_canceled_cancels_the_scope_which_somebody_else_has_opened_and_waits_for_its_end()
    {
        var world = new World();
        var cleanUp = new Gate();
        TaskScope scope = world.Runtime.OpenScope("nobody's");
        ManagedTask child = scope.Spawn(async _ =>
        {
            try
            {
                await Future.Delay(Timeout.InfiniteTimeSpan);
            }
            finally
            {
                using CancelShield shield = ManagedTask.Shield();
                await cleanUp.WaitAsync();
            }
        });
        ManagedTask joiner = world.Start(async _ => await scope.JoinAsync());
        joiner.Cancel("no longer");
        world.Run();
        child.CancelCause!.Reason.ShouldBe("no longer");
        joiner.IsEnded.ShouldBeFalse("the child is cleaning up");

        cleanUp.Open();
        world.Run();
        (joiner.State, child.State).ShouldBe((TaskState.Canceled, TaskState.Canceled));
        scope.IsClosed.ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void C13_a_scope_or_pool_that_a_task_of_a_pool_left_open_is_canceled_and_closed_by_the_drain(bool pool)
    {
        var world = new World();
        TaskPool outer = world.Runtime.CreatePool("outer", 1);
        ManagedTask? orphan = null;
        ManagedTask opener = TaskSlotTests.Admit(outer, async _ =>
        {
            orphan = pool
                ? TaskSlotTests.Admit(world.Runtime.CreatePool("left open", 1), NeverAsync)
                : world.Runtime.OpenScope("left open").Spawn(NeverAsync);
            await Future.Yield();
        });
        world.Run();
        opener.State.ShouldBe(TaskState.Completed);
        orphan!.State.ShouldBe(TaskState.Blocked);

        world.Run(outer.DrainAsync());
        orphan.State.ShouldBe(TaskState.Canceled);
        orphan.CancelCause!.Kind.ShouldBe(CancelKind.ScopeLeft);
        orphan.CancelCause.Source.ShouldContain("outer");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C13_a_canceled_task_that_disposes_a_pool_waits_for_its_tasks_all_the_same()
    {
        var world = new World();
        var cleanUp = new Gate();
        TaskPool pool = world.Runtime.CreatePool("left", 1);
        ManagedTask inside = TaskSlotTests.Admit(pool, async _ =>
        {
            try
            {
                await Future.Delay(Timeout.InfiniteTimeSpan);
            }
            finally
            {
                using CancelShield shield = ManagedTask.Shield();
                await cleanUp.WaitAsync();
            }
        });
        ManagedTask leaving = world.Start(async _ =>
        {
            ManagedTask.Current!.Cancel();
            await pool.DisposeAsync();
            world.Log("disposed");
        });
        inside.CancelCause!.Kind.ShouldBe(CancelKind.ScopeLeft);
        leaving.IsEnded.ShouldBeFalse("a task of the pool is cleaning up");

        cleanUp.Open();
        world.Run();
        world.Trace.ShouldBe(["disposed"]);
        pool.ActiveCount.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C11_a_body_that_has_returned_gives_its_result_although_the_rest_is_canceled_by_whomever(bool byTheBody)
    {
        var world = new World();
        TaskScope? running = null;
        ManagedTask? rest = null;
        ManagedTask<int> task = world.Spawn(async _ => await world.Runtime.RunScopeAsync("early", async scope =>
        {
            running = scope;
            rest = scope.Spawn(NeverAsync);
            await Future.Yield();
            if (byTheBody)
            {
                scope.Cancel("enough");
            }

            return 5;
        }));
        world.Run();
        if (!byTheBody)
        {
            task.State.ShouldBe(TaskState.Blocked, "it waits for the rest");
            running!.Cancel("enough").ShouldBeTrue();
            world.Run();
        }

        task.Result.ShouldBe(5);
        rest!.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C11_a_body_that_has_returned_gives_no_result_when_its_task_was_canceled_while_it_waited_for_the_rest()
    {
        var world = new World();
        ManagedTask<int> task = world.Spawn(async ct => await world.Runtime.RunScopeAsync("late", async scope =>
        {
            _ = scope.Spawn(NeverAsync);
            await Future.Yield();
            return 5;
        }));
        world.Run();
        task.Cancel().ShouldBeTrue();
        world.Run();
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    private static async Future NeverAsync(CancellationToken token) => await Future.Delay(Timeout.InfiniteTimeSpan);
}
