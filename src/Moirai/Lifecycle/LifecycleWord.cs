namespace Moirai.Lifecycle;

/// <summary>A task's state and the ticket of its current wait, in one atomic word. The only place that changes a state.</summary>
/// <remarks>
/// Who may write: in every state but Blocked exactly one party owns the task (the spawner, then the thread that steps it,
/// then whoever won its wait and makes it ready), and only the owner moves it. In Blocked the word is moved by
/// compare-and-swap alone, and the party whose swap succeeds is the new owner. So a wait has one winner.
/// <para>Low three bits: <see cref="TaskState"/>. Bit 3: the wait may be interrupted by cancellation. The rest: the ticket,
/// which grows with every wait, so that a registration that comes late sees that the task has moved on.</para>
/// </remarks>
internal struct LifecycleWord
{
    private const int StateMask = 0b0111;
    private const int InterruptibleBit = 0b1000;
    private const int TicketStep = 0b1_0000;
    private const int TicketMask = ~(StateMask | InterruptibleBit);

    private int _word;

    public readonly TaskState State => (TaskState)(Atomics.Read(in _word) & StateMask);

    /// <summary>How many waits the task has begun, modulo 2²⁸.</summary>
    public readonly int Waits => (int)((uint)Atomics.Read(in _word) / TicketStep);

    /// <summary>The word as it is now, for a later claim.</summary>
    public readonly int Peek() => Atomics.Read(in _word);

    /// <summary>The owner moves the task along one row.</summary>
    public void Move(TaskEvent on)
    {
        int word = Atomics.ReadOwn(in _word);
        var to = (int)LifecycleTable.Next((TaskState)(word & StateMask), on);
        Atomics.Write(ref _word, (word & TicketMask) | to);
    }

    /// <summary>The running owner gives the task up to whoever claims the wait it begins. A full fence: what was written before
    /// is seen by the claimant, and what the owner reads next is newer than this.</summary>
    /// <returns>The armed word, which identifies this wait.</returns>
    public int Park(bool interruptible)
    {
        int word = Atomics.ReadOwn(in _word);
        int armed = ((word & TicketMask) + TicketStep)
            | (int)LifecycleTable.Next((TaskState)(word & StateMask), TaskEvent.Park)
            | (interruptible ? InterruptibleBit : 0);
        Atomics.Exchange(ref _word, armed);
        return armed;
    }

    /// <summary>Whether the wait that <paramref name="armed"/> names is still unclaimed.</summary>
    public readonly bool IsArmed(int armed) => Atomics.Read(in _word) == armed;

    /// <summary>Claims the current wait, whichever it is. For callers that hold the lock of the queue in which the wait is linked.</summary>
    /// <returns>True for exactly one caller a wait, who owns the task from then on.</returns>
    public bool TryWake() => TryWake(Atomics.Read(ref _word));

    /// <summary>Claims the wait that <paramref name="armed"/> names.</summary>
    public bool TryWake(int armed)
    {
        if ((TaskState)(armed & StateMask) != TaskState.Blocked)
        {
            return false;
        }

        int ready = (armed & TicketMask) | (int)LifecycleTable.Next(TaskState.Blocked, TaskEvent.Wake);
        return Atomics.CompareExchange(ref _word, ready, armed) == armed;
    }

    /// <summary>Claims the current wait if cancellation may interrupt it.</summary>
    public bool TryInterrupt()
    {
        int armed = Atomics.Read(ref _word);
        return (armed & InterruptibleBit) != 0 && TryWake(armed);
    }

    /// <summary>Claims the wait that <paramref name="armed"/> names if it is one on foreign code, which cancellation does not interrupt.</summary>
    public bool TryWakeForeign(int armed) => (armed & InterruptibleBit) == 0 && TryWake(armed);
}
