namespace Moirai.Sync;

/// <summary>The state of a mutex in one atomic word: who may take it, and the ticket of who has it.</summary>
/// <remarks>
/// The ticket grows with every release, so a lease that was given back, or a copy of it, can release nothing: the swap fails.
/// <para><see cref="Locked"/> is set by whoever takes the mutex and cleared by whoever has the ticket. All other flags are set under the mutex's gate. The rule that keeps waiters from
/// being forgotten: while somebody waits, the mutex is locked (and <see cref="Waiters"/> set, so its release takes the gate), or somebody is <see cref="Invited"/>.</para>
/// </remarks>
internal struct MutexWord
{
    /// <summary>Somebody has it, or it is kept for somebody.</summary>
    internal const long Locked = 1;

    /// <summary>Somebody may be in the queue.</summary>
    internal const long Waiters = 2;

    /// <summary>A waiter was woken and has not come yet.</summary>
    internal const long Invited = 4;

    /// <summary>It is kept for the invited one.</summary>
    internal const long Reserved = 8;

    /// <summary>Disposed or broken: nobody takes it any more.</summary>
    internal const long Closed = 16;

    private const int TicketShift = 5;
    private const long Flags = (1 << TicketShift) - 1;

    // Atomics.
    private long _word;

    /// <summary>Free, with the first ticket: 1, so that 0 is nobody's.</summary>
    public MutexWord() => _word = 1 << TicketShift;

    internal readonly long Read() => Atomics.Read(in _word);

    internal static long TicketOf(long word) => word >> TicketShift;

    /// <summary>Takes the mutex if nobody has it, whether or not somebody waits.</summary>
    internal bool TryLock(out long ticket)
    {
        long word = Atomics.Read(ref _word);
        if ((word & (Locked | Closed)) == 0 && Atomics.CompareExchange(ref _word, word | Locked, word) == word)
        {
            ticket = TicketOf(word);
            return true;
        }

        return TryLockAgain(out ticket);
    }

    private bool TryLockAgain(out long ticket)
    {
        long word = Atomics.Read(ref _word);
        while ((word & (Locked | Closed)) == 0)
        {
            long seen = Atomics.CompareExchange(ref _word, word | Locked, word);
            if (seen == word)
            {
                ticket = TicketOf(word);
                return true;
            }

            word = seen;
        }

        ticket = 0;
        return false;
    }

    /// <summary>Takes the mutex if nobody has it and nobody waits for it.</summary>
    internal bool TryLockInTurn(out long ticket)
    {
        long word = Atomics.Read(ref _word);
        ticket = TicketOf(word);
        return (word & Flags) == 0 && Atomics.CompareExchange(ref _word, word | Locked, word) == word;
    }

    /// <summary>The invited one has come: takes the mutex if it was kept for it or nobody has it. Then nobody is invited any more.</summary>
    internal bool TryLockAsInvited()
    {
        long word = Atomics.Read(ref _word);
        while ((word & Closed) == 0 && (word & (Locked | Reserved)) != Locked)
        {
            long seen = Atomics.CompareExchange(ref _word, (word | Locked) & ~(Invited | Reserved), word);
            if (seen == word)
            {
                return true;
            }

            word = seen;
        }

        return false;
    }

    /// <summary>Releases it if nobody waits.</summary>
    internal bool TryUnlock(long ticket)
    {
        long held = (ticket << TicketShift) | Locked;
        return Atomics.CompareExchange(ref _word, held - Locked + Flags + 1, held) == held;
    }

    /// <summary>Releases it if somebody is on the way who will see that it is free.</summary>
    internal bool TryUnlockForInvited(long ticket)
    {
        long word = Atomics.Read(ref _word);
        return (word & (Invited | Reserved | Closed)) == Invited && TryReplace(word, Released(word), ticket);
    }

    /// <summary>Releases it, with new flags. Under the gate; false when the ticket is not that of who has it.</summary>
    internal bool TryUnlock(long word, long ticket, long flags) => TryReplace(word, (Released(word) & ~(Flags & ~Closed)) | flags, ticket);

    /// <summary>Whether <paramref name="ticket"/> is that of who has it.</summary>
    internal static bool IsHeld(long word, long ticket) => (word & (Locked | Reserved)) == Locked && TicketOf(word) == ticket;

    /// <summary>Sets and clears flags, whatever else happens. Under the gate.</summary>
    internal void Mark(long set, long clear)
    {
        long word = Atomics.Read(ref _word);
        while (true)
        {
            long seen = Atomics.CompareExchange(ref _word, (word | set) & ~clear, word);
            if (seen == word)
            {
                return;
            }

            word = seen;
        }
    }

    /// <summary>Lets nobody take it any more. Under the gate.</summary>
    /// <param name="ticket">0, or the ticket of who breaks it: then only if that has it.</param>
    internal bool TryClose(long ticket)
    {
        long word = Atomics.Read(ref _word);
        while (ticket == 0 || IsHeld(word, ticket))
        {
            long seen = Atomics.CompareExchange(ref _word, word | Closed, word);
            if (seen == word)
            {
                return true;
            }

            word = seen;
        }

        return false;
    }

    /// <summary>Announces a waiter, and that it is not invited any more if it was. Under the gate.</summary>
    /// <returns>False when the mutex is free or closed: nothing to wait for.</returns>
    internal bool TryAnnounceWaiter(bool wasInvited)
    {
        long word = Atomics.Read(ref _word);
        while ((word & (Locked | Closed)) == Locked)
        {
            long seen = Atomics.CompareExchange(ref _word, (word | Waiters) & ~(wasInvited ? Invited : 0), word);
            if (seen == word)
            {
                return true;
            }

            word = seen;
        }

        return false;
    }

    private static long Released(long word) => (word & ~Locked) + Flags + 1;

    private bool TryReplace(long word, long by, long ticket) =>
        IsHeld(word, ticket) && Atomics.CompareExchange(ref _word, by, word) == word;
}
