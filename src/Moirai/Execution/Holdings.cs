using Moirai.Lifecycle;

namespace Moirai.Execution;

/// <summary>What a task can hold: a lock, a permit. Declared here, implemented by the synchronization primitives.</summary>
internal interface IHeld
{
    /// <summary>The task ends and has not given back what it got with <paramref name="ticket"/>. Called by the thread that ends it, before the end is published; under no
    /// lock. Harmless when it was given back meanwhile.</summary>
    void HolderEnded(ManagedTask task, long ticket, TaskEvent how);
}

/// <summary>One thing that a task holds. The ticket is the holder's own: the same thing taken again has another.</summary>
internal struct Hold
{
    internal IHeld? What;
    internal long Ticket;
}

/// <summary>What each task holds, so that its end can break what it has not given back, and a snapshot can tell who blocks whom.</summary>
/// <remarks>
/// Most things are given back in the step in which they were taken. So a hold is noted with the thread that steps the task
/// (<see cref="StepContext.Holds"/>), which needs no lock and no allocation, and moves to the task (<see cref="TaskExtras.Holds"/>, under the task's gate) only when the task waits
/// while it holds.
/// <para>Code of another thread may give back in the task's name: plain code that the task has called and awaits. What is noted with the stepping thread it cannot reach; it leaves
/// word with the task (<see cref="TaskExtras.GivenBack"/>), which is heeded when the holds move.</para>
/// </remarks>
internal static class Holdings
{
    /// <summary>Takes a hold off the books, from whichever thread. Exactly once for each that was added.</summary>
    internal static void Remove(ManagedTask holder, IHeld what, long ticket)
    {
        StepContext? context = StepContext.Existing;
        if (!ReferenceEquals(context?.Task, holder) || !context.TryRemoveHold(what, ticket))
        {
            RemoveKept(holder, what, ticket);
        }
    }

    /// <summary>The running task is about to give up its thread: what it holds goes with it.</summary>
    internal static void KeepAcrossWait(ManagedTask task) => KeepAcrossWait(task, task.Stepping);

    /// <inheritdoc cref="KeepAcrossWait(ManagedTask)"/>
    internal static void KeepAcrossWait(ManagedTask task, StepContext context)
    {
        if (context.Holds.Length > 0)
        {
            Keep(task, context);
        }
    }

    /// <summary>The task ends: breaks whatever it still holds.</summary>
    internal static void BreakAll(ManagedTask task, StepContext context, TaskEvent how)
    {
        KeepAcrossWait(task, context);
        if (task.Extras is not { Holds: { Count: > 0 } held })
        {
            return;
        }

        // A copy: others may give back meanwhile, and what is broken takes locks of its own.
        task.Gate.Enter();
        Hold[] all = [.. held];
        held.Clear();
        task.Gate.Exit();
        foreach (Hold hold in all)
        {
            hold.What!.HolderEnded(task, hold.Ticket, how);
        }
    }

    /// <summary>What the task holds across its present wait, for snapshots.</summary>
    internal static Hold[] Copy(ManagedTask task)
    {
        task.Gate.Enter();
        Hold[] all = task.Extras?.Holds is { } held ? [.. held] : [];
        task.Gate.Exit();
        return all;
    }

    private static void Keep(ManagedTask task, StepContext context)
    {
        task.Gate.Enter();
        TaskExtras extras = task.ExtrasLocked();
        extras.Holds ??= [];
        foreach (Hold hold in context.Holds)
        {
            if (extras.GivenBack is null || !TryRemove(extras.GivenBack, hold.What!, hold.Ticket))
            {
                extras.Holds.Add(hold);
            }
        }

        task.Gate.Exit();
        context.ClearHolds();
    }

    private static void RemoveKept(ManagedTask holder, IHeld what, long ticket)
    {
        holder.Gate.Enter();
        if (!holder.IsEnded)
        {
            TaskExtras extras = holder.ExtrasLocked();
            if (extras.Holds is null || !TryRemove(extras.Holds, what, ticket))
            {
                (extras.GivenBack ??= []).Add(new Hold { What = what, Ticket = ticket });
            }
        }

        holder.Gate.Exit();
    }

    private static bool TryRemove(List<Hold> holds, IHeld what, long ticket)
    {
        for (int i = holds.Count - 1; i >= 0; i--)
        {
            if (ReferenceEquals(holds[i].What, what) && holds[i].Ticket == ticket)
            {
                holds.RemoveAt(i);
                return true;
            }
        }

        return false;
    }
}
