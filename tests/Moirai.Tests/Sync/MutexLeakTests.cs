using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Tests.Sync;

/// <summary>What a mutex keeps of those who waited for it: nothing. What it costs to wait: nothing.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class MutexLeakTests
{
    [Fact]
    public void S133_a_disposed_mutex_lets_go_of_those_who_waited()
    {
        var mutex = new AsyncMutex("cache");
        Garbage.ShouldBeGone(Wait(mutex, static (mutex, _) => mutex.Dispose()));
        GC.KeepAlive(mutex);
    }

    [Fact]
    public void S133_twin_a_disposal_that_forgets_its_waiters_is_caught()
    {
        var mutex = new AsyncMutex("cache");
        WeakReference tracked = Wait(mutex, static (_, _) => { });
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(mutex);
    }

    [Theory]
    [InlineData("at once")]
    [InlineData("after a wait")]
    [InlineData("by somebody else")]
    public void A_free_mutex_keeps_nothing_of_who_held_it_last(string released)
    {
        var mutex = new AsyncMutex("cache");
        Garbage.ShouldBeGone(Hold(mutex, released));
        GC.KeepAlive(mutex);
    }

    [Fact]
    public void Twin_a_mutex_that_keeps_its_holder_is_caught()
    {
        var mutex = new AsyncMutex("cache");
        WeakReference holder = Hold(mutex, released: "never");
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(holder));
        GC.KeepAlive(mutex);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Hold(AsyncMutex mutex, string released)
    {
        var world = new World();
        MutexLease lease = default;
        ManagedTask task = world.Start(async _ =>
        {
            lease = await mutex.LockAsync();
            if (released == "at once")
            {
                lease.Dispose();
            }

            await Future.Delay(TimeSpan.FromSeconds(released == "never" ? 60 : 1));
            if (released == "after a wait")
            {
                lease.Dispose();
            }
        });
        mutex.IsLocked.ShouldBe(released != "at once");
        if (released == "by somebody else")
        {
            lease.Dispose();
        }

        world.Advance(1);
        task.IsEnded.ShouldBe(released != "never");
        return new WeakReference(task);
    }

    [Fact]
    public void S153_a_canceled_waiter_leaves_nothing_behind()
    {
        var mutex = new AsyncMutex("cache");
        Garbage.ShouldBeGone(Wait(mutex, static (_, task) => task.Cancel()));
        mutex.Waiting.ShouldBe(0);
        mutex.IsLocked.ShouldBeTrue();
    }

    [Fact]
    public void S153_twin_a_cancellation_that_does_not_leave_the_queue_is_caught()
    {
        var mutex = new AsyncMutex("cache");
        WeakReference tracked = Wait(mutex, static (_, task) => task.Word.TryInterrupt());
        Should.Throw<ShouldAssertException>(() => mutex.Waiting.ShouldBe(0));
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(mutex);
    }

    [Fact]
    public void S153_twenty_thousand_canceled_waits_leave_the_queue_empty()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        MutexLease held = AsyncMutexTests.Take(mutex);
        for (int round = 0; round < 20; round++)
        {
            var tasks = new ManagedTask[1_000];
            for (int i = 0; i < tasks.Length; i++)
            {
                tasks[i] = world.Spawn(AsyncMutexTests.LockOnce(mutex));
            }

            world.Run();
            mutex.Waiting.ShouldBe(1_000);
            foreach (ManagedTask task in tasks)
            {
                task.Cancel();
            }

            mutex.Waiting.ShouldBe(0);
            world.Run();
        }

        world.Census.Canceled.ShouldBe(20_000);
        held.Dispose();
        mutex.ToString().ShouldBe("mutex 'cache', free (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void An_uncontended_lock_and_unlock_allocates_nothing() => UncontendedCosts(static () => { }).ShouldBe(0);

    [Fact]
    public void Twin_an_allocation_for_each_lock_is_caught() =>
        Should.Throw<ShouldAssertException>(() => UncontendedCosts(static () => GC.KeepAlive(new object())).ShouldBe(0));

    [Fact]
    public void Uncontended_plain_code_allocates_nothing_either()
    {
        var mutex = new AsyncMutex("cache");
        AsyncMutexTests.Take(mutex).Dispose();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            LockByHand(mutex);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
        mutex.IsLocked.ShouldBeFalse();
    }

    [Fact]
    public void Waiting_inside_a_future_allocates_nothing_beyond_its_frame() => WaitsCost(static () => { }).ShouldBe(0);

    [Fact]
    public void Twin_a_seat_for_each_wait_is_caught() =>
        Should.Throw<ShouldAssertException>(() => WaitsCost(static () => GC.KeepAlive(new object())).ShouldBe(0));

    private static void LockByHand(AsyncMutex mutex)
    {
        MutexAwaitable.Awaiter awaiter = mutex.LockAsync().GetAwaiter();
        if (awaiter.IsCompleted)
        {
            awaiter.GetResult().Dispose();
        }
    }

    private static long UncontendedCosts(Action plant)
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        AsyncMutexTests.Take(mutex).Dispose();
        long allocated = -1;
        world.Run(LockAsync());
        world.ShouldBeEmpty();
        return allocated;

        async Future LockAsync()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 50; i++) // fewer than make a task give way
            {
                using (await mutex.LockAsync())
                {
                    plant();
                }
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    /// <summary>What a hundred waits of two tasks cost that take the mutex from each other.</summary>
    /// <remarks>Their frames are written by hand, because a state machine that the JIT has not optimized yet boxes its awaiters.</remarks>
    private static long WaitsCost(Action plant)
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        int waits = 0;
        long before = 0;
        long after = 0;
        ManagedTask[] tasks =
        [
            world.Runtime.SpawnDetached(new Future(new LockingFrame(mutex, 1_000, Note))),
            world.Runtime.SpawnDetached(new Future(new LockingFrame(mutex, 1_000, Note))),
        ];
        world.Run();
        tasks.ShouldAllBe(task => task.State == TaskState.Completed);
        waits.ShouldBeGreaterThan(110);
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();
        return after - before;

        void Note()
        {
            // The first hold across a wait makes the task's list of holds.
            if (++waits == 10)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            plant();
            if (waits == 110)
            {
                after = GC.GetAllocatedBytesForCurrentThread();
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Wait(AsyncMutex mutex, Action<AsyncMutex, ManagedTask> then)
    {
        var world = new World();
        _ = AsyncMutexTests.Take(mutex);
        var tracked = new object();
        ManagedTask task = world.Start(WaitWithAsync(mutex, tracked));
        mutex.Waiting.ShouldBe(1);
        then(mutex, task);
        world.Run();
        return new WeakReference(tracked);
    }

    private static Func<CancellationToken, Future> WaitWithAsync(AsyncMutex mutex, object tracked) => async _ =>
    {
        (await mutex.LockAsync()).Dispose();
        GC.KeepAlive(tracked);
    };

    /// <summary>Takes the mutex again and again, and yields while it has it.</summary>
    private sealed class LockingFrame(AsyncMutex mutex, int times, Action waited) : Frame
    {
        private MutexAwaitable.Awaiter _awaiter;
        private MutexLease _lease;
        private bool _waits;
        private int _left = times;

        internal override string Method => nameof(LockingFrame);

        internal override void MoveNext()
        {
            if (!_waits)
            {
                _lease.Dispose();
                if (_left-- == 0)
                {
                    Return();
                    return;
                }

                _awaiter = mutex.LockAsync().GetAwaiter();
                if (!_awaiter.IsCompleted)
                {
                    _waits = true;
                    Suspend(ref _awaiter, this);
                    return;
                }
            }

            _lease = _awaiter.GetResult();
            if (_waits)
            {
                _waits = false;
                waited();
            }

            Park.Yield(this);
        }

        internal override void Release()
        {
            _awaiter = default;
            _lease = default;
        }

        private static void Suspend<TAwaiter>(ref TAwaiter awaiter, Frame frame)
            where TAwaiter : struct, IFrameAwaiter => awaiter.Suspend(frame);
    }
}
