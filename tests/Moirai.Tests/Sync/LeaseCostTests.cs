using Moirai.Execution;

namespace Moirai.Tests.Sync;

/// <summary>What it costs to take what is given back later: nothing, be it free or waited for.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class LeaseCostTests
{
    public static TheoryData<string> Kinds => ["mutex", "semaphore", "read", "write"];

    // Readers do not wait for each other.
    public static TheoryData<string> KindsToWaitFor => ["mutex", "semaphore", "write"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_uncontended_taking_and_giving_back_allocates_nothing(string kind) => Uncontended(kind, static () => { }).ShouldBe(0);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Twin_an_allocation_for_each_taking_is_caught(string kind) =>
        Should.Throw<ShouldAssertException>(() => Uncontended(kind, static () => GC.KeepAlive(new object())).ShouldBe(0));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Uncontended_plain_code_allocates_nothing_either(string kind) => Plain(kind, static () => { }).ShouldBe(0);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Twin_an_allocation_in_plain_code_is_caught(string kind) =>
        Should.Throw<ShouldAssertException>(() => Plain(kind, static () => GC.KeepAlive(new object())).ShouldBe(0));

    [Theory]
    [MemberData(nameof(KindsToWaitFor))]
    public void Waiting_inside_a_future_allocates_nothing_beyond_its_frame(string kind) => Waits(kind, static () => { }).ShouldBe(0);

    [Theory]
    [MemberData(nameof(KindsToWaitFor))]
    public void Twin_a_seat_for_each_wait_is_caught(string kind) =>
        Should.Throw<ShouldAssertException>(() => Waits(kind, static () => GC.KeepAlive(new object())).ShouldBe(0));

    private static long Uncontended(string kind, Action plant) => kind switch
    {
        "mutex" => CostInTask(Of(new AsyncMutex(), static it => it.LockAsync()), plant),
        "semaphore" => CostInTask(Of(new AsyncSemaphore(1), static it => it.AcquireAsync()), plant),
        "read" => CostInTask(Of(new AsyncReaderWriterLock(), static it => it.LockReadAsync()), plant),
        _ => CostInTask(Of(new AsyncReaderWriterLock(), static it => it.LockWriteAsync()), plant, static write => write.Downgrade().Dispose()),
    };

    private static long Plain(string kind, Action plant) => kind switch
    {
        "mutex" => CostInPlainCode(Of(new AsyncMutex(), static it => it.LockAsync()), plant),
        "semaphore" => CostInPlainCode(Of(new AsyncSemaphore(1), static it => it.AcquireAsync()), plant),
        "read" => CostInPlainCode(Of(new AsyncReaderWriterLock(), static it => it.LockReadAsync()), plant),
        _ => CostInPlainCode(Of(new AsyncReaderWriterLock(), static it => it.LockWriteAsync()), plant),
    };

    private static long Waits(string kind, Action plant) => kind switch
    {
        "mutex" => CostOfWaits(Of(new AsyncMutex(), static it => it.LockAsync()), plant),
        "semaphore" => CostOfWaits(Of(new AsyncSemaphore(1), static it => it.AcquireAsync()), plant),
        _ => CostOfWaits(Of(new AsyncReaderWriterLock(), static it => it.LockWriteAsync()), plant),
    };

    private static Func<LeaseAwaitable<TLease>> Of<TPrimitive, TLease>(TPrimitive primitive, Func<TPrimitive, LeaseAwaitable<TLease>> take)
        where TLease : struct, ILease<TLease> => () => take(primitive);

    private static long CostInTask<TLease>(Func<LeaseAwaitable<TLease>> take, Action plant, Action<TLease>? use = null)
        where TLease : struct, ILease<TLease>
    {
        var world = new World();
        long allocated = -1;
        world.Run(TakeAsync());
        world.ShouldBeEmpty();
        return allocated;

        async Future TakeAsync()
        {
            (await take()).Dispose();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 50; i++) // fewer than make a task give way
            {
                using (TLease lease = await take())
                {
                    use?.Invoke(lease);
                    plant();
                }
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static long CostInPlainCode<TLease>(Func<LeaseAwaitable<TLease>> take, Action plant)
        where TLease : struct, ILease<TLease>
    {
        Take();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            Take();
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        take().GetAwaiter().IsCompleted.ShouldBeTrue("nobody has it any more");
        return allocated;

        void Take()
        {
            LeaseAwaitable<TLease>.Awaiter awaiter = take().GetAwaiter();
            if (awaiter.IsCompleted)
            {
                awaiter.GetResult().Dispose();
                plant();
            }
        }
    }

    /// <summary>What a hundred waits of two tasks cost that take the same from each other.</summary>
    /// <remarks>Their frames are written by hand, because a state machine that the JIT has not optimized yet boxes its awaiters.</remarks>
    private static long CostOfWaits<TLease>(Func<LeaseAwaitable<TLease>> take, Action plant)
        where TLease : struct, ILease<TLease>
    {
        var world = new World();
        int waits = 0;
        long before = 0;
        long after = 0;
        ManagedTask[] tasks =
        [
            world.Runtime.SpawnDetached(new Future(new TakingFrame<TLease>(take, 1_000, Note))),
            world.Runtime.SpawnDetached(new Future(new TakingFrame<TLease>(take, 1_000, Note))),
        ];
        world.Run();
        tasks.ShouldAllBe(task => task.State == TaskState.Completed);
        waits.ShouldBeGreaterThan(110);
        take().GetAwaiter().IsCompleted.ShouldBeTrue("nobody has it any more");
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

    /// <summary>Takes again and again, and yields while it has what it took.</summary>
    private sealed class TakingFrame<TLease>(Func<LeaseAwaitable<TLease>> take, int times, Action waited) : Frame
        where TLease : struct, ILease<TLease>
    {
        private LeaseAwaitable<TLease>.Awaiter _awaiter;
        private TLease _lease;
        private bool _waits;
        private int _left = times;

        internal override string Method => nameof(TakingFrame<>);

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

                _awaiter = take().GetAwaiter();
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
