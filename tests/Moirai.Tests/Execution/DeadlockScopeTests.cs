using static Moirai.Tests.Execution.DeadlockWorld;

namespace Moirai.Tests.Execution;

/// <summary>Row C8: rings that lead through the end of a scope, and what becomes of the scope.</summary>
public sealed class DeadlockScopeTests
{
    private readonly DeadlockWorld _ring = new();
    private readonly AsyncMutex _ledger = new("ledger");
    private readonly AsyncMutex _stock = new("stock");

    private TaskRuntime Runtime => _ring.World.Runtime;

    [Fact]
    public void C8_a_child_that_wants_what_is_held_by_who_waits_for_it()
    {
        ManagedTask? child = null;
        ManagedTask parent = _ring.World.Start(
            async _ =>
            {
                using (await _ledger.LockAsync())
                {
                    await Runtime.RunScopeAsync("inner", async scope =>
                    {
                        child = scope.Spawn(
                            async _ =>
                            {
                                await _ring.Go.WaitAsync();
                                (await _ledger.LockAsync()).Dispose();
                            },
                            name: "child");
                        await Future.Yield();
                    });
                }
            },
            "parent");
        _ring.Run();

        DeadlockException error = child!.Exception.ShouldBeOfType<DeadlockException>();
        parent.Exception.ShouldBe(error, "the scope throws what failed in it");
        error.Cycle.Select(static edge => (edge.TaskName, edge.WaitsFor)).ShouldBe([("child", "mutex 'ledger'"), ("parent", "the end of the tasks of 'inner'")]);
        error.Message.ShouldContain($"{child.Id} 'child' lives in a scope whose end {parent.Id} 'parent' awaits");
        ShouldBeOver(1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3_000)]
    public void C8_who_closes_the_ring_at_the_end_of_its_scope_leaves_it_when_its_tasks_have_ended(int sleepers)
    {
        ManagedTask? child = null;
        ManagedTask parent = _ring.World.Start(
            async _ =>
            {
                using (await _ledger.LockAsync())
                {
                    await Runtime.RunScopeAsync("inner", async scope =>
                    {
                        child = scope.Spawn(async _ => (await _ledger.LockAsync()).Dispose(), name: "child");
                        for (int i = 0; i < sleepers; i++)
                        {
                            Ignore(scope.Spawn(static _ => Future.Delay(TimeSpan.FromHours(1))));
                        }

                        await _ring.Go.WaitAsync();
                    });
                }
            },
            "parent");
        child!.State.ShouldBe(TaskState.Blocked);
        _ring.Run();

        DeadlockException error = parent.Exception.ShouldBeOfType<DeadlockException>();
        error.Task.ShouldBe(parent.Id);
        child.State.ShouldBe(TaskState.Canceled);
        child.CancelCause!.Error.ShouldBe(error);
        ShouldBeOver(1);
    }

    [Fact]
    public void C8_a_scope_that_has_to_wait_is_not_left_and_its_task_is_thrown_the_error()
    {
        ManagedTask? child = null;
        ManagedTask parent = _ring.World.Start(async _ =>
        {
            using (await _ledger.LockAsync())
            {
                await Runtime.RunScopeAsync("inner", async scope =>
                {
                    child = scope.Spawn(async _ =>
                    {
                        using CancelShield shield = ManagedTask.Shield();
                        (await _ledger.LockAsync()).Dispose(); // no cancellation ends this wait
                    });
                    await _ring.Go.WaitAsync();
                });
            }
        });
        _ring.Run();

        child!.Exception.ShouldBeOfType<DeadlockException>();
        parent.Exception.ShouldBeOfType<TaskScopeException>().InnerExceptions.ShouldAllBe(static error => error is DeadlockException);
        ShouldBeOver(2);
    }

    [Fact]
    public void C8_a_scope_awaited_from_inside_by_way_of_another_task()
    {
        TaskScope scope = Runtime.OpenScope("scope");
        ManagedTask? outside = null;
        ManagedTask inside = scope.Spawn(
            async _ =>
            {
                await _ring.Go.WaitAsync();
                await outside!;
            },
            name: "inside");
        outside = _ring.World.Start(async _ => await scope.JoinAsync(), "outside");
        _ring.Run();

        DeadlockException error = inside.Exception.ShouldBeOfType<DeadlockException>();
        error.Cycle.Select(static edge => edge.TaskName).ShouldBe(["inside", "outside"]);
        outside.Exception.ShouldBe(error);
        ShouldBeOver(1);
    }

    [Fact]
    public void C8_the_ring_leads_into_a_scope_and_out_of_it()
    {
        ManagedTask? child = null;
        ManagedTask owner = _ring.World.Start(
            async _ =>
            {
                using (await _ledger.LockAsync())
                {
                    await Runtime.RunScopeAsync("inner", async scope =>
                    {
                        child = scope.Spawn(
                            async _ =>
                            {
                                await Future.Yield();
                                (await _stock.LockAsync()).Dispose();
                            },
                            name: "child");
                        await Future.Yield();
                    });
                }
            },
            "owner");
        ManagedTask keeper = _ring.Spawn("keeper", Lock(_stock), Lock(_ledger));
        child!.State.ShouldBe(TaskState.Completed, "nobody had it yet");
        owner.State.ShouldBe(TaskState.Completed);
        _ring.Run();
        keeper.State.ShouldBe(TaskState.Completed);
        _ring.Told.ShouldBeEmpty();

        // Now with the lock taken before.
        var ring = new DeadlockWorld();
        ManagedTask holds = ring.Spawn("holds", Lock(_stock), Lock(_ledger));
        owner = ring.World.Start(
            async _ =>
            {
                using (await _ledger.LockAsync())
                {
                    await ring.World.Runtime.RunScopeAsync("inner", async scope =>
                    {
                        child = scope.Spawn(async _ => (await _stock.LockAsync()).Dispose(), name: "child");
                        await Future.Yield();
                    });
                }
            },
            "owner");
        (owner.State, child.State).ShouldBe((TaskState.Blocked, TaskState.Blocked));
        ring.Run();

        ring.ShouldHaveBroken(holds, owner, child).Cycle.Select(static edge => edge.TaskName).ShouldBe(["holds", "owner", "child"]);
    }

    [Fact]
    public void C8_scopes_inside_scopes()
    {
        ManagedTask? child = null;
        ManagedTask outer = _ring.World.Start(async _ =>
        {
            using (await _ledger.LockAsync())
            {
                await Runtime.RunScopeAsync("outer", async scope =>
                {
                    Ignore(scope.Spawn(async _ => await Runtime.RunScopeAsync("inner", async inner =>
                    {
                        child = inner.Spawn(async _ => (await _ledger.LockAsync()).Dispose(), name: "child");
                        await _ring.Go.WaitAsync();
                    })));
                    await Future.Yield();
                });
            }
        });
        _ring.Run();

        outer.State.ShouldBe(TaskState.Failed);
        _ring.Told[0].Cycle.Select(static edge => edge.WaitsFor).ShouldBe(["the end of the tasks of 'inner'", "mutex 'ledger'", "the end of the tasks of 'outer'"]);
        child!.State.ShouldBe(TaskState.Canceled);
        ShouldBeOver(1);
    }

    [Fact]
    public void C8_twin_without_the_detector_the_scope_never_ends()
    {
        var blind = new DeadlockWorld(DeadlockPolicy.Off);
        ManagedTask parent = blind.World.Start(async _ =>
        {
            using (await _ledger.LockAsync())
            {
                await blind.World.Runtime.RunScopeAsync("inner", async scope =>
                {
                    Ignore(scope.Spawn(async _ => (await _ledger.LockAsync()).Dispose()));
                    await Future.Yield();
                });
            }
        });
        parent.State.ShouldBe(TaskState.Blocked);
        blind.World.Executor.ReadyCount.ShouldBe(0, "stalled");
        parent.Cancel();
        blind.World.ShouldBeEmpty();
    }

    [Fact]
    public void C8_a_scope_whose_tasks_want_nothing_of_who_waits_is_no_ring()
    {
        ManagedTask parent = _ring.World.Start(async _ =>
        {
            using (await _ledger.LockAsync())
            {
                await Runtime.RunScopeAsync("inner", async scope =>
                {
                    for (int i = 0; i < 5; i++)
                    {
                        Ignore(scope.Spawn(async _ =>
                        {
                            using (await _stock.LockAsync())
                            {
                                await Future.Yield();
                            }
                        }));
                    }

                    await Future.Yield();
                });
            }
        });
        _ring.World.Start(async _ => (await _ledger.LockAsync()).Dispose());
        parent.State.ShouldBe(TaskState.Completed);
        ShouldBeOver(0);
    }

    // A discard inside a lambda with a parameter of that name would assign the parameter.
    private static void Ignore(ManagedTask task) => task.IsEnded.ShouldBeFalse();

    private void ShouldBeOver(int told)
    {
        _ring.World.ShouldBeEmpty();
        _ring.Told.Length.ShouldBe(told);
        _ring.World.Census.Deadlocks.ShouldBe(told);
        _ledger.IsLocked.ShouldBeFalse();
        _ledger.IsClosed.ShouldBeFalse();
        _stock.IsLocked.ShouldBeFalse();
    }
}
