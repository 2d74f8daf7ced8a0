using Moirai.Timers;

namespace Moirai.Execution;

/// <content>How a group is canceled, and by when it has to have ended.</content>
internal sealed partial class TaskGroup
{
    // The link to a token from outside; undone when the group closes.
    private HeedLink? _heed;
    private volatile CancelCause? _cause;

    // The time by which all has to have ended. Made under the gate, by who sets one first.
    private GroupDeadline? _deadline;

    /// <summary>Why the group was canceled; null while it was not. The first cause stays.</summary>
    internal CancelCause? Cause => _cause;

    /// <summary>The stretch of the opener's life in which it runs the body of the scope; null for groups without a body. Written once, before the first task is entered.</summary>
    internal CancelRegion? Body { get; set; }

    /// <summary>The group's own deadline; null when none was ever set.</summary>
    internal GroupDeadline? Deadline => Atomics.Read(ref _deadline);

    /// <summary>Whether its own deadline will come.</summary>
    internal bool HasDeadline => Deadline is { WillExpire: true };

    /// <summary>When that is, as the timer queue counts; never without one.</summary>
    internal long Due => Deadline?.Time ?? TimerWheel.Never;

    internal CancellationToken Token
    {
        get
        {
            _gate.Enter();
            CancellationTokenSource source = Ties.Source ??= new CancellationTokenSource();
            _gate.Exit();
            if (_cause is not null)
            {
                source.Cancel();
            }

            return source.Token;
        }
    }

    /// <summary>Sets the group's own deadline, or moves it. Nothing happens when the group has closed, or its deadline is over.</summary>
    internal void SetDeadline(long due)
    {
        _gate.Enter();
        GroupDeadline? deadline = _closed ? null : _deadline ??= new GroupDeadline(this);
        _gate.Exit();
        deadline?.MoveTo(due);
    }

    /// <summary>Cancels the group and the body that runs in it.</summary>
    /// <returns>False when the group was canceled before.</returns>
    internal bool CancelWithBody(CancelCause cause)
    {
        bool first = Cancel(cause);
        Body?.Expire(cause);
        return first;
    }

    /// <summary>Asks every task here, and in the groups opened inside, to stop; tasks entered later are canceled from the start.</summary>
    /// <returns>False when it was canceled before.</returns>
    internal bool Cancel(CancelCause cause)
    {
        Stack<TaskGroup>? inside = null;
        bool first = CancelOne(cause, ref inside);
        Cancellation.CancelAll(inside, cause);
        return first;
    }

    /// <summary>Cancels the tasks of this group; the groups inside are handed out, since they may lie deeper than a stack reaches.</summary>
    internal bool CancelOne(CancelCause cause, ref Stack<TaskGroup>? inside)
    {
        _gate.Enter();
        if (_cause is not null || _closed)
        {
            _gate.Exit();
            return false;
        }

        _cause = cause;
        List<ManagedTask> tasks = [];
        for (RosterPage? page = _pages.First; page is not null; page = page.Next)
        {
            page.AddTasksTo(tasks);
        }

        List<TaskGroup>? children = ChildrenLocked();
        CancellationTokenSource? source = Ties.Source;
        _gate.Exit();

        foreach (ManagedTask task in tasks)
        {
            Cancellation.CancelOne(task, cause, withGroup: true, ref inside);
        }

        if (children is not null)
        {
            foreach (TaskGroup child in children)
            {
                if (!child.IsShielded)
                {
                    (inside ??= new Stack<TaskGroup>()).Push(child);
                }
            }
        }

        if (source is not null)
        {
            if (cause.Kind == CancelKind.RuntimeStopped && Engine.Deliveries is { } deliveries)
            {
                deliveries.Send(static late => late.group.CancelSource(late.source), (group: this, source));
            }
            else if (Cancellation.IsOnTimerThread(Engine, cause))
            {
                ThreadPool.UnsafeQueueUserWorkItem(static late => late.group.CancelSource(late.source), (group: this, source), preferLocal: false);
            }
            else
            {
                CancelSource(source);
            }
        }

        return true;
    }

    private void CancelSource(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (AggregateException error)
        {
            Engine.Publish(new RuntimeEvent(
                RuntimeEventKind.CancelCallbackFailed,
                $"A callback registered on the token of '{Name}' threw while it was being canceled: {error.InnerException?.Message}",
                default,
                error));
        }
    }
}
