using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Lifecycle;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>One at a time: a lock that is awaited, and may be held across awaits.</summary>
/// <remarks>
/// <c>using (await mutex.LockAsync()) { … }</c>. Taking and releasing a free mutex allocates nothing; neither does waiting for it in an <c>async Future</c> method.
/// <para><b>Who holds it.</b> The managed task whose code takes it; plain code has no identity. A task that ends without releasing breaks the mutex: what it guards may be half changed, so
/// those who wait, and whoever comes later, get a <see cref="BrokenSynchronizationException"/> with the task's name. A task that asks for a mutex that it holds gets
/// a <see cref="LockRecursionException"/> instead of waiting for itself; plain code inside the task cannot be told from others, and does wait.</para>
/// <para><b>Who is next.</b> Those who wait are first come first served among themselves. A release does not set the mutex aside for the first of them: it is free, the first is made
/// ready, and until it comes others may take it, above all the task that runs and has just released it. That keeps a busy mutex fast. It cannot go on for ever: a waiter that came in
/// vain is first again, and when it has come in vain four times the next release keeps the mutex for it.</para>
/// <para><b>Cancellation.</b> A canceled wait takes nothing, and whoever it was in front of is next. When release and cancellation race, either the waiter has the mutex, and its next
/// wait throws, or it never had it.</para>
/// <para><b>Plain code inside tasks.</b> <see cref="ManagedTask.Current"/> is the task of the thread. Plain code that is continued inline by a task's step, such as by a <c>TaskCompletionSource</c> that
/// the task completes, counts as that task when it takes a free mutex with <see cref="LockAsync(string, int)"/>. <see cref="LockAsync(CancellationToken)"/> puts down no holder: it is the one for plain code.</para>
/// </remarks>
public sealed partial class AsyncMutex : SynchronizationPrimitive, IHeld, ILeased
{
    // How often a waiter comes in vain before the mutex is kept for it.
    internal const int MostVainCalls = 4;

    // In WaitNode.Due, above ILeased.Owned: how often the waiter has come in vain.
    private const long VainCall = 2;

    // In WaitNode.Slot: the node was invited by a release. Else it asks for the first time.
    private const short Invitee = 1;

    private MutexWord _word = new();

    // Who took it last that is a task, and with which ticket: it has the mutex as long as the word says the same. Written by who has it, in this order; a release writes nothing here, since a copy of
    // the lease may be slower than the next holder. Cleared when the task drops its note of having taken it.
    private ManagedTask? _holder;
    private long _holderTicket;

    // Where it was taken, for who tells of a ring. Written by who has it, before the ticket.
    private string _file = string.Empty;
    private int _line;

    /// <summary>Makes a free mutex.</summary>
    /// <param name="name">What messages call it.</param>
    public AsyncMutex(string name = "mutex")
        : base(name)
    {
    }

    /// <summary>Whether somebody has it.</summary>
    public bool IsLocked => (_word.Read() & MutexWord.Locked) != 0;

    internal override string Kind => "mutex";

    internal override ManagedTask? Holder
    {
        get
        {
            // In this order: whoever takes the mutex next changes the word first.
            long ticket = Atomics.Read(ref _holderTicket);
            ManagedTask? holder = Atomics.Read(ref _holder);
            return IsHeld(ticket) ? holder : null;
        }
    }

    internal override ManagedTask? Blocker => Holder;

    /// <summary>Takes the mutex, when it is free: await the result, and dispose what that gives. A cancellation point of the waiting task.</summary>
    /// <param name="file">Filled in by the compiler: where it is taken, for <see cref="DeadlockEdge.AcquiredAt"/>.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <exception cref="LockRecursionException">At the await: the current task holds it.</exception>
    /// <exception cref="DeadlockException">At the await: the wait would close a ring of tasks that wait for each other.</exception>
    /// <exception cref="BrokenSynchronizationException">At the await: a holder has ended without releasing.</exception>
    /// <exception cref="ObjectDisposedException">At the await: it was disposed.</exception>
    public LeaseAwaitable<MutexLease> LockAsync([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => new(this, ILeased.Owned, default, file, line);

    /// <summary>As <see cref="LockAsync(string, int)"/>, for plain code that runs for no task: <paramref name="cancellationToken"/> ends the wait. No holder is put down.</summary>
    /// <param name="cancellationToken">Canceled: the await throws an <see cref="OperationCanceledException"/>, and has taken nothing.</param>
    /// <inheritdoc cref="LockAsync(string, int)"/>
    public LeaseAwaitable<MutexLease> LockAsync(CancellationToken cancellationToken) => new(this, 0, cancellationToken);

    /// <summary>Takes the mutex if it is free and nobody waits for it.</summary>
    /// <param name="lease">Dispose it to release.</param>
    /// <param name="file">Filled in by the compiler: where it is taken.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <returns>False when somebody has it, the current task included, or waits for it.</returns>
    /// <exception cref="BrokenSynchronizationException">A holder has ended without releasing.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public bool TryLock(out MutexLease lease, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        if (_word.TryLockInTurn(out long ticket))
        {
            PutDown(StepContext.Existing, ticket, file, line);
            lease = new MutexLease(this, ticket);
            return true;
        }

        if (IsClosed)
        {
            throw ClosedError();
        }

        lease = default;
        return false;
    }

    /// <summary>Releases the mutex that the current task has taken; for code that cannot keep the lease.</summary>
    /// <remarks>In plain code, which has no identity, it releases what some plain code has taken: keep the lease there.</remarks>
    /// <exception cref="SynchronizationLockException">Nobody has it, or somebody else. Nothing is released.</exception>
    public void Unlock()
    {
        if (!IsHeldByCaller(out long ticket))
        {
            throw new SynchronizationLockException(
                $"{CallerTitle} wants to release {Describe()}, and does not hold it. Release once for each LockAsync, in the task that took it; to let others release, hand them the lease.");
        }

        Release(ticket);
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Describe();

    /// <summary>Takes it if it is free, for the task that the context steps; null for nobody in particular.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryTake(StepContext? context, string file, int line, out long ticket)
    {
        if (!_word.TryLock(out ticket))
        {
            return false;
        }

        PutDown(context, ticket, file, line);
        return true;
    }

    void ILeased.Suspend(Frame frame, long request, CancellationToken token)
    {
        ManagedTask task = frame.Owner!;
        if ((request & ILeased.Owned) != 0 && ReferenceEquals(Holder, task))
        {
            // Told at the await, where the body can catch it.
            frame.Queue = this;
            frame.Signal = WaitSignal.Closed;
            task.Stepping.Next = frame;
            return;
        }

        PrimitiveWait.Suspend(frame, this, request, token);
    }

    long ILeased.EndWait(WaitNode node, WaitSignal signal, long request, string file, int line)
    {
        if (IsClosed)
        {
            throw ClosedError();
        }

        if (signal == WaitSignal.Closed)
        {
            throw RecursionError(ManagedTask.Current!);
        }

        long ticket = MutexWord.TicketOf(_word.Read());
        PutDown((request & ILeased.Owned) != 0 ? StepContext.Existing : null, ticket, file, line);
        return ticket;
    }

    private LockRecursionException RecursionError(ManagedTask task) => new(
        $"{task.Title} holds {Title} and asks for it again: it would wait for itself for ever. Release first, or pass the lease on to what needs it.");

    /// <summary>Who calls, for messages.</summary>
    internal static string CallerTitle => ManagedTask.Current is { } task ? task.Title : "Plain code";

    /// <summary>Whether the current task has it; in plain code, whether some plain code has.</summary>
    internal bool IsHeldByCaller(out long ticket)
    {
        long word = _word.Read();
        ticket = MutexWord.TicketOf(word);
        ManagedTask? holder = Holder;
        return MutexWord.IsHeld(word, ticket) && ReferenceEquals(holder, ManagedTask.Stepped);
    }

    internal bool IsHeld(long ticket) => MutexWord.IsHeld(_word.Read(), ticket);

    /// <summary>Releases what was taken with the ticket. Does nothing when that was released before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Release(long ticket)
    {
        if (!_word.TryUnlock(ticket))
        {
            ReleaseAndWake(ticket);
        }
    }

    /// <summary>As <see cref="Release"/>, for who has a gate to leave before it wakes.</summary>
    /// <returns>Whom to pass to <see cref="WakeInvited"/>.</returns>
    internal WaitNode? ReleaseWithoutWaking(long ticket) => _word.TryUnlock(ticket) || _word.TryUnlockForInvited(ticket) ? null : ReleaseAndInvite(ticket);

    // Somebody waits or is invited, or the ticket is no longer that of who has it.
    private void ReleaseAndWake(long ticket)
    {
        if (!_word.TryUnlockForInvited(ticket))
        {
            WakeInvited(IsHeld(ticket) ? ReleaseAndInvite(ticket) : ReleaseWithoutWaking(StandsFor(ticket)));
        }
    }

    private void PutDown(StepContext? context, long ticket, string file, int line)
    {
        if (context?.Task is { } task)
        {
            if (!ReferenceEquals(_file, file))
            {
                _file = file;
            }

            _line = line;
            if (!ReferenceEquals(Atomics.ReadOwn(in _holder), task))
            {
                Atomics.WriteOwn(ref _holder, task);
            }

            Atomics.Write(ref _holderTicket, ticket);
            context.AddHold(this, ticket);
        }
    }

    internal override void Seat(WaitNode node, int armed)
    {
        bool invited = node.Slot == Invitee;
        Gate.Enter();
        if (!node.IsArmed(armed))
        {
            WaitNode? next = invited ? InviteNextLocked() : null;
            Gate.Exit();
            WakeInvited(next);
            return;
        }

        bool taken = false;
        while (!_word.TryAnnounceWaiter(invited))
        {
            // Free or closed by now.
            taken = TryTakeFor(node);
            if (taken || IsClosed)
            {
                bool claimed = node.TryClaim();
                Gate.Exit();
                if (claimed)
                {
                    node.Signal = taken ? WaitSignal.Done : WaitSignal.Closed;
                    node.GoOn();
                }
                else if (taken)
                {
                    Release(MutexWord.TicketOf(_word.Read())); // canceled at the last moment
                }

                return;
            }
        }

        if (invited)
        {
            Queue.Prepend(node);
        }
        else
        {
            Queue.Append(node);
        }

        Gate.Exit();
    }

    internal override bool Accept(WaitNode node)
    {
        bool invited = node.Slot == Invitee;
        if (TryTakeFor(node))
        {
            node.Signal = WaitSignal.Done;
            return true;
        }

        if (IsClosed)
        {
            node.Signal = WaitSignal.Closed;
            return true;
        }

        if (invited)
        {
            node.Due += VainCall;
        }

        if (node.Rearm(out int armed))
        {
            Seat(node, armed);
        }
        else if (invited)
        {
            Gate.Enter();
            WaitNode? next = InviteNextLocked();
            Gate.Exit();
            WakeInvited(next);
        }

        return false;
    }

    private bool TryTakeFor(WaitNode node) => node.Slot == Invitee ? _word.TryLockAsInvited() : _word.TryLock(out _);

    internal override string Describe()
    {
        long word = _word.Read();
        string holder = IsClosed ? "closed"
            : (word & MutexWord.Reserved) != 0 ? "on its way to the next in line"
            : (word & MutexWord.Locked) == 0 ? "free"
            : Holder is { } task ? $"held by {task.Title}" : "held by plain code";
        return $"{Title}, {holder} ({Waiting} waiting)";
    }

    private protected override string? AcquiredAt(ManagedTask holder) => ReferenceEquals(Holder, holder) ? CallerSite.Of(_file, _line) : null;

    private protected override bool TryCloseLocked(long ticket) => _word.TryClose(ticket);

    bool IHeld.IsHeld(long ticket) => MutexWord.IsHeld(_word.Read(), ticket);

    void IHeld.HolderEnded(ManagedTask task, long ticket, TaskEvent how)
    {
        ((IHeld)this).Dropped(task, ticket); // a broken mutex keeps nothing of the task
        Break(task, ticket, how);
    }

    void IHeld.Dropped(ManagedTask task, long ticket)
    {
        // Only the task's own thread puts the task down here, and that is the one that calls.
        if (Atomics.Read(ref _holderTicket) == ticket)
        {
            _ = Atomics.CompareExchange(ref _holder, null, task);
        }
    }

    private WaitNode? ReleaseAndInvite(long ticket)
    {
        Gate.Enter();
        long word = _word.Read();
        if (!MutexWord.IsHeld(word, ticket))
        {
            Gate.Exit(); // a copy of the lease was faster
            return null;
        }

        WaitNode? next = null;
        long flags = word & MutexWord.Invited;
        if (flags == 0 && (next = Queue.ClaimFirst()) is not null)
        {
            flags = next.Due >= MostVainCalls * VainCall ? MutexWord.Invited | MutexWord.Reserved | MutexWord.Locked : MutexWord.Invited;
        }

        flags |= Queue.Count > 0 ? MutexWord.Waiters : 0;
        _word.TryUnlock(word, ticket, flags);
        Gate.Exit();
        return next;
    }

    /// <summary>Who was invited does not come. Under the gate.</summary>
    private WaitNode? InviteNextLocked()
    {
        _word.Mark(set: 0, clear: MutexWord.Invited);
        if ((_word.Read() & (MutexWord.Locked | MutexWord.Closed)) != 0)
        {
            return null; // who has it will invite the next
        }

        WaitNode? next = Queue.ClaimFirst();
        if (next is not null)
        {
            _word.Mark(set: MutexWord.Invited, clear: 0);
        }

        return next;
    }

    internal static void WakeInvited(WaitNode? node)
    {
        if (node is not null)
        {
            node.Slot = Invitee;
            Wake(node, WaitSignal.Invited);
        }
    }
}
