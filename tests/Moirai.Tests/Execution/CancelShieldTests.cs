namespace Moirai.Tests.Execution;

/// <summary>Shields: what they keep out, what they let through, and what holds again when they are down.</summary>
public sealed class CancelShieldTests
{
    [Fact]
    public void Under_a_shield_waits_go_on_and_after_it_the_next_wait_throws()
    {
        var world = new World();
        var inside = new Gate();
        ManagedTask task = world.Start(async ct =>
        {
            using (ManagedTask.Shield())
            {
                await inside.WaitAsync();
                world.Log("inside");
            }

            await Future.Yield();
            world.Log("outside");
        });
        task.Cancel();
        world.Run();
        task.State.ShouldBe(TaskState.Blocked);
        inside.Open();
        world.Run();
        world.Trace.ShouldBe(["inside"]);
        task.State.ShouldBe(TaskState.Canceled);
    }

    [Fact]
    public void Nested_shields_hold_until_the_last_is_down()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
        {
            using (ManagedTask.Shield())
            {
                using (ManagedTask.Shield())
                {
                    await Future.Yield();
                    ManagedTask.Current!.Cancel();
                    await Future.Yield();
                    world.Log("inner");
                }

                await Future.Yield();
                world.Log("outer");
            }

            await Future.Yield();
            world.Log("none");
        });
        world.Trace.ShouldBe(["inner", "outer"]);
        task.State.ShouldBe(TaskState.Canceled);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void S091_shields_disposed_in_any_order_and_twice_hold_as_long_as_one_is_up(bool outerFirst)
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
        {
            CancelShield outer = ManagedTask.Shield();
            CancelShield inner = ManagedTask.Shield();
            ManagedTask.Current!.Cancel();
            (CancelShield first, CancelShield second) = outerFirst ? (outer, inner) : (inner, outer);
            first.Dispose();
            first.Dispose();
            await Future.Yield();
            world.Log("one is up");
            second.Dispose();
            first.Dispose();
            await Future.Yield();
            world.Log("none is up");
        });
        world.Trace.ShouldBe(["one is up"]);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_shield_that_is_taken_down_out_of_order_under_a_timeout_lets_the_cancellation_in()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
        {
            CancelShield shield = ManagedTask.Shield();
            ManagedTask.Current!.Cancel("outside");
            await InsideAsync(shield).WithTimeout(TimeSpan.FromHours(1));
        });
        task.State.ShouldBe(TaskState.Canceled);
        world.Trace.ShouldBe(["shielded", "token False", "token True"]);
        world.ShouldBeEmpty();

        async Future InsideAsync(CancelShield shield)
        {
            await Future.Yield();
            world.Log("shielded");
            world.Log($"token {ManagedTask.CurrentToken.IsCancellationRequested}");
            shield.Dispose();
            world.Log($"token {ManagedTask.CurrentToken.IsCancellationRequested}");
            await Future.Yield();
            world.Log("not reached");
        }
    }

    [Fact]
    public void A_shield_that_is_never_taken_down_ends_with_its_task()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
        {
            _ = ManagedTask.Shield();
            await new Gate().WaitAsync().WithTimeout(TimeSpan.FromSeconds(1));
        });
        task.Cancel();
        world.Advance(1);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_shield_of_a_callee_ends_with_it_and_does_not_cover_the_caller()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
        {
            await CalleeAsync();
            ManagedTask.Current!.Cancel();
            await Future.Yield();
            world.Log("not reached");
        });
        task.State.ShouldBe(TaskState.Canceled);
        world.Trace.ShouldBe(["callee"]);

        async Future CalleeAsync()
        {
            using CancelShield shield = ManagedTask.Shield();
            await Future.Yield();
            world.Log("callee");
        }
    }

    [Fact]
    public void S087_a_shield_raised_after_the_cancellation_was_delivered_does_not_take_it_back()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask task = world.Start(async ct =>
        {
            try
            {
                await gate.WaitAsync();
                world.Log("not canceled");
            }
            catch (ManagedTaskCanceledException)
            {
                using CancelShield shield = ManagedTask.Shield();
                await Future.Yield();
                world.Log("shielded clean-up");
                throw;
            }
        });
        task.Cancel("first");
        task.Cancel("second");
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["shielded clean-up"]);
        task.State.ShouldBe(TaskState.Canceled);
        task.CancelCause!.Reason.ShouldBe("first");
    }

    [Fact]
    public void S087_a_slow_callback_runs_once_also_when_two_scopes_are_canceled()
    {
        var world = new World();
        int calls = 0;
        TaskScope outer = world.Runtime.OpenScope("outer");
        TaskScope? inner = null;
        _ = outer.Spawn(async ct => await world.Runtime.RunScopeAsync("inner", async scope =>
        {
            inner = scope;
            _ = scope.Spawn(async ct =>
            {
                ct.Register(() => calls++);
                await new Gate().WaitAsync();
            });
            await new Gate().WaitAsync();
        }));
        world.Run();
        inner!.Cancel();
        outer.Cancel();
        world.Run();
        calls.ShouldBe(1);
        _ = world.Start(async ct => await outer.DisposeAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_current_token_belongs_to_the_innermost_region_and_obeys_shields()
    {
        var world = new World();
        ManagedTask.CurrentToken.ShouldBe(CancellationToken.None);
        CancellationToken own = default;
        CancellationToken timed = default;
        CancellationToken shielded = default;
        CancellationToken timedInShield = default;
        ManagedTask task = world.Start(async ct =>
        {
            own = ManagedTask.CurrentToken;
            own.ShouldBe(ct);
            await TimedAsync().WithTimeout(TimeSpan.FromSeconds(1));
        });
        task.State.ShouldBe(TaskState.Blocked, task.Exception?.ToString());

        task.Cancel();
        own.IsCancellationRequested.ShouldBeTrue();
        timed.IsCancellationRequested.ShouldBeTrue();
        shielded.IsCancellationRequested.ShouldBeFalse();
        timedInShield.IsCancellationRequested.ShouldBeFalse();

        world.Advance(1);
        timedInShield.IsCancellationRequested.ShouldBeFalse();
        task.State.ShouldBe(TaskState.Blocked);
        world.Advance(1);
        timedInShield.IsCancellationRequested.ShouldBeTrue();
        shielded.IsCancellationRequested.ShouldBeFalse();
        task.IsEnded.ShouldBeTrue();
        world.ShouldBeEmpty();

        async Future TimedAsync()
        {
            timed = ManagedTask.CurrentToken;
            using CancelShield shield = ManagedTask.Shield();
            shielded = ManagedTask.CurrentToken;
            await InShieldAsync().WithTimeout(TimeSpan.FromSeconds(2));
        }

        async Future InShieldAsync()
        {
            timedInShield = ManagedTask.CurrentToken;
            await new Gate().WaitAsync();
        }
    }

    [Fact]
    public void A_token_asked_for_after_the_cancellation_is_canceled_already_and_under_a_shield_it_is_not()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
        {
            ManagedTask.Current!.Cancel();
            world.Log($"{ManagedTask.CurrentToken.IsCancellationRequested}");
            using (ManagedTask.Shield())
            {
                world.Log($"{ManagedTask.CurrentToken.IsCancellationRequested}");
                await Future.Yield();
            }
        });
        world.Trace.ShouldBe(["True", "False"]);
        task.State.ShouldBe(TaskState.Completed);
    }

    [Fact]
    public void A_token_that_nobody_had_asked_for_before_the_cancellation_is_canceled_when_it_is_asked_for_then()
    {
        var world = new World();
        CancellationToken ofTask = default;
        ManagedTask task = world.Runtime.SpawnDetached(AskAsync()); // a future, which is handed no token
        task.State.ShouldBe(TaskState.Ready);
        world.Run();
        ofTask.IsCancellationRequested.ShouldBeTrue();

        TaskScope scope = world.Runtime.OpenScope("canceled");
        scope.Cancel().ShouldBeTrue();
        scope.CancellationToken.IsCancellationRequested.ShouldBeTrue();
        world.CloseAndBeEmpty(scope);

        async Future AskAsync()
        {
            ManagedTask.Current!.Cancel();
            ofTask = ManagedTask.CurrentToken;
            await Future.Completed();
        }
    }

    [Fact]
    public void A_scope_opened_under_a_shield_runs_in_peace_although_task_and_runtime_scope_are_canceled()
    {
        var world = new World();
        var gate = new Gate();
        TaskScope around = world.Runtime.OpenScope("around");
        ManagedTask task = around.Spawn(async ct =>
        {
            using CancelShield shield = ManagedTask.Shield();
            await world.Runtime.RunScopeAsync("clean-up", async scope =>
            {
                _ = scope.Spawn(async ct =>
                {
                    await gate.WaitAsync();
                    world.Log("child");
                });
                await Future.Yield();
            });
        });
        world.Run();
        around.Cancel();
        task.Cancel();
        world.Run();
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["child"]);
        task.State.ShouldBe(TaskState.Completed);
        _ = world.Start(async ct => await around.DisposeAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Outside_managed_tasks_a_shield_does_nothing()
    {
        using CancelShield shield = ManagedTask.Shield();
        shield.Dispose();
    }
}
