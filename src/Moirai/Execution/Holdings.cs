using Moirai.Lifecycle;

namespace Moirai.Execution;

/// <summary>What a task can hold: a lock, a permit. Declared here, implemented by the synchronization primitives.</summary>
internal interface IHeld
{
    /// <summary>Whether what was got with <paramref name="ticket"/> has not been given back. Asked from any thread, under any lock: looks at a word and takes no lock.</summary>
    bool IsHeld(long ticket);

    /// <summary>The task ends and has not given back what it got with <paramref name="ticket"/>. Called by the thread that ends it, before the end is published; under no
    /// lock. Harmless when it was given back meanwhile.</summary>
    void HolderEnded(ManagedTask task, long ticket, TaskEvent how);

    /// <summary>What the task got with <paramref name="ticket"/> was given back some time ago, and the task drops its note of it: nothing of the task has to be kept any more. Called by the thread that
    /// steps the task, under any lock: takes none.</summary>
    void Dropped(ManagedTask task, long ticket)
    {
    }
}

/// <summary>One thing that a task got. The ticket is the getting's own: the same thing got again has another.</summary>
internal struct Hold
{
    internal IHeld? What;
    internal long Ticket;
}

/// <summary>What each task holds, so that its end can break what it has not given back, and a snapshot can tell who blocks whom.</summary>
/// <remarks>
/// Getting is noted, giving back is not: it may happen on any thread, and the ticket tells whether it has. So a note may be about something that was given back long ago, and whoever
/// reads notes asks (<see cref="IHeld.IsHeld"/>).
/// <para>Most things are given back in the step in which they were got. A note is made with the thread that steps the task (<see cref="StepContext.AddHold"/>: no lock, no allocation), and
/// moves to the task (<see cref="TaskExtras.Holds"/>, under its gate) only when the task waits while it holds.</para>
/// </remarks>
internal static class Holdings
{
    /// <summary>The running task is about to give up its thread: what it holds goes with it.</summary>
    internal static void KeepAcrossWait(ManagedTask task) => KeepAcrossWait(task, task.Stepping);

    /// <inheritdoc cref="KeepAcrossWait(ManagedTask)"/>
    internal static void KeepAcrossWait(ManagedTask task, StepContext context)
    {
        if (context.HasHolds)
        {
            Keep(task, context);
        }
    }

    /// <summary>The task ends: breaks whatever it still holds.</summary>
    internal static void BreakAll(ManagedTask task, StepContext context, TaskEvent how)
    {
        KeepAcrossWait(task, context);
        task.Lock();
        Hold[] holds = task.Extras?.Holds?.ToArray() ?? [];
        task.Unlock();
        foreach (Hold hold in holds)
        {
            if (hold.What!.IsHeld(hold.Ticket))
            {
                hold.What.HolderEnded(task, hold.Ticket, how);
            }
            else
            {
                hold.What.Dropped(task, hold.Ticket);
            }
        }
    }

    /// <summary>What the task has held across its last wait and still holds. From any thread.</summary>
    internal static List<Hold> Copy(ManagedTask task)
    {
        List<Hold> all = [];
        AddTo(all, task);
        return all;
    }

    /// <summary>As <see cref="Copy"/>, into a list that is used again.</summary>
    internal static void AddTo(List<Hold> all, ManagedTask task)
    {
        task.Lock();
        foreach (Hold hold in task.Extras?.Holds ?? [])
        {
            if (hold.What!.IsHeld(hold.Ticket))
            {
                all.Add(hold);
            }
        }

        task.Unlock();
    }

    /// <summary>Whether the running task holds this. By its own thread, which alone writes its notes.</summary>
    internal static bool Has(ManagedTask task, IHeld what)
    {
        foreach (Hold hold in task.Stepping.Holds)
        {
            if (ReferenceEquals(hold.What, what) && what.IsHeld(hold.Ticket))
            {
                return true;
            }
        }

        if (task.Extras?.Holds is { } kept)
        {
            foreach (Hold hold in kept)
            {
                if (ReferenceEquals(hold.What, what) && what.IsHeld(hold.Ticket))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static void Keep(ManagedTask task, StepContext context)
    {
        context.ForgetGivenBack(task);
        if (!context.HasHolds)
        {
            return;
        }

        task.Lock();
        List<Hold> holds = task.ExtrasLocked().Holds ??= [];
        for (int i = holds.Count - 1; i >= 0; i--)
        {
            Hold hold = holds[i];
            if (!hold.What!.IsHeld(hold.Ticket))
            {
                hold.What.Dropped(task, hold.Ticket);
                holds.RemoveAt(i);
            }
        }

        foreach (Hold hold in context.Holds)
        {
            holds.Add(hold);
        }

        task.Unlock();
        context.ForgetHolds();
    }
}
