using Moirai.Ground;
using Moirai.Sync;

namespace Moirai;

/// <content>What conditions need of the mutex that guards what they tell of.</content>
public sealed partial class AsyncMutex
{
    // Who has it with the second took it first with the first one, and has waited for a condition since: so its lease stays good. Written by who has it, in this order.
    private long _firstTicket;
    private long _againTicket;

    // The conditions that somebody waits for. Under the gate.
    private IntrusiveList<AsyncCondition> _awaited;

    /// <summary>Takes the mutex again after a wait for a condition, which counts as taken where it was first; whether the task that runs is put down as its holder, is said by the caller.</summary>
    internal LeaseAwaitable<MutexLease> TakeAgainAsync(bool isOwned, (string File, int Line) takenAt) => new(this, isOwned ? ILeased.Owned : 0, default, takenAt.File, takenAt.Line);

    /// <summary>Where it was taken. By who has it.</summary>
    internal (string File, int Line) TakenAt => (_file, _line);

    /// <summary>The ticket under which who has the mutex with <paramref name="ticket"/> took it at first, before it waited for conditions.</summary>
    internal long FirstTicketOf(long ticket) => Atomics.Read(ref _againTicket) == ticket ? Atomics.Read(ref _firstTicket) : ticket;

    /// <summary>Who had the mutex with the first ticket has it again: its lease is good again. By who has it.</summary>
    internal void TakenAgain(long first, long again)
    {
        Atomics.Write(ref _firstTicket, first);
        Atomics.Write(ref _againTicket, again);
    }

    /// <summary>A condition has somebody waiting, who is to be told when the mutex is closed. Under the condition's gate.</summary>
    /// <returns>False when it is closed.</returns>
    internal bool TryWatch(AsyncCondition condition)
    {
        Gate.Enter();
        bool open = !IsClosed;
        if (open && !_awaited.Contains(condition))
        {
            _awaited.Push(condition);
        }

        Gate.Exit();
        return open;
    }

    /// <summary>Nobody waits for the condition any more. Under its gate.</summary>
    internal void Unwatch(AsyncCondition condition)
    {
        Gate.Enter();
        if (_awaited.Contains(condition))
        {
            _awaited.Remove(condition);
        }

        Gate.Exit();
    }

    private protected override void Closed()
    {
        while (true)
        {
            Gate.Enter();
            AsyncCondition? condition = _awaited.First;
            if (condition is not null)
            {
                _awaited.Remove(condition);
            }

            Gate.Exit();
            if (condition is null)
            {
                return;
            }

            condition.MutexClosed();
        }
    }

    private long StandsFor(long first)
    {
        // In this order: what is read second may be newer, and then the ticket that was read first is void.
        long again = Atomics.Read(ref _againTicket);
        return Atomics.Read(ref _firstTicket) == first ? again : 0;
    }
}
