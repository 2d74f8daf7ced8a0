using Moirai.Execution;

namespace Moirai.Tests.Sync;

/// <summary>What it costs to wait for a notification, at a barrier, for one value: nothing.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class NotificationCostTests
{
    [Fact]
    public void Waiting_for_a_notification_allocates_nothing() => NotificationsCost(static () => { }).ShouldBe(0);

    [Fact]
    public void Twin_a_seat_for_each_wait_is_caught() => Should.Throw<ShouldAssertException>(() => NotificationsCost(static () => GC.KeepAlive(new object())).ShouldBe(0));

    [Fact]
    public void Waiting_at_a_barrier_allocates_nothing()
    {
        var barrier = new AsyncBarrier(2);
        int waits = 0;
        long before = 0;
        long after = 0;
        var world = new World();
        _ = world.Runtime.SpawnDetached(new Future(new WaitingFrame<bool>(_ => new(barrier, 0, default), 200, Note)));
        _ = world.Runtime.SpawnDetached(new Future(new WaitingFrame<bool>(_ => new(barrier, 0, default), 200, Note)));
        world.Run();
        waits.ShouldBe(400);
        (after - before).ShouldBe(0);
        world.ShouldBeEmpty();

        void Note()
        {
            waits++;
            if (waits == 100)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }
            else if (waits == 300)
            {
                after = GC.GetAllocatedBytesForCurrentThread();
            }
        }
    }

    [Fact]
    public void Waiting_for_one_value_allocates_nothing()
    {
        var world = new World();
        (OneShotSender<int> Sender, OneShotReceiver<int> Receiver)[] all = [.. Enumerable.Range(0, 200).Select(_ => OneShot.Create<int>())];
        int received = 0;
        _ = world.Runtime.SpawnDetached(new Future(new WaitingFrame<int>(i => all[i].Receiver.ReceiveAsync(), 200, () => received++)));
        world.Run();
        long before = 0;
        for (int i = 0; i < 200; i++)
        {
            before = i == 100 ? GC.GetAllocatedBytesForCurrentThread() : before;
            all[i].Sender.TrySend(i);
            world.Executor.RunUntilStalled();
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
        received.ShouldBe(200);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Asking_for_a_value_that_is_made_allocates_nothing()
    {
        var world = new World();
        var once = new AsyncOnce<int>(_ => Future.FromResult(3));
        world.Run(once.GetAsync().AsFuture()).ShouldBe(3);
        Sum(once).ShouldBe(3_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Sum(once);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);

        static int Sum(AsyncOnce<int> once)
        {
            int sum = 0;
            for (int i = 0; i < 1_000; i++)
            {
                OnceAwaitable<int>.Awaiter awaiter = once.GetAsync().GetAwaiter();
                sum += awaiter.IsCompleted ? awaiter.GetResult() : 0;
            }

            return sum;
        }
    }

    private static long NotificationsCost(Action plant)
    {
        var world = new World();
        var notify = new Notify();
        int told = 0;
        _ = world.Runtime.SpawnDetached(new Future(new WaitingFrame<bool>(_ => new(notify, 0, default), 200, () => told++)));
        world.Run();
        long before = 0;
        for (int i = 0; i < 200; i++)
        {
            before = i == 100 ? GC.GetAllocatedBytesForCurrentThread() : before;
            plant();
            notify.NotifyOne();
            world.Executor.RunUntilStalled();
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        told.ShouldBe(200);
        world.ShouldBeEmpty();
        return allocated;
    }

    /// <summary>Waits again and again. Written by hand, because a state machine that the JIT has not optimized yet boxes its awaiters.</summary>
    private sealed class WaitingFrame<T>(Func<int, PrimitiveAwaitable<T>> next, int times, Action waited) : Frame
    {
        private PrimitiveAwaitable<T>.Awaiter _awaiter;
        private bool _waits;
        private int _done;

        internal override string Method => nameof(WaitingFrame<>);

        internal override void MoveNext()
        {
            while (true)
            {
                if (_waits)
                {
                    _ = _awaiter.GetResult();
                    _waits = false;
                    _done++;
                    waited();
                }

                if (_done == times)
                {
                    Return();
                    return;
                }

                _awaiter = next(_done).GetAwaiter();
                _waits = true;
                if (!_awaiter.IsCompleted)
                {
                    _awaiter.Suspend(this);
                    return;
                }
            }
        }

        internal override void Release() => _awaiter = default;
    }
}
