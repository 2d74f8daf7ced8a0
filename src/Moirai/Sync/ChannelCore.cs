using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>What the two ends of a channel share: the elements, who waits at either end, and the end of it all.</summary>
/// <remarks>
/// Everything is written under the gate. The rules:
/// <list type="number">
/// <item>An element that a waiting receiver was woken for is <b>promised</b>: it stays in the ring until the receiver comes for it, takes no room, and nobody else gets it. Promised ones
/// are the first in the ring; which receiver gets which does not matter. So a woken receiver can neither come in vain nor lose an element.</item>
/// <item>Somebody waits to receive ⇒ all elements are promised. Somebody waits to send ⇒ there is no room, reservations included. Waiters that were claimed elsewhere and have not left yet do not count.</item>
/// <item>The element of a waiting sender stands in <see cref="_parked"/>. Whoever claims the sender's wait takes it from there in the same breath: sent. A wait that ends otherwise was never sent.</item>
/// <item>With capacity 0 there is never room: a sender needs a waiting receiver, a receiver a waiting sender.</item>
/// </list>
/// </remarks>
internal sealed partial class ChannelCore<T> : SynchronizationPrimitive, IPrimitiveQueue
{
    // WaitNode.Due of who does not wait to send an element; else it is the slot of the element.
    internal const long ToReceive = -1;
    internal const long ToReserve = -2;

    private readonly Action<T>? _undelivered;
    private ElementRing<T> _elements = new();
    private ParkedElements<T> _parked = new();

    // Those who wait to send or to reserve; those who wait to receive are in the base's queue.
    private WaitQueue _senders;

    // How many elements belong to receivers that are on their way.
    private int _promised;

    // How many permits are out.
    private int _reserved;

    // Null while the channel is open. Written once.
    private ChannelEnd? _end;

    // The receiver is gone: nobody gets anything any more. Never reset.
    private bool _isDropped;

    internal ChannelCore(string name, int capacity, Action<T>? undelivered)
        : base(name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        Capacity = capacity;
        _undelivered = undelivered;
    }

    internal int Capacity { get; }

    internal override string Kind => "channel";

    internal override ManagedTask? Holder => null;

    /// <summary>Elements that a receiver could get now.</summary>
    internal int Count
    {
        get
        {
            Gate.Enter();
            int count = _elements.Count - _promised;
            Gate.Exit();
            return count;
        }
    }

    internal int WaitingToSend
    {
        get
        {
            Gate.Enter();
            int count = _senders.Count;
            Gate.Exit();
            return count;
        }
    }

    /// <summary>Elements of senders that wait, or are about to. For tests.</summary>
    internal int ParkedCount => _parked.Count;

    internal ChannelEnd? End => Atomics.Read(ref _end);

    /// <summary>Whether nothing more will come.</summary>
    internal bool IsOver
    {
        get
        {
            Gate.Enter();
            bool over = IsOverLocked;
            Gate.Exit();
            return over;
        }
    }

    /// <summary>Whether a receiver should ask: a glance without the gate, which may be a moment old.</summary>
    internal bool IsWorthAsking => _elements.Count != Atomics.Read(ref _promised) || _senders.Count > 0 || End is not null;

    /// <summary>Whether the receiver is gone.</summary>
    internal bool IsDropped => Atomics.Read(ref _isDropped);

    private bool HasRoomLocked => _elements.Count - _promised + _reserved < Capacity;

    private bool IsOverLocked => _isDropped || (Atomics.ReadOwn(in _end) is not null && _reserved == 0 && _elements.Count == _promised);

    internal ChannelAnswer TrySend(T element)
    {
        Gate.Enter();
        ChannelAnswer answer = TrySendLocked(element, out WaitNode? receiver);
        Gate.Exit();
        if (receiver is not null)
        {
            Wake(receiver, WaitSignal.Done);
        }

        return answer;
    }

    /// <summary>Sends, or parks the element for a wait that the caller begins now.</summary>
    internal ChannelAnswer SendOrPark(T element, bool mayGoOn, out int slot)
    {
        slot = 0;
        WaitNode? receiver = null;
        Gate.Enter();
        ChannelAnswer answer = mayGoOn ? TrySendLocked(element, out receiver) : ChannelAnswer.Later;
        if (answer == ChannelAnswer.Later)
        {
            slot = _parked.Park(element);
        }

        Gate.Exit();
        if (receiver is not null)
        {
            Wake(receiver, WaitSignal.Done);
        }

        return answer;
    }

    /// <summary>A wait to send has ended without sending.</summary>
    internal void Forget(int slot)
    {
        Gate.Enter();
        _parked.Take(slot);
        Gate.Exit();
    }

    internal ChannelAnswer TryReceive(out T element)
    {
        WaitNode? woken = null;
        var answer = ChannelAnswer.Done;
        Gate.Enter();
        if (_elements.Count > _promised)
        {
            element = _elements.TakeFirst();
            woken = _senders.Count > 0 ? SettleLocked() : null;
        }
        else if (Capacity == 0 && _senders.ClaimFirst() is { } sender)
        {
            element = _parked.Take((int)sender.Due);
            woken = sender;
        }
        else
        {
            element = default!;
            answer = IsOverLocked ? ChannelAnswer.Closed : ChannelAnswer.Later;
        }

        Gate.Exit();
        WakeAll(woken, WaitSignal.Done);
        return answer;
    }

    /// <summary>A woken receiver comes for what it was promised.</summary>
    /// <returns>False when the receiver was disposed meanwhile.</returns>
    internal bool TryFetch(out T element)
    {
        Gate.Enter();
        bool there = !_isDropped;
        if (there)
        {
            _promised--;
            element = _elements.TakeFirst();
        }
        else
        {
            element = default!;
        }

        Gate.Exit();
        return there;
    }

    internal ChannelAnswer TryReserve()
    {
        Gate.Enter();
        ChannelAnswer answer = _end is not null ? ChannelAnswer.Closed : HasRoomLocked ? ChannelAnswer.Done : ChannelAnswer.Later;
        if (answer == ChannelAnswer.Done)
        {
            _reserved++;
        }

        Gate.Exit();
        return answer;
    }

    /// <summary>A permit is used. It serves also after the channel was completed.</summary>
    /// <returns>False when the receiver is gone.</returns>
    internal bool SendReserved(T element)
    {
        Gate.Enter();
        bool there = !_isDropped;
        _reserved--;
        if (there)
        {
            _elements.Append(element);
        }

        SettleAndExit();
        return there;
    }

    /// <summary>A permit is given back.</summary>
    internal void ReturnPermit()
    {
        Gate.Enter();
        _reserved--;
        SettleAndExit();
    }

    /// <summary>Closes the channel, unless it is closed. Senders that wait have sent nothing; receivers that wait are told when nothing more will come.</summary>
    /// <param name="end">Why.</param>
    /// <param name="drop">Nobody will receive: let go of the elements, also when it was closed before.</param>
    /// <param name="left">What was let go of.</param>
    /// <returns>False when it was closed before.</returns>
    internal bool Close(ChannelEnd end, bool drop, out T[] left)
    {
        var told = default(ClaimedChain);
        left = [];
        Gate.Enter();
        bool isFirst = _end is null;
        if (isFirst)
        {
            Atomics.Write(ref _end, end);
        }

        if (drop && !_isDropped)
        {
            _isDropped = true;
            left = _elements.TakeAll();
            _promised = 0;
        }

        told.AddAll(ref _senders);
        if (IsOverLocked)
        {
            told.AddAll(ref Queue);
        }

        Gate.Exit();
        WakeAll(told.First, WaitSignal.Closed);
        return isFirst;
    }

    /// <summary>An end was collected. One that somebody waits at holds on to that waiter only: then it is the other one that is lost.</summary>
    internal void LoseEnd(bool isReceiver)
    {
        bool noReceiver = isReceiver ? Waiting == 0 : WaitingToSend > 0;
        Close(new ChannelEnd(noReceiver ? ChannelEnding.ReceiverLost : ChannelEnding.SenderLost, null, null), drop: noReceiver, out T[] left);
        if (left.Length > 0 && _undelivered is not null)
        {
            // User code, and not for the thread of the finalizers.
            ThreadPool.UnsafeQueueUserWorkItem(static all => all.Core.TellUndelivered(all.Left), (Core: this, Left: left), preferLocal: false);
        }
    }

    /// <summary>User code. Under no gate.</summary>
    internal void TellUndelivered(T element) => _undelivered?.Invoke(element);

    /// <inheritdoc cref="TellUndelivered(T)"/>
    internal void TellUndelivered(T[] elements)
    {
        List<Exception>? errors = null;
        foreach (T element in _undelivered is null ? [] : elements)
        {
            try
            {
                _undelivered!(element);
            }
            catch (Exception error)
            {
                (errors ??= []).Add(error);
            }
        }

        if (errors is not null)
        {
            throw new AggregateException($"The hook for undelivered elements of {Title} failed for {errors.Count} of {elements.Length}.", errors);
        }
    }

    internal Exception SendError() => ChannelClosedException.ToSender(this, End!);

    internal Exception ReceiveError()
    {
        ChannelEnd end = End!;
        return _isDropped && end.How != ChannelEnding.ReceiverLost
            ? new ObjectDisposedException(Title, $"The receiver of {Title} has been disposed: nobody receives here any more. Let those who receive end before you dispose it, or cancel them.")
            : ChannelClosedException.ToReceiver(this, end);
    }

    /// <summary>Whether who enumerates just ends.</summary>
    internal bool HasEndedWell => !_isDropped && End is { Error: null, How: ChannelEnding.Completed or ChannelEnding.ReceiverClosed };

    internal override List<ManagedTask?> CopyWaiters()
    {
        List<ManagedTask?> waiters = base.CopyWaiters();
        Gate.Enter();
        for (WaitNode? node = _senders.Head; node is not null; node = node.Next)
        {
            waiters.Add((node as Frame)?.Owner);
        }

        Gate.Exit();
        return waiters;
    }

    internal override string Describe()
    {
        Gate.Enter();
        int count = _elements.Count - _promised;
        int reserved = _reserved;
        int senders = _senders.Count;
        int receivers = Queue.Count;
        Gate.Exit();
        return $"{Title}, {(End is null ? "open" : "closed")}, {count} of {Capacity}{(reserved > 0 ? $" and {reserved} reserved" : string.Empty)} ({senders} waiting to send, {receivers} to receive)";
    }

    private protected override bool TryCloseLocked(long ticket) => false; // it is closed by its ends

    private ChannelAnswer TrySendLocked(T element, out WaitNode? receiver)
    {
        receiver = null;
        if (_end is not null)
        {
            return ChannelAnswer.Closed;
        }

        if (Capacity > 0 && !HasRoomLocked)
        {
            return ChannelAnswer.Later;
        }

        receiver = Queue.ClaimFirst();
        if (receiver is not null)
        {
            _promised++;
        }
        else if (Capacity == 0)
        {
            return ChannelAnswer.Later;
        }

        _elements.Append(element);
        return ChannelAnswer.Done;
    }
}
