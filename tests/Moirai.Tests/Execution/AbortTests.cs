using System.Runtime.CompilerServices;

namespace Moirai.Tests.Execution;

/// <summary>The lines S055 to S071: cancellation at every state of a task, on one thread. The races are in CancelRaceTests.</summary>
public sealed class AbortTests
{
    [Theory]
    [InlineData("value")]
    [InlineData("failure")]
    [InlineData("canceled")]
    public void S055_cancel_after_the_end_keeps_the_outcome(string way)
    {
        var world = new World();
        ManagedTask<int> task = world.Spawn(async ct =>
        {
            await Future.Yield();
            if (way == "canceled")
            {
                ManagedTask.Current!.Cancel("first");
                await Future.Yield();
            }

            return way == "value" ? 3 : throw new ArithmeticException();
        });
        world.Run();
        TaskState state = task.State;
        task.Cancel("late").ShouldBeFalse();
        world.Run();
        task.State.ShouldBe(state);
        task.CancelCause?.Reason.ShouldBe("first");
        if (way == "value")
        {
            task.Result.ShouldBe(3);
            task.CancelCause.ShouldBeNull();
        }

        world.ShouldBeEmpty();
    }

    [Fact]
    public void S057_cancel_before_the_first_run_never_enters_the_body_and_lets_go_of_what_it_captured()
    {
        var world = new World();
        (ManagedTask task, WeakReference captured) = SpawnAndCancel(world);
        task.State.ShouldBe(TaskState.Ready);
        world.Run();
        task.State.ShouldBe(TaskState.Canceled);
        world.Trace.ShouldBeEmpty();
        Collect();
        captured.IsAlive.ShouldBeFalse();
        GC.KeepAlive(task);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S057_twin_captured_state_that_somebody_keeps_is_seen_as_alive()
    {
        var world = new World();
        List<object> kept = [];
        (ManagedTask task, WeakReference captured) = SpawnAndCancel(world, kept);
        world.Run();
        Collect();
        captured.IsAlive.ShouldBeTrue();
        GC.KeepAlive(task);
        GC.KeepAlive(kept);
    }

    [Fact]
    public void S009_S057_a_task_spawned_into_a_canceled_scope_is_canceled_from_the_start_and_holds_no_slot()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        _ = scope.Spawn(async ct =>
        {
            using CancelShield shield = ManagedTask.Shield();
            await new Gate().WaitAsync();
        });
        world.Run();
        scope.Cancel("over");
        ManagedTask task = scope.Spawn(async ct =>
        {
            world.Log("entered");
            await Future.Yield();
        });
        task.State.ShouldBe(TaskState.Canceled); // at once, without a step
        task.CancelCause!.Reason.ShouldBe("over");
        world.Run();
        world.Trace.ShouldBeEmpty();
        Census census = world.Runtime.TakeCensus();
        census.IsBalanced.ShouldBeTrue();
        census.Live.ShouldBe(1);
    }

    [Fact]
    public void S059_a_canceled_task_never_has_a_result_and_a_completed_one_was_not_canceled()
    {
        var world = new World();
        ManagedTask<int> swallows = world.Spawn(async ct =>
        {
            try
            {
                await new Gate().WaitAsync();
            }
            catch (OperationCanceledException)
            {
                // goes on
            }

            return 1;
        });
        ManagedTask<int> obeys = world.Spawn(async ct =>
        {
            await new Gate().WaitAsync();
            return 2;
        });
        world.Run();
        swallows.Cancel();
        obeys.Cancel();
        world.Run();
        swallows.State.ShouldBe(TaskState.Completed);
        swallows.Result.ShouldBe(1);
        obeys.State.ShouldBe(TaskState.Canceled);
        Should.Throw<ManagedTaskCanceledException>(() => obeys.Result);
        obeys.Exception.ShouldBeNull();
    }

    [Fact]
    public void S061_cancel_from_another_thread_runs_the_clean_up_on_the_executors_thread()
    {
        var world = new World();
        int cleanedOn = 0;
        ManagedTask task = world.Start(async ct =>
        {
            try
            {
                await new Gate().WaitAsync();
            }
            finally
            {
                cleanedOn = Environment.CurrentManagedThreadId;
            }
        });
        var thread = new Thread(() => task.Cancel());
        thread.Start();
        thread.Join();
        cleanedOn.ShouldBe(0);
        task.State.ShouldBe(TaskState.Ready);
        world.Run();
        cleanedOn.ShouldBe(Environment.CurrentManagedThreadId);
        task.State.ShouldBe(TaskState.Canceled);
    }

    [Fact]
    public void S063_a_result_that_nobody_takes_is_not_disposed_by_the_runtime_and_throws_at_nobody()
    {
        var world = new World();
        var result = new Explosive();
        ManagedTask<Explosive> task = world.Spawn(async ct =>
        {
            await Future.Yield();
            return result;
        });
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        result.Disposed.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S065_errors_of_a_join_tell_task_and_message_and_whether_it_failed_or_was_canceled()
    {
        var world = new World();
        ManagedTask canceled = world.Start(async ct => await new Gate().WaitAsync(), "canceled one");
        canceled.Cancel("enough");
        ManagedTask failed = world.Start(static ct => Future.FromException(new ArithmeticException("broken")), "failed one");

        ManagedTask joinsCanceled = world.Start(async ct => await canceled);
        ManagedTask joinsFailed = world.Start(async ct => await failed);
        var error = joinsCanceled.Exception.ShouldBeOfType<ManagedTaskCanceledException>();
        error.Message.ShouldContain($"{canceled.Id} 'canceled one'");
        error.Message.ShouldContain("enough");
        joinsFailed.Exception.ShouldBeSameAs(failed.Exception);
        failed.Exception!.Message.ShouldBe("broken");

        ManagedTask unseen = world.Start(static ct => Future.FromException(new ArithmeticException("broken")), "unseen one");
        world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero).IsCompletedSuccessfully.ShouldBeTrue();
        RuntimeEvent told = world.Events.ShouldHaveSingleItem();
        told.Message.ShouldContain($"{unseen.Id} 'unseen one'");
        told.Message.ShouldContain("broken");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void S069_a_wake_and_a_cancel_during_one_run_end_the_task_once(bool wakeFirst)
    {
        var world = new World();
        int ends = 0;
        ManagedTask task = world.Start(async ct =>
        {
            var gate = new Gate();
            ManagedTask self = ManagedTask.Current!;
            try
            {
                if (wakeFirst)
                {
                    gate.Open();
                    self.Cancel();
                }
                else
                {
                    self.Cancel();
                    gate.Open();
                }

                await gate.WaitAsync(); // open already: no wait
                world.Log("past the gate");
                await new Gate().WaitAsync();
                world.Log("not reached");
            }
            finally
            {
                ends++;
            }
        });
        ends.ShouldBe(1);
        world.Trace.ShouldBe(["past the gate"]);
        task.State.ShouldBe(TaskState.Canceled);
        world.Executor.ReadyCount.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Cancel_works_in_every_state_and_says_whether_it_was_the_first()
    {
        var world = new World();
        ManagedTask ready = world.Spawn(async ct => await Future.Yield());
        ready.State.ShouldBe(TaskState.Ready);
        ready.Cancel().ShouldBeTrue();
        ready.Cancel().ShouldBeFalse();

        var gate = new Gate();
        ManagedTask blocked = world.Start(async ct => await gate.WaitAsync());
        blocked.State.ShouldBe(TaskState.Blocked);
        blocked.Cancel().ShouldBeTrue();
        blocked.State.ShouldBe(TaskState.Ready);
        blocked.Cancel().ShouldBeFalse();

        TaskState seen = default;
        bool first = false;
        ManagedTask running = world.Start(async ct =>
        {
            seen = ManagedTask.Current!.State;
            first = ManagedTask.Current.Cancel();
            await Future.Yield();
        });
        seen.ShouldBe(TaskState.Running);
        first.ShouldBeTrue();
        foreach (ManagedTask task in new[] { ready, blocked, running })
        {
            task.State.ShouldBe(TaskState.Canceled);
            task.Cancel().ShouldBeFalse();
        }

        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_body_that_throws_before_its_first_await_fails_its_task()
    {
        var world = new World();
        ManagedTask direct = world.Runtime.SpawnDetached(static Future (ct) => throw new ArithmeticException());
        ManagedTask task = world.Runtime.SpawnDetached(static Task (ct) => throw new ArithmeticException());
        world.Run();
        direct.Exception.ShouldBeOfType<ArithmeticException>();
        task.Exception.ShouldBeOfType<ArithmeticException>();
        world.ShouldBeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask Task, WeakReference Captured) SpawnAndCancel(World world, List<object>? keep = null)
    {
        var captured = new object();
        keep?.Add(captured);
        ManagedTask task = world.Runtime.SpawnDetached((world, captured), static async (state, ct) =>
        {
            state.world.Log($"entered with {state.captured}");
            await Future.Yield();
        });
        task.Cancel().ShouldBeTrue();
        return (task, new WeakReference(captured));
    }

    private static void Collect()
    {
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private sealed class Explosive : IDisposable
    {
        public int Disposed { get; private set; }

        public void Dispose()
        {
            Disposed++;
            throw new InvalidOperationException("disposed");
        }
    }
}
