using System.Runtime.CompilerServices;

namespace Moirai.Tests.Sync;

/// <summary>What primitives keep of those who waited in them: nothing.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class WaiterLeakTests
{
    public static TheoryData<string> Kinds => ["mutex", "semaphore", "lock", "condition", "notify", "barrier", "one-shot", "once", "receive", "send"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void S133_a_disposed_primitive_lets_go_of_those_who_waited(string kind)
    {
        WaitingPlace place = WaitingPlace.Make(kind);
        Garbage.ShouldBeGone(Wait(place, static (place, _) => place.Close()));
        place.Waiting().ShouldBe(0);
        GC.KeepAlive(place);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void S133_twin_a_disposal_that_forgets_its_waiters_is_caught(string kind)
    {
        WaitingPlace place = WaitingPlace.Make(kind);
        WeakReference tracked = Wait(place, static (_, _) => { });
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(place);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void S133_S153_a_canceled_waiter_leaves_nothing_behind(string kind)
    {
        WaitingPlace place = WaitingPlace.Make(kind);
        Garbage.ShouldBeGone(Wait(place, static (_, task) => task.Cancel()));
        place.Waiting().ShouldBe(0);
        GC.KeepAlive(place);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void S133_S153_twin_a_cancellation_that_does_not_leave_the_queue_is_caught(string kind)
    {
        WaitingPlace place = WaitingPlace.Make(kind);
        WeakReference tracked = Wait(place, static (_, task) => task.Word.TryInterrupt());
        Should.Throw<ShouldAssertException>(() => place.Waiting().ShouldBe(0));
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(place);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Wait(WaitingPlace place, Action<WaitingPlace, ManagedTask> then)
    {
        var world = new World();
        var tracked = new object();
        ManagedTask task = world.Start(Tracking(place.Wait, tracked));
        place.Waiting().ShouldBe(1);
        then(place, task);
        world.Run();
        return new WeakReference(tracked);
    }

    // Of its own, so that nobody but the waiting task has what it keeps.
    private static Func<CancellationToken, Future> Tracking(Func<Future> wait, object tracked) => async _ =>
    {
        await wait();
        GC.KeepAlive(tracked);
    };

    /// <summary>A primitive in a state in which one has to wait.</summary>
    /// <param name="Waiting">How many do.</param>
    /// <param name="Wait">Waits.</param>
    /// <param name="Close">Ends the use of it.</param>
    private sealed record WaitingPlace(Func<int> Waiting, Func<Future> Wait, Action Close)
    {
        internal static WaitingPlace Make(string kind)
        {
            switch (kind)
            {
                case "mutex":
                    var mutex = new AsyncMutex();
                    _ = AsyncMutexTests.Take(mutex);
                    return Of(mutex, async () => (await mutex.LockAsync()).Dispose());
                case "semaphore":
                    var semaphore = new AsyncSemaphore(1);
                    semaphore.TryAcquire(out SemaphoreLease _).ShouldBeTrue();
                    return Of(semaphore, async () => (await semaphore.AcquireAsync()).Dispose());
                case "lock":
                    var readerWriter = new AsyncReaderWriterLock();
                    _ = AsyncReaderWriterLockTests.Write(readerWriter);
                    return Of(readerWriter, async () => (await readerWriter.LockReadAsync()).Dispose());
                case "condition":
                    var guard = new AsyncMutex();
                    var condition = new AsyncCondition(guard);
                    return Of(condition, async () =>
                    {
                        using (await guard.LockAsync())
                        {
                            await condition.WaitAsync();
                        }
                    });
                case "notify":
                    var notify = new Notify();
                    return Of(notify, async () => await notify.WaitAsync());
                case "barrier":
                    var barrier = new AsyncBarrier(9);
                    return Of(barrier, async () => await barrier.WaitAsync());
                case "one-shot":
                    (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
                    return Of(receiver, async () =>
                    {
                        await receiver.ReceiveAsync();
                        GC.KeepAlive(sender);
                    });
                case "once":
                    var once = new AsyncOnce<int>(async _ => await Moirai.Tests.Results.RaceTests.NeverAsync());
                    _ = new World().Start(async _ => await once.GetAsync()); // somebody makes it, for ever
                    return Of(once, async () => await once.GetAsync());
                case "receive":
                    var empty = new AsyncChannel<int>(1);
                    return new(() => empty.Receiver.Waiting, async () => await empty.Receiver.ReceiveAsync(), () => empty.Sender.Complete());
                default:
                    var full = new AsyncChannel<int>(1);
                    full.Sender.TrySend(1).ShouldBeTrue();
                    return new(() => full.Sender.Waiting, async () => await full.Sender.SendAsync(2), () => full.Receiver.Dispose());
            }
        }

        private static WaitingPlace Of(SynchronizationPrimitive primitive, Func<Future> wait) => new(() => primitive.Waiting, wait, primitive.Dispose);
    }
}
