using Moirai.Timers;

namespace Moirai.Execution;

/// <summary>The earliest deadline that holds at a place: of the timeouts and scopes around it, as far as no shield keeps them out.</summary>
internal static class EffectiveDeadline
{
    /// <summary>What is canceled has no time left.</summary>
    internal const long Canceled = long.MinValue;

    /// <summary>For code that the task runs now, or waits in.</summary>
    /// <returns>As the timer queue counts; <see cref="TimerWheel.Never"/> when there is none, <see cref="Canceled"/> when something around is canceled.</returns>
    internal static long Of(ManagedTask task) => Earliest(task, Innermost(task), group: null);

    /// <summary>For the tasks of a group.</summary>
    internal static long Of(TaskGroup group) => Earliest(task: null, innermost: null, group);

    /// <summary>As an instant of the wall clock as it stands now.</summary>
    internal static DateTimeOffset? ToInstant(Engine engine, long due)
    {
        if (due == TimerWheel.Never)
        {
            return null;
        }

        if (due == Canceled)
        {
            return DateTimeOffset.MinValue;
        }

        DateTimeOffset now = engine.Provider.GetUtcNow();
        long left = due - engine.Timers.Now;
        return left >= (DateTimeOffset.MaxValue - now).Ticks ? DateTimeOffset.MaxValue : now.AddTicks(left);
    }

    // From the inside out: the regions of a task, its group and those around it, then, where the body of a scope is reached, the regions of the task that runs that body. No recursion: scopes may be nested deeper than
    // a stack reaches.
    private static long Earliest(ManagedTask? task, CancelRegion? innermost, TaskGroup? group)
    {
        long due = TimerWheel.Never;
        while (true)
        {
            if (task is not null)
            {
                if (IsLast(task, innermost, ref due, out ManagedTask? caller))
                {
                    return due;
                }

                if (caller is not null)
                {
                    // An operation with a task of its own stands where it was called.
                    innermost = Innermost(caller);
                    task = caller;
                    continue;
                }

                group = task.Group;
                task = null;
            }

            if (group is null)
            {
                return due;
            }

            due = group.Cause is null ? Math.Min(due, group.Due) : Canceled;
            if (group.IsShielded || due == Canceled)
            {
                return due;
            }

            task = group.Body?.Task;
            innermost = group.Body;
            group = task is null ? group.Parent : null;
        }
    }

    private static CancelRegion? Innermost(ManagedTask task)
    {
        task.Lock();
        CancelRegion? innermost = task.Extras?.Regions;
        task.Unlock();
        return innermost;
    }

    private static bool IsLast(ManagedTask task, CancelRegion? innermost, ref long due, out ManagedTask? caller)
    {
        bool last = false;
        task.Lock();
        for (CancelRegion? region = innermost; region is not null && !last; region = region.Outer)
        {
            due = region.Cause is null ? Math.Min(due, region.Due) : Canceled;
            last = region.IsShield || due == Canceled;
        }

        caller = task.Extras?.Caller;
        task.Unlock();
        if (!last && task.IsCancelRequested)
        {
            due = Canceled;
            last = true;
        }

        return last;
    }
}
