using System.Runtime.CompilerServices;

namespace Moirai.Tests.Results;

/// <summary>Foreign tasks that are given up and go on: listed by name until they end, or until the collector proves that nobody can end them; and waited for in vain any number of times without growing.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class AbandonedWaitTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void C6_a_Task_that_times_out_is_listed_by_name_until_it_ends()
    {
        var world = new World();
        var answer = new TaskCompletionSource<int>();
        TaskScope scope = world.Runtime.OpenScope("calls");
        ManagedTask task = scope.Spawn(async ct => await answer.Task.WithTimeout(Second), name: "caller");
        world.Run();
        world.Census.AbandonedWaits.ShouldBe(0);
        world.Advance(1);

        TaskTimeoutException error = task.Exception.ShouldBeOfType<TaskTimeoutException>();
        error.Operation.ShouldBe($"answer.Task in {task.Title}");
        error.WaitingFor.ShouldBe("a foreign task (answer.Task)");
        world.Census.AbandonedWaits.ShouldBe(1);
        world.Census.ToString().ShouldContain("abandoned 0 (and 1 foreign)");
        AbandonedOperation given = world.Runtime.ListAbandoned().ShouldHaveSingleItem();
        given.Name.ShouldBe("abandoned: answer.Task");
        given.Scope.ShouldBe("calls");
        given.WaitingFor.ShouldContain($"given up by {task.Title}");
        given.Task.ShouldBe(default);

        answer.SetResult(1);
        world.Census.AbandonedWaits.ShouldBe(0);
        world.Runtime.ListAbandoned().ShouldBeEmpty();
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C6_the_late_failure_of_a_Task_that_was_given_up_is_told()
    {
        var world = new World();
        var answer = new TaskCompletionSource();
        ManagedTask task = world.Start(async ct => await answer.Task.WithTimeout(Second), "caller");
        world.Advance(1);
        var late = new ArithmeticException("late");
        answer.SetException(late);
        RuntimeEvent told = world.Events.Single(what => what.Kind == RuntimeEventKind.UnobservedFailure && ReferenceEquals(what.Error, late));
        told.Message.ShouldContain("answer.Task");
        told.Message.ShouldContain(task.Title);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_canceled_wait_leaves_no_timer_entry_at_once_and_the_Task_listed()
    {
        var world = new World();
        var answer = new TaskCompletionSource();
        ManagedTask task = world.Start(async ct => await answer.Task.WithTimeout(Second));
        world.Timers.ShouldBe(1);
        task.Cancel();
        world.Timers.ShouldBe(0);
        world.Run();
        task.State.ShouldBe(TaskState.Canceled);
        world.Census.AbandonedWaits.ShouldBe(1);
        answer.SetResult();
        world.Census.AbandonedWaits.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_a_Task_that_has_ended_when_the_waiter_looks_keeps_its_value_whoever_woke_it()
    {
        var world = new World();
        var answer = new TaskCompletionSource<int>();
        ManagedTask<int> task = world.Spawn(async ct => await answer.Task.WithTimeout(Second));
        world.Run();
        world.Time.Advance(Second);
        answer.SetResult(9);
        world.Run();
        task.Result.ShouldBe(9);
        world.Census.AbandonedWaits.ShouldBe(0);
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public void S105_without_time_a_pending_Task_is_given_up_at_once_and_one_that_has_ended_is_not(double seconds)
    {
        var world = new World();
        var answer = new TaskCompletionSource<int>();
        ManagedTask<int> none = world.Spawn(async ct => await answer.Task.WithTimeout(TimeSpan.FromSeconds(seconds)));
        ManagedTask<int> again = world.Spawn(async ct => await answer.Task.WithTimeout(TimeSpan.FromSeconds(seconds)));
        ManagedTask<int> ended = world.Spawn(async ct => await Task.FromResult(4).WithTimeout(TimeSpan.FromSeconds(seconds)));
        world.Run();
        none.Exception.ShouldBeOfType<TaskTimeoutException>();
        again.Exception.ShouldBeOfType<TaskTimeoutException>();
        ended.Result.ShouldBe(4);
        world.Census.AbandonedWaits.ShouldBe(1);
        answer.SetResult(1);
        world.Census.AbandonedWaits.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_later_waits_on_a_Task_that_was_given_up_get_its_value_time_out_and_are_canceled_like_the_first()
    {
        var world = new World();
        var answer = new TaskCompletionSource<int>();
        ManagedTask<int> first = world.Spawn(async ct => await answer.Task.WithTimeout(Second));
        world.Run();
        world.Advance(1);
        ManagedTask<int> late = world.Spawn(async ct => await answer.Task.WithTimeout(Second));
        ManagedTask<int> canceled = world.Spawn(async ct => await answer.Task.WithTimeout(10 * Second));
        ManagedTask<int>[] served = [.. Enumerable.Range(0, 3).Select(_ => world.Spawn(async ct => await answer.Task.WithTimeout(10 * Second)))];
        world.Run();
        world.Timers.ShouldBe(5);
        world.Advance(1);
        canceled.Cancel();
        world.Run();
        world.Timers.ShouldBe(3);
        world.Census.AbandonedWaits.ShouldBe(1); // one Task, one entry
        answer.SetResult(8);
        world.Timers.ShouldBe(0);
        world.Run();

        first.Exception.ShouldBeOfType<TaskTimeoutException>();
        late.Exception.ShouldBeOfType<TaskTimeoutException>();
        canceled.State.ShouldBe(TaskState.Canceled);
        served.Select(task => task.Result).ShouldBe([8, 8, 8]);
        world.Census.AbandonedWaits.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S169_a_long_lived_Task_that_is_waited_for_in_vain_any_number_of_times_retains_nothing() =>
        WaitsInVain(200, static (task, frame) => { });

    [Fact]
    public void S169_twin_a_continuation_that_stays_for_each_wait_is_caught() => Should.Throw<ShouldAssertException>(() =>
        WaitsInVain(200, static (task, tracked) => task.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(() => GC.KeepAlive(tracked))));

    [Fact]
    public void B3_a_foreign_Task_that_lives_on_keeps_neither_the_waiter_nor_its_runtime()
    {
        var never = new TaskCompletionSource();
        (WeakReference local, WeakReference runtime) = TimeOutAndForget(never.Task, keep: null);
        Garbage.ShouldBeGone(local);
        Garbage.ShouldBeGone(runtime);
        GC.KeepAlive(never);
    }

    [Fact]
    public void B3_twin_a_waiter_that_the_foreign_Task_holds_is_caught()
    {
        var never = new TaskCompletionSource();
        (WeakReference local, _) = TimeOutAndForget(never.Task, keep: static (task, tracked) => task.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(() => GC.KeepAlive(tracked)));
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(local));
        GC.KeepAlive(never);
    }

    [Fact]
    public void A_Task_that_nobody_can_end_any_more_leaves_the_list_when_the_collector_has_proved_it()
    {
        var world = new World();
        WeakReference forgotten = GiveUpAndDrop(world);
        world.Census.AbandonedWaits.ShouldBe(1);
        Garbage.ShouldBeGone(forgotten);
        GC.WaitForPendingFinalizers();
        world.Census.AbandonedWaits.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_twin_list_that_holds_the_Tasks_themselves_is_caught()
    {
        var world = new World();
        List<Task> list = [];
        WeakReference forgotten = GiveUpAndDrop(world, list.Add);
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(forgotten));
        GC.KeepAlive(list);
    }

    [Fact]
    public async Task C6_plain_code_may_await_it_and_is_thrown_the_timeout()
    {
        var never = new TaskCompletionSource<int>();
        TaskTimeoutException error = await Should.ThrowAsync<TaskTimeoutException>(async () => await never.Task.WithTimeout(TimeSpan.FromMilliseconds(1)));
        error.Operation.ShouldStartWith("never.Task in ");
        await Should.ThrowAsync<TaskTimeoutException>(async () => await never.Task.WithTimeout(TimeSpan.Zero));
        (await Task.FromResult(3).WithTimeout(TimeSpan.Zero)).ShouldBe(3);
        var later = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<int> waits = Wait(later.Task);
        later.SetResult(5);
        (await waits).ShouldBe(5);
        var failing = new TaskCompletionSource<int>();
        Task<int> fails = Wait(failing.Task);
        failing.SetException(new ArithmeticException());
        await Should.ThrowAsync<ArithmeticException>(async () => await fails);

        static async Task<int> Wait(Task<int> task) => await task.WithTimeout(TimeSpan.FromHours(1));
    }

    [Fact]
    public void C6_a_timed_wait_is_awaited_once_and_default_is_none()
    {
        var world = new World();
        world.Fails<InvalidOperationException>(Default()).Message.ShouldContain("default(TimedTask)");
        world.ShouldBeEmpty();

        static async Future Default() => await default(TimedTask);
    }

    [Fact]
    public void C6_the_failure_and_the_cancellation_of_a_Task_come_as_an_await_throws_them()
    {
        var world = new World();
        var failing = new TaskCompletionSource<int>();
        ManagedTask<int> fails = world.Spawn(async ct => await failing.Task.WithTimeout(Second));
        var stopping = new TaskCompletionSource();
        ManagedTask stops = world.Start(async ct => await stopping.Task.WithTimeout(Second));
        var own = new ArithmeticException();
        failing.SetException(own);
        stopping.SetCanceled(CancellationToken.None);
        world.Run();
        fails.Exception.ShouldBeSameAs(own);
        stops.Exception.ShouldBeOfType<TaskCanceledException>();
        world.Events.Where(what => what.Kind == RuntimeEventKind.TimedOut).ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_the_name_of_an_operation_is_the_callers_code_one_line_of_it()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await Task
            .WhenAll(new TaskCompletionSource().Task)
            .WithTimeout(Second));
        world.Advance(1);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().Operation.ShouldStartWith("Task… in ");
    }

    [Theory]
    [InlineData(TaskCreationOptions.None)]
    [InlineData(TaskCreationOptions.RunContinuationsAsynchronously)]
    public async Task A4_a_storm_of_answers_timeouts_and_cancels_leaves_nothing_and_loses_nobody(TaskCreationOptions how)
    {
        // Answers, deadlines and cancellations of the same waits come from different threads at the same time. Who wins is open; that each wait ends once is not.
        await using var runtime = new TaskRuntime();
        int answered = 0, late = 0, canceled = 0;
        TaskScope scope = runtime.OpenScope("storm");
        var tasks = new List<(ManagedTask Task, TaskCompletionSource<int> Answer)>();
        for (int i = 0; i < 4_000; i++)
        {
            var answer = new TaskCompletionSource<int>(how);
            TimeSpan within = TimeSpan.FromMicroseconds(i % 17 * 100);
            ManagedTask task = scope.Spawn(async ct =>
            {
                for (int wait = 0; wait < 3; wait++)
                {
                    try
                    {
                        await answer.Task.WithTimeout(within);
                        Interlocked.Increment(ref answered);
                    }
                    catch (TaskTimeoutException)
                    {
                        Interlocked.Increment(ref late);
                    }
                    catch (ManagedTaskCanceledException)
                    {
                        Interlocked.Increment(ref canceled);
                        throw;
                    }
                }
            });
            tasks.Add((task, answer));
            if (i % 5 == 0)
            {
                tasks[i / 2].Task.Cancel();
            }

            if (i % 3 != 0)
            {
                tasks[i].Answer.TrySetResult(i);
            }
        }

        foreach ((_, TaskCompletionSource<int> answer) in tasks)
        {
            answer.TrySetResult(0);
        }

        await scope.JoinAsync();
        int ended = tasks.Count(one => one.Task.State == TaskState.Completed);
        (ended + tasks.Count(one => one.Task.State == TaskState.Canceled)).ShouldBe(4_000);
        (answered + late).ShouldBeGreaterThanOrEqualTo(ended * 3);
        Census census = runtime.TakeCensus();
        census.AbandonedWaits.ShouldBe(0);
        World.ShouldBeEmpty(runtime);
    }

    private static void WaitsInVain(int times, Action<Task, object> plant)
    {
        var world = new World();
        var never = new TaskCompletionSource();
        List<WeakReference> tracked = [];
        for (int i = 0; i < times; i++)
        {
            tracked.Add(WaitOnce(world, never.Task, i % 2 == 0, plant));
        }

        world.Census.AbandonedWaits.ShouldBe(1);
        foreach (WeakReference one in tracked)
        {
            Garbage.ShouldBeGone(one);
        }

        GC.KeepAlive(never);
        never.SetResult();
        world.Census.AbandonedWaits.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference WaitOnce(World world, Task never, bool cancel, Action<Task, object> plant)
    {
        object tracked = new();
        ManagedTask task = world.Start(async ct =>
        {
            plant(never, tracked);
            await never.WithTimeout(Second);
            GC.KeepAlive(tracked);
        });
        if (cancel)
        {
            task.Cancel();
            world.Run();
        }
        else
        {
            world.Advance(1);
        }

        task.IsEnded.ShouldBeTrue();
        return new WeakReference(tracked);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference Local, WeakReference Runtime) TimeOutAndForget(Task never, Action<Task, object>? keep)
    {
        var world = new World();
        WeakReference local = WaitOnce(world, never, cancel: false, keep ?? (static (_, _) => { }));
        return (local, new WeakReference(world.Runtime.Engine));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference GiveUpAndDrop(World world, Action<Task>? keep = null)
    {
        Task never = new TaskCompletionSource().Task;
        keep?.Invoke(never);
        ManagedTask task = world.Start(async ct => await never.WithTimeout(Second));
        world.Advance(1);
        task.IsEnded.ShouldBeTrue();
        return new WeakReference(never);
    }
}
