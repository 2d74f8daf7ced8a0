using System.Globalization;
using Moirai.Execution;
using Moirai.Lifecycle;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>The end of a one-shot that gets the value. Made by <see cref="OneShot.Create"/>.</summary>
/// <remarks>
/// The value is given out once; it stays here until it is received, also when the sender has gone meanwhile. One caller receives at a time.
/// <para><b>Cancellation.</b> A canceled receive takes nothing: the value can still be received. Dispose the receiver when nobody wants the value any more: then the sender is told.</para>
/// </remarks>
/// <typeparam name="T">What is received.</typeparam>
public sealed class OneShotReceiver<T> : SynchronizationPrimitive, IAwaited<T>, IHeld, IPromise, ILosable
{
    // Why the promise is broken, beside the tickets of those who answer for it.
    internal const long SenderDisposed = -1;
    internal const long Lost = -2;

    // In WaitNode.Slot: somebody waits here already.
    private const short Refused = 1;

    private readonly TaskId _maker;
    private readonly string? _makerName;
    private readonly string _file;
    private readonly int _line;

    // All below under the gate.
    private Stage _stage;
    private T? _value;

    // Who was waiting when the value came, until it has run and taken it: the value is its own.
    private WaitNode? _heir;

    // Who answers for the sender, and with which ticket; null and 0 when nobody does. Read without the gate.
    private ManagedTask? _owner;
    private long _ticket;
    private long _lastTicket;

    // What has broken the promise: one of the above, or a ticket.
    private long _brokenBy;

    internal OneShotReceiver(string name, ManagedTask? maker, string file, int line)
        : base(name)
    {
        _maker = maker?.Id ?? default;
        _makerName = maker?.Name;
        _file = file;
        _line = line;
    }

    // No reference to the maker: it may have ended long ago.
    private enum Stage : byte
    {
        Promised,
        Sent,
        Received,
    }

    internal override string Kind => "one-shot";

    internal override ManagedTask? Holder => Atomics.Read(ref _owner);

    private string Origin => string.Create(
        CultureInfo.InvariantCulture,
        $"made at {(_file.Length == 0 ? "an unknown place" : Path.GetFileName(_file))}:{_line} by {(_makerName is null ? "plain code" : $"{_maker} '{_makerName}'")}");

    /// <summary>Waits for the value, and takes it. A cancellation point of the waiting task.</summary>
    /// <exception cref="BrokenSynchronizationException">At the await: the sender has gone and will send nothing.</exception>
    /// <exception cref="InvalidOperationException">At the await: the value was received before, or somebody else waits for it.</exception>
    /// <exception cref="ObjectDisposedException">At the await: the receiver was disposed.</exception>
    public PrimitiveAwaitable<T> ReceiveAsync() => ReceiveAsync(default);

    /// <summary>As <see cref="ReceiveAsync()"/>, for plain code that runs for no task.</summary>
    /// <param name="cancellationToken">Ends the wait with an <see cref="OperationCanceledException"/>.</param>
    /// <inheritdoc cref="ReceiveAsync()"/>
    public PrimitiveAwaitable<T> ReceiveAsync(CancellationToken cancellationToken) => new(this, 0, cancellationToken);

    /// <summary>Takes the value if it is there.</summary>
    /// <returns>False when nothing was sent yet, or what was sent is on its way to somebody who waited for it.</returns>
    /// <inheritdoc cref="ReceiveAsync()" path="/exception"/>
    public bool TryReceive(out T value) => TryReceive(null, out value);

    private bool TryReceive(WaitNode? waiter, out T value)
    {
        Gate.Enter();
        bool closed = IsClosed;
        Stage stage = _stage;
        bool taken = TryTakeLocked(waiter, out value);
        Gate.Exit();
        if (closed)
        {
            throw ClosedError();
        }

        return stage == Stage.Received ? throw ReceivedError() : taken;
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Describe();

    internal bool TrySend(T value)
    {
        Gate.Enter();
        bool first = _stage == Stage.Promised;
        if (!first || IsClosed)
        {
            Gate.Exit();
            return !first
                ? throw new InvalidOperationException($"{Capitalized}, {Origin}, was sent a second value. A one-shot sends once: the first value stays. For more than one take a channel.")
                : _brokenBy switch
                {
                    0 => false,
                    SenderDisposed => throw new ObjectDisposedException(Title, $"The sender of {Title}, {Origin}, was disposed before it sent: the receiver was told that nothing comes. Send, then dispose."),
                    _ => throw ClosedError(),
                };
        }

        _value = value;
        _stage = Stage.Sent;
        RelieveLocked();
        WaitNode? waiter = Queue.ClaimFirst();
        Atomics.WriteOwn(ref _heir, waiter);
        Gate.Exit();
        if (waiter is not null)
        {
            Wake(waiter, WaitSignal.Done);
        }

        return true;
    }

    internal void TakeOver()
    {
        ManagedTask? task = ManagedTask.Stepped;
        Gate.Enter();
        long ticket = 0;
        if (_stage == Stage.Promised && !IsClosed)
        {
            RelieveLocked();
            if (task is not null)
            {
                ticket = ++_lastTicket;
                Atomics.Write(ref _owner, task);
                Atomics.Write(ref _ticket, ticket);
            }
        }

        Gate.Exit();
        if (ticket != 0)
        {
            StepContext.Current.AddHold(this, ticket);
        }
    }

    /// <summary>The sender will send nothing.</summary>
    internal void SenderHasGone(long reason)
    {
        if (Owes)
        {
            Break(_maker, _makerName ?? "plain code", reason, TaskEvent.Fail); // which looks again
        }
    }

    internal override void Seat(WaitNode node, int armed)
    {
        Gate.Enter();
        if (!node.IsArmed(armed))
        {
            Gate.Exit();
            return;
        }

        if (_stage == Stage.Promised && !IsClosed && Queue.Count == 0)
        {
            Queue.Append(node);
            Gate.Exit();
            return;
        }

        bool refused = (_stage == Stage.Promised || Atomics.ReadOwn(in _heir) is not null) && !IsClosed;
        bool claimed = node.TryClaim();
        if (claimed && !refused && _stage == Stage.Sent)
        {
            Atomics.WriteOwn(ref _heir, node);
        }

        Gate.Exit();
        if (claimed)
        {
            node.Signal = refused || IsClosed ? WaitSignal.Closed : WaitSignal.Done;
            node.Slot = refused ? Refused : (short)0;
            node.GoOn();
        }
    }

    private bool Owes
    {
        get
        {
            Gate.Enter();
            bool owes = _stage == Stage.Promised && !IsClosed;
            Gate.Exit();
            return owes;
        }
    }

    bool ILosable.Owes => Owes;

    void ILosable.WasLost() => SenderHasGone(Lost);

    bool IPromise.IsUnresolved
    {
        get
        {
            Gate.Enter();
            bool unresolved = _stage != Stage.Received && !IsClosed;
            Gate.Exit();
            return unresolved;
        }
    }

    string IPromise.Describe() => Describe();

    internal override string Describe()
    {
        Gate.Enter();
        Stage stage = _stage;
        int waiting = Queue.Count;
        Gate.Exit();
        string state = IsClosed ? "closed"
            : stage == Stage.Sent ? "sent and not received"
            : stage == Stage.Received ? "received"
            : Holder is { } owner ? $"owed by {owner.Title}" : "not sent";
        return $"{Title}, {Origin}, {state} ({waiting} waiting)";
    }

    private protected override bool TryCloseLocked(long ticket)
    {
        if (ticket != 0 && (_stage != Stage.Promised || (ticket > 0 && ticket != _ticket)))
        {
            return false; // the promise was kept, or somebody else answers for it now
        }

        _brokenBy = ticket;
        _value = default;
        Atomics.WriteOwn(ref _heir, null);
        RelieveLocked();
        return true;
    }

    private protected override BrokenSynchronizationException BrokenError(TaskId holder, string holderName, string end)
    {
        string why = _brokenBy switch
        {
            SenderDisposed => "its sender was disposed without sending",
            Lost => "its sender was lost without sending: nobody could reach it any more, and it was collected",
            _ => $"{end} without sending, and had taken the sender over",
        };
        return new BrokenSynchronizationException(
            $"{Capitalized}, {Origin}, is broken: {why}. Nothing will come. Send on every path of the code that has the sender, its failures included.",
            Name,
            holder,
            holderName);
    }

    bool IAwaited<T>.TryTake(long request, out T result)
    {
        Gate.Enter();
        bool taken = TryTakeLocked(waiter: null, out result);
        Gate.Exit();
        return taken;
    }

    T IAwaited<T>.Take(WaitNode node, WaitSignal signal, CancellationToken token)
    {
        if (node.Slot == Refused)
        {
            throw new InvalidOperationException($"{Capitalized}, {Origin}, is waited for by somebody else. A value that is given out once has one receiver; for several take AsyncOnce.");
        }

        return TryReceive(node, out T value) ? value : throw ReceivedError();
    }

    bool IHeld.IsHeld(long ticket) => Atomics.Read(ref _ticket) == ticket;

    void IHeld.HolderEnded(ManagedTask task, long ticket, TaskEvent how) => Break(task, ticket, how);

    private InvalidOperationException ReceivedError() =>
        new($"The value of {Title}, {Origin}, was received before. It is given out once: keep it, or share it with AsyncOnce.");

    // What has come to somebody who waited is for nobody else.
    private bool TryTakeLocked(WaitNode? waiter, out T value)
    {
        WaitNode? heir = Atomics.ReadOwn(in _heir);
        if (_stage != Stage.Sent || IsClosed || (heir is not null && !ReferenceEquals(heir, waiter)))
        {
            value = default!;
            return false;
        }

        value = _value!;
        _value = default;
        _stage = Stage.Received;
        Atomics.WriteOwn(ref _heir, null);
        return true;
    }

    private void RelieveLocked()
    {
        Atomics.Write(ref _owner, null);
        Atomics.Write(ref _ticket, 0);
    }
}
