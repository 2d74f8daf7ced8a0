namespace Moirai.Tests.Sync;

/// <summary>One at a time: who has it, who is next, and in what way.</summary>
public sealed class AsyncMutexTests
{
    [Fact]
    public void One_at_a_time_and_S143_first_come_first_served()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask holder = world.Start(HoldUntil(mutex, gate), "holder");
        for (int i = 0; i < 3; i++)
        {
            int me = i;
            world.Start(async _ =>
            {
                using (await mutex.LockAsync())
                {
                    world.Log($"{me} in");
                    await Future.Yield();
                    world.Log($"{me} out");
                }
            });
        }

        mutex.IsLocked.ShouldBeTrue();
        mutex.Waiting.ShouldBe(3);
        mutex.Holder.ShouldBe(holder);
        mutex.ToString().ShouldBe($"mutex 'cache', held by {holder.Id} 'holder' (3 waiting)");
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["0 in", "0 out", "1 in", "1 out", "2 in", "2 out"]);
        mutex.ToString().ShouldBe("mutex 'cache', free (0 waiting)");
        mutex.Holder.ShouldBeNull();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_census_counts_who_waits_and_the_task_tells_for_what()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask holder = world.Start(HoldUntil(mutex, gate), "holder");
        ManagedTask[] waiters = [world.Start(LockOnce(mutex), "a"), world.Start(LockOnce(mutex), "b")];

        world.Census.Waiters.ShouldBe(2);
        waiters[1].DescribeWait().ShouldBe($"mutex 'cache', held by {holder.Id} 'holder' (2 waiting)");
        mutex.CopyWaiters().ShouldBe(waiters);
        Moirai.Execution.Holdings.Copy(holder).ShouldHaveSingleItem().What.ShouldBe(mutex);

        gate.Open();
        world.Run();
        world.Census.Waiters.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S143_nobody_gets_it_by_trying_while_somebody_waits()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        bool? overtaken = null;
        world.Start(async _ =>
        {
            using (await mutex.LockAsync())
            {
                await gate.WaitAsync();
            }

            // Free now, and the waiter is on its way.
            mutex.IsLocked.ShouldBeFalse();
            overtaken = mutex.TryLock(out MutexLease _);
        });
        world.Start(LockOnce(mutex));
        mutex.TryLock(out MutexLease _).ShouldBeFalse();
        gate.Open();
        world.Run();
        overtaken.ShouldBe(false);
        mutex.TryLock(out MutexLease lease).ShouldBeTrue();
        mutex.ToString().ShouldBe("mutex 'cache', held by plain code (0 waiting)");
        lease.Dispose();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S143_a_running_task_may_retake_what_it_released_but_not_for_ever() =>
        TakenBeforeTheWaiter(static _ => { }).ShouldBeLessThanOrEqualTo(1 + AsyncMutex.MostVainCalls);

    [Fact]
    public void S143_twin_a_mutex_that_never_keeps_itself_for_a_waiter_is_caught()
    {
        // The count of vain calls stands in the waiter's seat.
        int taken = TakenBeforeTheWaiter(static waiter => waiter.Leaf?.Due = 0);
        Should.Throw<ShouldAssertException>(() => taken.ShouldBeLessThanOrEqualTo(1 + AsyncMutex.MostVainCalls));
    }

    [Fact]
    public void Waiters_that_come_in_vain_keep_their_order()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        ManagedTask greedy = world.Spawn(async _ =>
        {
            for (int i = 0; i < 100; i++)
            {
                using (await mutex.LockAsync())
                {
                    await Future.Yield();
                }
            }
        });
        for (int i = 0; i < 4; i++)
        {
            int me = i;
            world.Spawn(async _ =>
            {
                using (await mutex.LockAsync())
                {
                    world.Log($"{me}");
                    await Future.Yield();
                }
            });
        }

        world.Run();
        world.Trace.ShouldBe(["0", "1", "2", "3"]);
        greedy.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_that_is_always_lucky_gives_way_without_the_mutex()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        int taken = 0;
        world.Spawn(async _ =>
        {
            for (; taken < 1_000; taken++)
            {
                (await mutex.LockAsync()).Dispose();
            }
        });
        world.Spawn(async _ =>
        {
            taken.ShouldBeInRange(1, 100);
            mutex.IsLocked.ShouldBeFalse();
            (await mutex.LockAsync()).Dispose();
            taken.ShouldBeInRange(1, 100);
        });
        world.Run();
        taken.ShouldBe(1_000);
        world.Census.Failed.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_waits_and_gets_it()
    {
        var mutex = new AsyncMutex("cache");
        MutexLease first = await mutex.LockAsync(TestContext.Current.CancellationToken);
        Task<int> second = AddAsync();
        mutex.Waiting.ShouldBe(1);
        mutex.CopyWaiters().ShouldBe([null]);
        second.IsCompleted.ShouldBeFalse();
        first.Dispose();
        (await second).ShouldBe(1);
        mutex.IsLocked.ShouldBeFalse();

        async Task<int> AddAsync()
        {
            using (await mutex.LockAsync())
            {
                return 1;
            }
        }
    }

    [Fact]
    public void Plain_code_inside_a_task_waits_and_gets_it()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        MutexLease first = Take(mutex);
        ManagedTask task = world.Start(async _ => await PlainAsync());
        mutex.Waiting.ShouldBe(1);
        mutex.CopyWaiters().ShouldBe([null]);
        first.Dispose();
        world.Executor.RunUntil(task, TestContext.Current.CancellationToken);
        task.State.ShouldBe(TaskState.Completed);
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();

        async Task PlainAsync()
        {
            using (await mutex.LockAsync())
            {
                await Task.Yield();
            }
        }
    }

    [Fact]
    public void Plain_code_goes_on_where_it_came_from()
    {
        var context = new Posted();
        var mutex = new AsyncMutex("cache");
        MutexLease first = Take(mutex);
        Task waiter = context.Run(async () => (await mutex.LockAsync()).Dispose());
        first.Dispose();
        waiter.IsCompleted.ShouldBeFalse();
        context.Drain();
        waiter.IsCompletedSuccessfully.ShouldBeTrue();
        mutex.IsLocked.ShouldBeFalse();
    }

    [Fact]
    public void A_wait_can_be_put_under_a_timeout()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask holder = world.Start(HoldUntil(mutex, gate), "holder");
        ManagedTask waiter = world.Start(async _ => (await mutex.LockAsync().WithTimeout(TimeSpan.FromSeconds(1))).Dispose());
        world.Advance(1);
        waiter.Exception.ShouldBeOfType<TaskTimeoutException>().Message.ShouldContain($"waiting for mutex 'cache', held by {holder.Id} 'holder'");
        mutex.Waiting.ShouldBe(0);
        gate.Open();
        world.ShouldBeEmpty();
        mutex.IsLocked.ShouldBeFalse();
    }

    internal static Func<CancellationToken, Future> HoldUntil(AsyncMutex mutex, Gate gate) => async _ =>
    {
        using (await mutex.LockAsync())
        {
            await gate.WaitAsync();
        }
    };

    internal static Func<CancellationToken, Future> LockOnce(AsyncMutex mutex) => async _ => (await mutex.LockAsync()).Dispose();

    internal static MutexLease Take(AsyncMutex mutex)
    {
        mutex.TryLock(out MutexLease lease).ShouldBeTrue();
        return lease;
    }

    /// <summary>One task takes the mutex again and again, and yields while it has it; another one asks once.</summary>
    private static int TakenBeforeTheWaiter(Action<ManagedTask> plant)
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        int taken = 0;
        int before = -1;
        ManagedTask? waiter = null;
        world.Spawn(async _ =>
        {
            for (int i = 0; i < 100; i++)
            {
                using (await mutex.LockAsync())
                {
                    taken++;
                    await Future.Yield();
                    plant(waiter!);
                }
            }
        });
        waiter = world.Spawn(async _ =>
        {
            using (await mutex.LockAsync())
            {
                before = taken;
            }
        });
        world.Run();
        taken.ShouldBe(100);
        before.ShouldBePositive();
        world.ShouldBeEmpty();
        return before;
    }
}

/// <summary>A synchronization context whose work waits until the test runs it.</summary>
internal sealed class Posted : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _posted = [];

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_posted)
        {
            _posted.Enqueue((d, state));
        }
    }

    /// <summary>Runs code on this context.</summary>
    public T Run<T>(Func<T> code)
    {
        SynchronizationContext? outer = Current;
        SetSynchronizationContext(this);
        try
        {
            return code();
        }
        finally
        {
            SetSynchronizationContext(outer);
        }
    }

    /// <summary>Runs what was posted.</summary>
    public void Drain()
    {
        while (true)
        {
            (SendOrPostCallback Callback, object? State) next;
            lock (_posted)
            {
                if (!_posted.TryDequeue(out next))
                {
                    return;
                }
            }

            Run(() =>
            {
                next.Callback(next.State);
                return 0;
            });
        }
    }
}
