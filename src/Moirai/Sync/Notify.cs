using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>Tells those who wait that something has happened: one of them, or all.</summary>
/// <remarks>
/// It carries no data: whoever is told looks at whatever it was told about. Looking, and then waiting in a loop, misses nothing, because a notification that finds nobody is kept:
/// <code>while (!queue.TryDequeue(out item)) await notify.WaitAsync();</code>
/// <para><b>One.</b> <see cref="NotifyOne"/> goes to who has waited longest. When nobody waits it is kept for the next who comes; it is one, however often it was given.</para>
/// <para><b>All.</b> <see cref="NotifyWaiters"/> goes to all whose <see cref="WaitAsync()"/> was called before, also if they have not awaited it yet. It is not kept, and leaves a kept notification alone.</para>
/// <para><b>Cancellation.</b> A canceled wait leaves the queue at once. A waiter that is canceled after it was chosen by <see cref="NotifyOne"/>, and before it goes on, throws, and the notification
/// goes to the next who waits, or is kept: it is never lost. What comes after the waiter has gone on is the waiter's affair.</para>
/// </remarks>
public sealed class Notify : SynchronizationPrimitive, IAwaited<bool>
{
    // In WaitNode.Slot: the waiter was chosen by NotifyOne, and passes that on if it is canceled before it goes on.
    private const short Chosen = 1;

    // A notification that found nobody. Under the gate.
    private bool _kept;

    // How often all were told. Written under the gate.
    private long _calls;

    /// <summary>Makes one that keeps no notification.</summary>
    /// <param name="name">What messages call it.</param>
    public Notify(string name = "notify")
        : base(name)
    {
    }

    internal override string Kind => "notify";

    internal override ManagedTask? Holder => null;

    /// <summary>Waits for a notification; takes the kept one if there is one. A cancellation point of the waiting task.</summary>
    /// <remarks>The wait counts for <see cref="NotifyWaiters"/> from this call on, for <see cref="NotifyOne"/> from its await on.</remarks>
    /// <exception cref="ObjectDisposedException">At the await: it was disposed.</exception>
    public PrimitiveAwaitable WaitAsync() => WaitAsync(default);

    /// <summary>As <see cref="WaitAsync()"/>, for plain code that runs for no task.</summary>
    /// <param name="cancellationToken">Ends the wait with an <see cref="OperationCanceledException"/>.</param>
    /// <inheritdoc cref="WaitAsync()"/>
    public PrimitiveAwaitable WaitAsync(CancellationToken cancellationToken) => new(new PrimitiveAwaitable<bool>(this, Atomics.Read(ref _calls), cancellationToken));

    /// <summary>Tells who has waited longest; when nobody waits, the next who comes.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public void NotifyOne()
    {
        if (!TryNotifyOne())
        {
            throw ClosedError();
        }
    }

    /// <summary>Tells all who wait now. Those who come later have to wait.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public void NotifyWaiters()
    {
        Gate.Enter();
        if (IsClosed)
        {
            Gate.Exit();
            throw ClosedError();
        }

        Atomics.Write(ref _calls, _calls + 1);
        WaitNode? all = ClaimLocked(out _);
        Gate.Exit();
        WakeAll(all, WaitSignal.Done);
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Describe();

    internal override void Seat(WaitNode node, int armed)
    {
        Gate.Enter();
        if (!node.IsArmed(armed))
        {
            Gate.Exit();
            return;
        }

        bool told = node.Due != _calls;
        if (!told && !_kept && !IsClosed)
        {
            Queue.Append(node);
            Gate.Exit();
            return;
        }

        bool claimed = node.TryClaim();
        if (claimed)
        {
            node.Signal = IsClosed ? WaitSignal.Closed : WaitSignal.Done;
            if (!told && !IsClosed)
            {
                _kept = false;
                node.Slot = Chosen;
            }
        }

        Gate.Exit();
        if (claimed)
        {
            node.GoOn();
        }
    }

    internal override string Describe()
    {
        Gate.Enter();
        string state = IsClosed ? "closed" : _kept ? "with a notification kept" : "with none kept";
        int waiting = Queue.Count;
        Gate.Exit();
        return $"{Title}, {state} ({waiting} waiting)";
    }

    private protected override bool TryCloseLocked(long ticket)
    {
        _kept = false;
        return true;
    }

    bool IAwaited<bool>.TryTake(long request, out bool result)
    {
        Gate.Enter();
        result = !IsClosed && (request != _calls || _kept);
        if (result && request == _calls)
        {
            _kept = false;
        }

        Gate.Exit();
        return result;
    }

    bool IAwaited<bool>.Take(WaitNode node, WaitSignal signal, CancellationToken token)
    {
        if (signal == WaitSignal.Closed)
        {
            throw ClosedError();
        }

        if (PrimitiveWait.IsGivenUp(node, token))
        {
            if (node.Slot == Chosen)
            {
                TryNotifyOne();
            }

            PrimitiveWait.ThrowGivenUp(node, this, token);
        }

        return true;
    }

    private bool TryNotifyOne()
    {
        Gate.Enter();
        if (IsClosed)
        {
            Gate.Exit();
            return false;
        }

        WaitNode? first = Queue.ClaimFirst();
        if (first is null)
        {
            _kept = true;
        }

        Gate.Exit();
        if (first is not null)
        {
            first.Slot = Chosen;
            Wake(first, WaitSignal.Done);
        }

        return true;
    }
}
