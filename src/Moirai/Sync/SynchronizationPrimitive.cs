using Moirai.Execution;
using Moirai.Ground;
using Moirai.Lifecycle;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>What all of Moirai's synchronization primitives have in common: a name, those who wait, and an end.</summary>
/// <remarks>
/// All members are safe from any thread. Primitives serve managed tasks of any runtime, and plain <c>async</c> code.
/// <para>A primitive is open until it is disposed, or broken by a holder that ends without giving back. Then everybody who waits is told, and so is whoever comes later:
/// <see cref="ObjectDisposedException"/> or <see cref="BrokenSynchronizationException"/>. Not for derivation outside Moirai.</para>
/// </remarks>
public abstract class SynchronizationPrimitive : IPrimitiveQueue, IBlocking, IPlainSeats, IDisposable
{
    // Guards the queue and the end, and whatever else the primitive says. Taken for a few instructions; no user code runs under it.
    private protected SpinGate Gate;

    // Who waits, first come first served. Under the gate.
    private protected WaitQueue Queue;

    // Null while the primitive is open; then why it is not. Written once, under the gate.
    private Closing? _closing;

    private protected SynchronizationPrimitive(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        Name = name;
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>How many wait now. Exact.</summary>
    public int Waiting
    {
        get
        {
            Gate.Enter();
            int count = Queue.Count;
            Gate.Exit();
            return count;
        }
    }

    /// <summary>What it is, for messages: <c>mutex</c>.</summary>
    internal abstract string Kind { get; }

    /// <summary>The task that has it to itself; null when nobody has, or plain code.</summary>
    internal abstract ManagedTask? Holder { get; }

    /// <summary>The task before which nobody who waits here can go on; null when there is none, or more than one.</summary>
    internal virtual ManagedTask? Blocker => null;

    /// <summary>Kind and name, for messages: <c>mutex 'cache'</c>.</summary>
    internal string Title => $"{Kind} '{Name}'";

    internal bool IsClosed => Atomics.Read(ref _closing) is not null;

    /// <summary>Ends the use of it. Those who wait get an <see cref="ObjectDisposedException"/>, and so does whoever comes later; who holds it may go on and
    /// give back. Disposing again does nothing.</summary>
    public void Dispose()
    {
        Close(new Closing(null, default, default), ticket: 0);
        GC.SuppressFinalize(this);
    }

    /// <summary>Seats a waiter that has armed its wait, or lets it go on at once.</summary>
    internal abstract void Seat(WaitNode node, int armed);

    /// <summary>A waiter comes that was invited, or that gave way before its wait. Here it simply begins its wait; see <see cref="IPrimitiveQueue.Accept"/>.</summary>
    internal virtual bool Accept(WaitNode node)
    {
        if (node.Rearm(out int armed))
        {
            Seat(node, armed);
        }

        return false;
    }

    /// <summary>The error of a wait that ended with <see cref="WaitSignal.Closed"/>.</summary>
    internal Exception ClosedError()
    {
        Closing closing = Atomics.Read(ref _closing)!;
        if (closing.Holder is not { } holder)
        {
            return new ObjectDisposedException(Title, $"{Capitalized} has been disposed: nobody gets it any more. Let those who use it end before you dispose it, or cancel them.");
        }

        string end = closing.How switch { TaskEvent.Complete => "completed", TaskEvent.Fail => "failed", _ => "was canceled" };
        return BrokenError(closing.HolderId, holder, $"{closing.HolderId} '{holder}' {end}");
    }

    /// <summary>The error of a primitive that was broken.</summary>
    /// <param name="holder">Who broke it.</param>
    /// <param name="holderName">Its name.</param>
    /// <param name="end">How it ended, as a sentence without a full stop.</param>
    private protected virtual BrokenSynchronizationException BrokenError(TaskId holder, string holderName, string end) => new(
        $"{Capitalized} is broken: {end} without giving it back, so what it guards may be half changed. "
        + "Give back with a using block around what is guarded; put the state in order and make a new one.",
        Name,
        holder,
        holderName);

    /// <summary>What it is and who has it, for messages: <c>mutex 'cache', held by #5 'writer' (2 wait)</c>.</summary>
    internal abstract string Describe();

    /// <summary>What a waiter here waits for, without the state of the primitive: <c>mutex 'cache'</c>, <c>room in channel 'orders'</c>.</summary>
    internal virtual string WaitTitle(WaitNode node) => Title;

    /// <summary>Tells waits with different titles apart.</summary>
    internal virtual int WaitAspect(WaitNode node) => 0;

    /// <summary>The tasks that wait now, in order; null stands for plain code. For snapshots.</summary>
    internal virtual List<ManagedTask?> CopyWaiters()
    {
        List<ManagedTask?> waiters = [];
        Gate.Enter();
        for (WaitNode? node = Queue.Head; node is not null; node = node.Next)
        {
            waiters.Add((node as Frame)?.Owner);
        }

        Gate.Exit();
        return waiters;
    }

    CallbackSeat? IPlainSeats.FindSeat(object method)
    {
        Gate.Enter();
        WaitNode? node = Queue.Head;
        while (node is not null && !(node is CallbackSeat seat && seat.Continues(method)))
        {
            node = node.Next;
        }

        Gate.Exit();
        return node as CallbackSeat;
    }

    /// <inheritdoc cref="IBlocking.HasManyBlockers"/>
    private protected virtual bool HasManyBlockers => false;

    /// <inheritdoc cref="IBlocking.IsBlockedBy"/>
    private protected virtual bool IsBlockedBy(ManagedTask task, WaitNode waiter) => ReferenceEquals(Blocker, task);

    /// <inheritdoc cref="IBlocking.AddBlockers"/>
    private protected virtual void AddBlockers(WaitNode waiter, List<ManagedTask> blockers)
    {
        if (Blocker is { } blocker)
        {
            blockers.Add(blocker);
        }
    }

    /// <inheritdoc cref="IBlocking.AcquiredAt"/>
    private protected virtual string? AcquiredAt(ManagedTask holder) => null;

    /// <inheritdoc cref="IBlocking.AddBlocked"/>
    private protected virtual void AddBlocked(List<ManagedTask> blocked)
    {
        Gate.Enter();
        for (WaitNode? node = Queue.Head; node is not null; node = node.Next)
        {
            if (node is Frame { Owner: { } owner })
            {
                blocked.Add(owner);
            }
        }

        Gate.Exit();
    }

    /// <summary>The primitive behind a queue that somebody waits in; null when it is no primitive.</summary>
    internal static SynchronizationPrimitive? Behind(object? queue) =>
        queue as SynchronizationPrimitive ?? (queue as IWatchedWait)?.Primitive;

    /// <summary>Closes it if <paramref name="task"/> still holds it: see <see cref="IHeld.HolderEnded"/>.</summary>
    private protected void Break(ManagedTask task, long ticket, TaskEvent how) => Break(task.Id, task.Name, ticket, how);

    /// <inheritdoc cref="Break(ManagedTask, long, TaskEvent)"/>
    private protected void Break(TaskId holder, string holderName, long ticket, TaskEvent how) => Close(new Closing(holderName, holder, how), ticket);

    /// <summary>Under the gate, while the primitive is open: nobody gets it from now on.</summary>
    /// <param name="ticket">0, or the ticket of who breaks it.</param>
    /// <returns>False when what was got with the ticket was given back: the primitive stays open.</returns>
    private protected abstract bool TryCloseLocked(long ticket);

    /// <summary>Under the gate, when a waiter has left the queue without getting anything.</summary>
    /// <returns>Who can go on because of that, claimed, linked by <see cref="WaitNode.Next"/>.</returns>
    private protected virtual WaitNode? LeftLocked() => null;

    /// <summary>It was closed, and those who waited were told. Under no gate.</summary>
    private protected virtual void Closed()
    {
    }

    /// <summary>Makes a claimed waiter ready.</summary>
    private protected static void Wake(WaitNode node, WaitSignal signal)
    {
        node.Signal = signal;
        var batch = default(WakeBatch);
        node.Resume(ref batch);
        batch.Flush();
    }

    /// <summary>Makes a chain of claimed waiters ready.</summary>
    private protected static void WakeAll(WaitNode? first, WaitSignal signal)
    {
        var batch = default(WakeBatch);
        while (first is not null)
        {
            WaitNode? next = first.Next;
            first.Next = null;
            first.Signal = signal;
            first.Resume(ref batch);
            first = next;
        }

        batch.Flush();
    }

    /// <summary>Takes out the first who wait and can be claimed. Under the gate.</summary>
    /// <param name="count">How many there were.</param>
    /// <param name="most">How many there may be; all by default.</param>
    /// <returns>Them, in order, linked by <see cref="WaitNode.Next"/>.</returns>
    private protected WaitNode? ClaimLocked(out int count, int most = int.MaxValue)
    {
        var claimed = default(ClaimedChain);
        for (count = 0; count < most && Queue.ClaimFirst() is { } node; count++)
        {
            claimed.Add(node);
        }

        return claimed.First;
    }

    /// <summary>Kind and name at the head of a sentence.</summary>
    internal string Capitalized => $"{char.ToUpperInvariant(Kind[0])}{Kind.AsSpan(1)} '{Name}'";

    private void Close(Closing closing, long ticket)
    {
        Gate.Enter();
        if (_closing is not null || !TryCloseLocked(ticket))
        {
            Gate.Exit();
            return;
        }

        Atomics.Write(ref _closing, closing);
        WaitNode? first = ClaimLocked(out _);
        Gate.Exit();
        WakeAll(first, WaitSignal.Closed);
        Closed();
    }

    bool IPrimitiveQueue.Accept(WaitNode node) => Accept(node);

    void IWaitQueue.Remove(WaitNode node)
    {
        Gate.Enter();
        WaitNode? freed = Queue.Remove(node) ? LeftLocked() : null;
        Gate.Exit();
        WakeAll(freed, WaitSignal.Done);
    }

    string IWaitQueue.DescribeWait(WaitNode node) => Describe();

    string IBlocking.WaitedFor => Title;

    ManagedTask? IBlocking.Blocker => Blocker;

    bool IBlocking.HasManyBlockers => HasManyBlockers;

    bool IBlocking.IsBlockedBy(ManagedTask task, WaitNode waiter) => IsBlockedBy(task, waiter);

    void IBlocking.AddBlockers(WaitNode waiter, List<ManagedTask> blockers) => AddBlockers(waiter, blockers);

    void IBlocking.AddBlocked(List<ManagedTask> blocked) => AddBlocked(blocked);

    string? IBlocking.AcquiredAt(ManagedTask holder) => AcquiredAt(holder);

    /// <summary>Why a primitive serves nobody any more. No reference to the task: a broken primitive keeps nothing of it.</summary>
    /// <param name="Holder">The name of who broke it; null when it was disposed.</param>
    /// <param name="HolderId">Its id.</param>
    /// <param name="How">How it ended.</param>
    private sealed record Closing(string? Holder, TaskId HolderId, TaskEvent How);
}
