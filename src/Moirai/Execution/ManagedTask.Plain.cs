using Moirai.Execution;

namespace Moirai;

/// <content>The waits of plain code that runs for the task.</content>
public partial class ManagedTask
{
    /// <summary>Takes a wait into the list of those which end with the task. By its own code, before the seat is taken.</summary>
    /// <returns>False when the task was canceled, or has ended.</returns>
    internal bool TryTie(TiedSeat seat)
    {
        Lock();
        bool tied = !IsCancelRequested && !IsEnded;
        if (tied)
        {
            ExtrasLocked().PlainWaits.Push(seat);
        }

        Unlock();
        return tied;
    }

    /// <summary>Takes a wait out that is over. Harmless when it is not in the list any more.</summary>
    internal void Untie(TiedSeat seat)
    {
        Lock();
        if (_extras is TaskExtras extras && extras.PlainWaits.Contains(seat))
        {
            extras.PlainWaits.Remove(seat);
        }

        Unlock();
    }

    /// <summary>Empties the list, in the order in which the waits began. Under the gate.</summary>
    internal Stack<TiedSeat>? TakePlainWaitsLocked()
    {
        Stack<TiedSeat>? taken = null;
        while (_extras is TaskExtras { PlainWaits.First: { } seat } extras)
        {
            extras.PlainWaits.Remove(seat);
            (taken ??= new Stack<TiedSeat>()).Push(seat);
        }

        return taken;
    }
}
