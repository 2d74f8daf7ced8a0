namespace Moirai.Tests.Execution;

/// <summary>How cancellation reaches a task, what it leaves alone, and what it says.</summary>
public sealed class CancellationTests
{
    [Fact]
    public void A_cause_says_who_why_and_when()
    {
        var world = new World();
        world.Advance(5);
        var gate = new Gate();
        ManagedTask task = world.Start(async ct => await gate.WaitAsync(), "victim");
        task.CancelCause.ShouldBeNull();
        ManagedTask canceler = world.Start(async ct =>
        {
            task.Cancel("no longer wanted").ShouldBeTrue();
            await Future.Yield();
        });
        CancelCause cause = task.CancelCause!;
        cause.Kind.ShouldBe(CancelKind.Requested);
        cause.Source.ShouldBe($"{canceler.Id} 'task'");
        cause.Reason.ShouldBe("no longer wanted");
        cause.At.ShouldBe(world.Time.GetUtcNow());
        task.State.ShouldBe(TaskState.Canceled);

        ManagedTask awaiting = world.Start(async ct => await task);
        var error = awaiting.Exception.ShouldBeOfType<ManagedTaskCanceledException>();
        error.Task.ShouldBe(task.Id);
        error.Cause.ShouldBeSameAs(cause);
        error.Message.ShouldContain("'victim'");
        error.Message.ShouldContain("no longer wanted");
    }

    [Fact]
    public void The_first_cause_wins_and_later_ones_are_refused()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        var clean = new Gate();
        ManagedTask first = scope.Spawn(async ct => await WaitAndCleanAsync(new Gate(), clean));
        ManagedTask second = scope.Spawn(async ct => await WaitAndCleanAsync(new Gate(), clean));
        world.Run();
        first.Cancel("alone").ShouldBeTrue();
        scope.Cancel("all").ShouldBeTrue();
        scope.Cancel("again").ShouldBeFalse();
        first.Cancel("again").ShouldBeFalse();
        second.Cancel("again").ShouldBeFalse();
        clean.Open();
        world.Run();
        first.CancelCause!.Reason.ShouldBe("alone");
        second.CancelCause!.Reason.ShouldBe("all");
        second.CancelCause.ShouldBeSameAs(scope.CancelCause);
        first.Cancel("late").ShouldBeFalse();
        first.CancelCause.Reason.ShouldBe("alone");
    }

    [Fact]
    public void S081_cancellation_is_level_triggered_every_later_wait_throws_again()
    {
        var world = new World();
        int thrown = 0;
        ManagedTask task = world.Start(async ct =>
        {
            Func<Future>[] waits =
            [
                static () => new Gate().WaitAsync(),
                static () => Future.Delay(TimeSpan.FromHours(1)),
                static async () => await Future.Yield(),
                () => ManagedTask.Current!.Engine.Root.Live > 0 ? new Gate().WaitAsync() : Future.Completed(),
                static () => new TaskCompletionSource().Task.WithTimeout(TimeSpan.FromHours(1)),
            ];
            foreach (Func<Future> wait in waits)
            {
                try
                {
                    await wait();
                }
                catch (ManagedTaskCanceledException)
                {
                    thrown++;
                }
            }
        });
        task.Cancel();
        world.Run();
        thrown.ShouldBe(5);
        task.State.ShouldBe(TaskState.Completed); // it swallowed them all and returned: its result counts
        task.CancelCause.ShouldNotBeNull();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S103_a_wake_that_came_before_the_cancellation_wins_its_wait_and_the_next_wait_throws()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask task = world.Start(async ct =>
        {
            try
            {
                await gate.WaitAsync();
                world.Log("has it");
                await Future.Yield();
                world.Log("went on");
            }
            finally
            {
                world.Log("finally");
            }
        });
        gate.Open();
        task.State.ShouldBe(TaskState.Ready);
        task.Cancel();
        world.Run();
        world.Trace.ShouldBe(["has it", "finally"]);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S103_a_slot_that_was_handed_over_to_a_canceled_spawner_is_used_or_given_back_and_never_lost()
    {
        var world = new World();
        var slots = new TaskSlotManager(1);
        slots.TryAcquire(out SlotLease? first).ShouldBeTrue();
        ManagedTask task = world.Start(async ct =>
        {
            using SlotLease lease = await slots.AcquireAsync();
            await Future.Yield();
        });
        first.Dispose();
        slots.InUse.ShouldBe(1); // handed over, never free in between
        task.Cancel();
        world.Run();
        task.State.ShouldBe(TaskState.Canceled);
        slots.InUse.ShouldBe(0);
    }

    [Fact]
    public void A_foreign_await_ends_by_the_token_and_the_task_is_canceled()
    {
        var world = new World();
        ManagedTask byParameter = world.Start(static async ct => await ForeignAsync(ct));
        ManagedTask byAmbient = world.Start(static async ct => await ForeignAsync(ManagedTask.CurrentToken));
        ManagedTask byTask = world.Runtime.SpawnDetached(ForeignAsync);
        world.Run();
        byParameter.State.ShouldBe(TaskState.Blocked);
        byParameter.Cancel();
        byAmbient.Cancel();
        byTask.Cancel();
        world.Run();
        byParameter.State.ShouldBe(TaskState.Canceled);
        byAmbient.State.ShouldBe(TaskState.Canceled);
        byTask.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_foreign_cancellation_without_one_of_its_own_is_a_failure()
    {
        var world = new World();
        var error = new OperationCanceledException("elsewhere");
        ManagedTask task = world.Start(_ => Future.FromException(error));
        task.State.ShouldBe(TaskState.Failed);
        task.Exception.ShouldBeSameAs(error);
        task.CancelCause.ShouldBeNull();
    }

    [Fact]
    public void Awaiting_a_canceled_child_from_a_parent_that_is_not_canceled_is_a_failure_of_the_parent()
    {
        var world = new World();
        ManagedTask? child = null;
        ManagedTask parent = world.Start(async ct => await world.Runtime.RunScopeAsync("scope", async scope =>
        {
            child = scope.Spawn(async ct => await new Gate().WaitAsync());
            await child;
        }));
        child!.Cancel("just the child");
        world.Run();
        child.State.ShouldBe(TaskState.Canceled);
        parent.State.ShouldBe(TaskState.Failed);
        parent.Exception.ShouldBeOfType<ManagedTaskCanceledException>().Cause.Reason.ShouldBe("just the child");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_canceled_child_that_nobody_awaits_leaves_scope_and_siblings_alone()
    {
        var world = new World();
        ManagedTask? child = null;
        ManagedTask parent = world.Start(async ct => await world.Runtime.RunScopeAsync("scope", async scope =>
        {
            child = scope.Spawn(async ct => await new Gate().WaitAsync());
            await Future.Delay(TimeSpan.FromSeconds(1));
        }));
        child!.Cancel();
        world.Run();
        world.Advance(1);
        parent.State.ShouldBe(TaskState.Completed);
        world.Events.ShouldBeEmpty();
    }

    [Fact]
    public void Cancel_of_a_task_with_open_scopes_inside_cancels_them_all_with_the_same_cause()
    {
        var world = new World();
        List<ManagedTask> inside = [];
        ManagedTask task = world.Start(async ct =>
        {
            await using TaskScope one = world.Runtime.OpenScope("one");
            await using TaskScope two = world.Runtime.OpenScope("two");
            inside.Add(one.Spawn(async ct => await new Gate().WaitAsync()));
            inside.Add(two.Spawn(async ct => await world.Runtime.RunScopeAsync("three", async three =>
            {
                inside.Add(three.Spawn(async ct => await new Gate().WaitAsync()));
                await new Gate().WaitAsync();
            })));
            await new Gate().WaitAsync();
        });
        inside.Count.ShouldBe(3);
        task.Cancel("the whole");
        world.Run();
        task.State.ShouldBe(TaskState.Canceled);
        inside.ShouldAllBe(t => t.State == TaskState.Canceled && t.CancelCause!.Reason == "the whole");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S089_grandchildren_are_canceled_through_the_root_also_when_the_middle_has_ended()
    {
        var world = new World();
        ManagedTask? grandchild = null;
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("root", async root =>
        {
            _ = root.Spawn(async ct =>
            {
                grandchild = root.Spawn(async ct => await new Gate().WaitAsync());
                await Future.Yield();
            });
            await new Gate().WaitAsync();
        }));
        task.Cancel();
        world.Run();
        grandchild!.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(10_000, 1)]
    [InlineData(100, 100)]
    [InlineData(1, 1_000)]
    public void Cancel_of_a_large_tree_ends_every_task_in_it(int width, int depth)
    {
        var world = new World();
        ManagedTask root = world.Start(async ct => await world.Runtime.RunScopeAsync("tree", async scope =>
        {
            for (int i = 0; i < width; i++)
            {
                _ = scope.Spawn(async ct => await GrowAsync(world, depth - 1));
            }

            await new Gate().WaitAsync();
        }));
        world.Runtime.TakeCensus().Live.ShouldBe(1 + ((long)width * depth));
        root.Cancel();
        world.Run();
        root.State.ShouldBe(TaskState.Canceled);
        world.Runtime.TakeCensus().Canceled.ShouldBe(1 + ((long)width * depth));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_callback_on_the_token_that_throws_is_told_and_harms_nobody()
    {
        var world = new World();
        ManagedTask task = world.Start(static async ct =>
        {
            ct.Register(static () => throw new ArithmeticException("callback"));
            await new Gate().WaitAsync();
        });
        task.Cancel().ShouldBeTrue();
        world.Run();
        task.State.ShouldBe(TaskState.Canceled);
        RuntimeEvent told = world.Events.ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.CancelCallbackFailed);
        told.Message.ShouldContain("callback");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_callback_that_throws_does_not_break_a_spawn_into_a_canceled_scope_or_pool()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        ManagedTask keep = scope.Spawn(static async ct => await WaitAndCleanAsync(new Gate(), new Gate()));
        world.Run();
        scope.Cancel();
        ManagedTask task = scope.Spawn(static Future (ct) =>
        {
            ct.Register(static () => throw new ArithmeticException("callback"));
            return Future.Completed();
        });
        task.State.ShouldBe(TaskState.Canceled);
        world.Events.ShouldHaveSingleItem().Kind.ShouldBe(RuntimeEventKind.CancelCallbackFailed);
        world.Runtime.TakeCensus().Live.ShouldBe(1);
        keep.IsEnded.ShouldBeFalse();
    }

    private static async Future GrowAsync(World world, int depth)
    {
        if (depth == 0)
        {
            await new Gate().WaitAsync();
            return;
        }

        await world.Runtime.RunScopeAsync("branch", async scope =>
        {
            _ = scope.Spawn(async ct => await GrowAsync(world, depth - 1));
            await new Gate().WaitAsync();
        });
    }

    private static async Future WaitAndCleanAsync(Gate gate, Gate cleaned)
    {
        try
        {
            await gate.WaitAsync();
        }
        finally
        {
            using CancelShield shield = ManagedTask.Shield();
            await cleaned.WaitAsync();
        }
    }

    private static async Task ForeignAsync(CancellationToken token)
    {
        var never = new TaskCompletionSource();
        await using CancellationTokenRegistration end = token.UnsafeRegister(_ => never.SetCanceled(token), null);
        await never.Task.ConfigureAwait(false);
    }
}
