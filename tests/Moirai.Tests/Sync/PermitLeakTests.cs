using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Tests.Sync;

/// <summary>What semaphores, reader-writer locks and conditions keep of those who waited for them: nothing. What it costs to take what is free: nothing.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class PermitLeakTests
{
    private readonly AsyncSemaphore _semaphore = new(1);
    private readonly AsyncReaderWriterLock _lock = new();
    private readonly AsyncMutex _mutex = new();
    private readonly AsyncCondition _condition;

    public PermitLeakTests() => _condition = new AsyncCondition(_mutex);

    public static TheoryData<string> Kinds => ["semaphore", "lock", "condition"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void S133_a_disposed_primitive_lets_go_of_those_who_waited(string kind)
    {
        Garbage.ShouldBeGone(Wait(kind, static (primitive, _) => primitive.Dispose()));
        GC.KeepAlive(this);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void S133_twin_a_disposal_that_forgets_its_waiters_is_caught(string kind)
    {
        WeakReference tracked = Wait(kind, static (_, _) => { });
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(this);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void S153_a_canceled_waiter_leaves_nothing_behind(string kind)
    {
        Garbage.ShouldBeGone(Wait(kind, static (_, task) => task.Cancel()));
        Primitive(kind).Waiting.ShouldBe(0);
        GC.KeepAlive(this);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void S153_twin_a_cancellation_that_does_not_leave_the_queue_is_caught(string kind)
    {
        WeakReference tracked = Wait(kind, static (_, task) => task.Word.TryInterrupt());
        Should.Throw<ShouldAssertException>(() => Primitive(kind).Waiting.ShouldBe(0));
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(this);
    }

    [Fact]
    public void Permits_that_were_given_back_keep_nothing_of_who_had_them()
    {
        Garbage.ShouldBeGone(Hold());
        _semaphore.Available.ShouldBe(1);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Hold()
        {
            var world = new World();
            return new WeakReference(world.Start(async _ => (await _semaphore.AcquireAsync()).Dispose()));
        }
    }

    [Fact]
    public void Twin_permits_that_are_still_held_keep_their_holder_and_are_caught()
    {
        WeakReference holder = Hold();
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(holder));
        GC.KeepAlive(this);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Hold()
        {
            var world = new World();
            return new WeakReference(world.Start(async _ =>
            {
                await _semaphore.AcquireAsync();
                StepContext.Current.ForgetHolds(); // nobody gives back for it
            }));
        }
    }

    [Theory]
    [InlineData("semaphore")]
    [InlineData("read")]
    [InlineData("write")]
    public void Uncontended_taking_and_giving_back_allocates_nothing(string kind) => UncontendedCosts(kind, static () => { }).ShouldBe(0);

    [Theory]
    [InlineData("semaphore")]
    [InlineData("read")]
    [InlineData("write")]
    public void Twin_an_allocation_for_each_taking_is_caught(string kind) =>
        Should.Throw<ShouldAssertException>(() => UncontendedCosts(kind, static () => GC.KeepAlive(new object())).ShouldBe(0));

    [Fact]
    public void Waiting_for_a_permit_inside_a_future_allocates_nothing_beyond_its_frame() => WaitsCost(static () => { }).ShouldBe(0);

    [Fact]
    public void Twin_a_seat_for_each_wait_for_a_permit_is_caught() =>
        Should.Throw<ShouldAssertException>(() => WaitsCost(static () => GC.KeepAlive(new object())).ShouldBe(0));

    private SynchronizationPrimitive Primitive(string kind) => kind switch { "semaphore" => _semaphore, "lock" => _lock, _ => _condition };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference Wait(string kind, Action<SynchronizationPrimitive, ManagedTask> then)
    {
        var world = new World();
        _semaphore.TryAcquire(out SemaphoreLease _).ShouldBeTrue();
        _ = AsyncReaderWriterLockTests.Write(_lock);
        var tracked = new object();
        ManagedTask task = world.Start(WaitWithAsync(kind, tracked));
        Primitive(kind).Waiting.ShouldBe(1);
        then(Primitive(kind), task);
        world.Run();
        return new WeakReference(tracked);
    }

    private Func<CancellationToken, Future> WaitWithAsync(string kind, object tracked) => async _ =>
    {
        if (kind == "semaphore")
        {
            (await _semaphore.AcquireAsync()).Dispose();
        }
        else if (kind == "lock")
        {
            (await _lock.LockReadAsync()).Dispose();
        }
        else
        {
            using (await _mutex.LockAsync())
            {
                await _condition.WaitAsync();
            }
        }

        GC.KeepAlive(tracked);
    };

    private long UncontendedCosts(string kind, Action plant)
    {
        var world = new World();
        long allocated = -1;
        world.Run(kind switch { "semaphore" => AcquireAsync(), "read" => ReadAsync(), _ => WriteAsync() });
        world.ShouldBeEmpty();
        return allocated;

        async Future AcquireAsync()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 50; i++) // fewer than make a task give way
            {
                using (await _semaphore.AcquireAsync())
                {
                    plant();
                }
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        async Future ReadAsync()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 50; i++)
            {
                using (await _lock.LockReadAsync())
                {
                    plant();
                }
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        async Future WriteAsync()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 50; i++)
            {
                using (WriteLease write = await _lock.LockWriteAsync())
                {
                    write.Downgrade().Dispose();
                    plant();
                }
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    /// <summary>What a hundred waits of two tasks cost that take one permit from each other.</summary>
    /// <remarks>Their frames are written by hand, because a state machine that the JIT has not optimized yet boxes its awaiters.</remarks>
    private long WaitsCost(Action plant)
    {
        var world = new World();
        int waits = 0;
        long before = 0;
        long after = 0;
        ManagedTask[] tasks =
        [
            world.Runtime.SpawnDetached(new Future(new AcquiringFrame(_semaphore, 1_000, Note))),
            world.Runtime.SpawnDetached(new Future(new AcquiringFrame(_semaphore, 1_000, Note))),
        ];
        world.Run();
        tasks.ShouldAllBe(task => task.State == TaskState.Completed);
        waits.ShouldBeGreaterThan(110);
        _semaphore.Available.ShouldBe(1);
        world.ShouldBeEmpty();
        return after - before;

        void Note()
        {
            // The first holds across a wait make the tasks' lists of holds.
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

    /// <summary>Takes a permit again and again, and yields while it has it.</summary>
    private sealed class AcquiringFrame(AsyncSemaphore semaphore, int times, Action waited) : Frame
    {
        private PermitAwaitable<SemaphoreLease>.Awaiter _awaiter;
        private SemaphoreLease _lease;
        private bool _waits;
        private int _left = times;

        internal override string Method => nameof(AcquiringFrame);

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

                _awaiter = semaphore.AcquireAsync().GetAwaiter();
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
