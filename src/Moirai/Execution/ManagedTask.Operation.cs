using Moirai.Execution;

namespace Moirai;

/// <content>Where the task stands among scopes and deadlines, and what becomes of one that runs as an operation of another task.</content>
public partial class ManagedTask
{
    /// <summary>Whether it is an operation under a timeout that did not stop when its time was over, and that whoever called it has given up.</summary>
    public bool IsAbandoned => (_core.Flags & TaskFlags.Abandoned) != 0;

    /// <summary>The earliest deadline that holds for the code that runs now: of the timeouts and scopes around it which no shield keeps out. Null when there is none, and outside managed tasks;
    /// <see cref="DateTimeOffset.MinValue"/> once it is canceled.</summary>
    /// <remarks>An instant of the wall clock of the task's runtime as it stands now. The deadlines themselves are kept on the monotonic clock.</remarks>
    public static DateTimeOffset? CurrentDeadline => Current is { } task ? EffectiveDeadline.ToInstant(task.Engine, EffectiveDeadline.Of(task)) : null;

    /// <summary>The innermost cancel region that the task is in. May be asked by plain code that runs for it.</summary>
    internal CancelRegion? InnermostRegion
    {
        get
        {
            Lock();
            CancelRegion? region = Extras?.Regions;
            Unlock();
            return region;
        }
    }

    /// <summary>The scope in which the task's code runs now: the innermost one whose body it runs, else the one in which it lives. Asked by its own thread.</summary>
    internal TaskGroup InnermostGroup
    {
        get
        {
            for (CancelRegion? region = Extras?.Regions; region is not null; region = region.Outer)
            {
                if (region.Scope is { } scope)
                {
                    return scope;
                }
            }

            return Group;
        }
    }

    /// <summary>The scope or pool that answers for what the task's code leaves behind. Asked by its own thread.</summary>
    internal TaskGroup GroupOfCalls
    {
        get
        {
            TaskGroup group = InnermostGroup;
            if (group.Parent is null && Extras?.Caller is { } caller)
            {
                caller.Lock(); // it waits in the place of that one's plain code
                group = caller.InnermostGroup;
                caller.Unlock();
            }

            return group.IsForOperations ? group.Parent! : group;
        }
    }

    /// <summary>Gives the task up: it goes on alone.</summary>
    /// <returns>False when it is about to end, or has ended.</returns>
    internal bool TryAbandon()
    {
        Lock();
        bool goesOn = !IsEnding;
        if (goesOn)
        {
            SetFlagLocked(TaskFlags.Abandoned);
            if (Extras is { } extras)
            {
                extras.Caller = null;
            }
        }

        Unlock();
        return goesOn;
    }

    /// <summary>Says who called this task as an operation, and waits for it.</summary>
    internal void CalledBy(ManagedTask caller)
    {
        Lock();
        if (!IsEnding)
        {
            ExtrasLocked().Caller = caller;
        }

        Unlock();
    }
}
