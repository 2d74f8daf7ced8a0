namespace Moirai.Lifecycle;

/// <summary>A task's state and the ticket of its current wait, in one atomic word. The only place that changes a state.</summary>
/// <remarks>
/// Who may write: in every state but Blocked exactly one party owns the task (the spawner, then the thread that steps it,
/// then whoever won its wait and makes it ready), and only the owner moves it. In Blocked the word is moved by
/// compare-and-swap alone, and the party whose swap succeeds is the new owner. So a wait has one winner.
/// <para>Low three bits: <see cref="TaskState"/>. Bit 3: the wait may be interrupted by cancellation. Bit 4: the wait is held, for some instructions, by
/// who looks at a task that is not its own; whoever wants to claim it meanwhile waits. The rest: the ticket,
/// which grows whenever a thread takes the task up, so that a registration that comes late sees that the task has moved on, and that it is known how often that was.</para>
/// </remarks>
internal struct LifecycleWord
{
    private const int StateMask = 0b0111;
    private const int InterruptibleBit = 0b1000;
    private const int HeldBit = 0b1_0000;
    private const int TicketStep = 0b10_0000;
    private const int TicketMask = ~(StateMask | InterruptibleBit | HeldBit);

    /// <summary>After as many the ticket begins again at zero.</summary>
    public const long Tickets = 1L << 27;

    private int _word;

    public readonly TaskState State => (TaskState)(Atomics.Read(in _word) & StateMask);

    /// <summary>How often a thread has taken the task up, modulo 2²⁷.</summary>
    public readonly int Starts => (int)((uint)Atomics.Read(in _word) / TicketStep);

    /// <summary>The word as it is now, for a later claim.</summary>
    public readonly int Peek() => Atomics.Read(in _word) & ~HeldBit;

    /// <summary>The state in a word that <see cref="Peek"/> gave.</summary>
    public static TaskState StateOf(int peeked) => (TaskState)(peeked & StateMask);

    /// <summary>Whether a word that was peeked at is that of a wait.</summary>
    public static bool IsWait(int armed) => (TaskState)(armed & StateMask) == TaskState.Blocked;

    /// <summary>The owner moves the task along one row.</summary>
    public void Move(TaskEvent on)
    {
        int word = Atomics.ReadOwn(in _word);
        var to = (int)LifecycleTable.Next((TaskState)(word & StateMask), on);
        int ticket = (word & TicketMask) + (on == TaskEvent.Start ? TicketStep : 0);
        Atomics.Write(ref _word, ticket | to);
    }

    /// <summary>Whether the next <see cref="TaskEvent.Start"/> lets the ticket begin again at zero. Asked by the owner.</summary>
    public readonly bool HasLastTicket => (Atomics.ReadOwn(in _word) & TicketMask) == TicketMask;

    /// <summary>The running owner gives the task up to whoever claims the wait it begins. A full fence: what was written before
    /// is seen by the claimant, and what the owner reads next is newer than this.</summary>
    /// <returns>The armed word, which identifies this wait.</returns>
    public int Park(bool interruptible)
    {
        int word = Atomics.ReadOwn(in _word);
        int armed = (word & TicketMask)
            | (int)LifecycleTable.Next((TaskState)(word & StateMask), TaskEvent.Park)
            | (interruptible ? InterruptibleBit : 0);
        Atomics.Exchange(ref _word, armed);
        return armed;
    }

    /// <summary>Whether the wait that <paramref name="armed"/> names is still unclaimed.</summary>
    public readonly bool IsArmed(int armed) => (Atomics.Read(in _word) & ~HeldBit) == armed;

    /// <summary>Claims the current wait, whichever it is. For callers that hold the lock of the queue in which the wait is linked.</summary>
    /// <returns>True for exactly one caller a wait, who owns the task from then on.</returns>
    public bool TryWake() => TryWake(Atomics.Read(ref _word) & ~HeldBit);

    /// <summary>Claims the wait that <paramref name="armed"/> names.</summary>
    public bool TryWake(int armed)
    {
        if ((TaskState)(armed & StateMask) != TaskState.Blocked)
        {
            return false;
        }

        int ready = (armed & TicketMask) | (int)LifecycleTable.Next(TaskState.Blocked, TaskEvent.Wake);
        int seen = Atomics.CompareExchange(ref _word, ready, armed);
        return seen == armed || (seen == (armed | HeldBit) && TryWakeHeld(ready, armed));
    }

    /// <summary>Holds the current wait: nobody can claim it before <see cref="LetGo"/>, which has to follow within some instructions.</summary>
    /// <returns>False when the task does not wait.</returns>
    public bool TryHold()
    {
        int armed = Peek();
        return (TaskState)(armed & StateMask) == TaskState.Blocked
            && Atomics.CompareExchange(ref _word, armed | HeldBit, armed) == armed;
    }

    /// <summary>Ends <see cref="TryHold"/>. What was written meanwhile is seen by whoever claims the wait.</summary>
    public void LetGo() => Atomics.Write(ref _word, Atomics.ReadOwn(in _word) & ~HeldBit);

    private bool TryWakeHeld(int ready, int armed)
    {
        var spinner = default(SpinWait);
        int seen;
        do
        {
            Atomics.SpinOnce(ref spinner);
            seen = Atomics.CompareExchange(ref _word, ready, armed);
        }
        while (seen == (armed | HeldBit));

        return seen == armed;
    }

    /// <summary>Claims the current wait if cancellation may interrupt it.</summary>
    public bool TryInterrupt()
    {
        int armed = Atomics.Read(ref _word) & ~HeldBit;
        return (armed & InterruptibleBit) != 0 && TryWake(armed);
    }

    /// <summary>Claims the wait that <paramref name="armed"/> names if it is one on foreign code, which cancellation does not interrupt.</summary>
    public bool TryWakeForeign(int armed) => (armed & InterruptibleBit) == 0 && TryWake(armed);
}
