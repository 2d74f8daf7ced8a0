namespace Moirai.Execution;

/// <content>The tree of groups: opening one inside another, closing it, and walking what is open.</content>
internal sealed partial class TaskGroup
{
    /// <summary>Opens a group inside <paramref name="parent"/>.</summary>
    /// <exception cref="InvalidOperationException">The parent is closed.</exception>
    internal static TaskGroup Open(TaskGroup parent, string name, ManagedTask? opener)
    {
        var group = new TaskGroup(parent.Engine, name, parent, opener);
        parent._gate.Enter();
        if (parent.RefusesLocked())
        {
            parent._gate.Exit();
            throw parent.ClosedError($"'{name}'");
        }

        group.IsShielded = opener?.IsShielded ?? false;
        parent._children.Push(group);
        group._cause = group.IsShielded ? null : parent._cause;
        parent._gate.Exit();

        if (opener is not null)
        {
            opener.Lock();
            TaskExtras extras = opener.ExtrasLocked();
            group.NextOfOpener = extras.Groups;
            if (extras.Groups is { } younger)
            {
                younger._previousOfOpener = group;
            }

            extras.Groups = group;
            CancelCause? cause = opener.CancelCause;
            opener.Unlock();
            if (cause is not null && !group.IsShielded)
            {
                group.Cancel(cause);
            }
        }

        return group;
    }

    /// <summary>Closes the group if nothing lives in it; its account goes to the parent.</summary>
    /// <returns>Whether it is closed now; otherwise something lives here or in <paramref name="busyChild"/>, or foreign tasks that were given up here have not been waited for (<see cref="GivenUp"/>).</returns>
    internal bool TryClose(out TaskGroup? busyChild)
    {
        busyChild = null;
        TaskGroup? parent = Parent;
        parent?._gate.Enter();
        _gate.Enter();
        bool close = !_closed && IsEmptyLocked();
        busyChild = close ? _children.First : null;
        close &= busyChild is null && _givenUp is null;
        if (close)
        {
            _closed = true;
            if (parent is not null)
            {
                parent._children.Remove(this);
                FoldLocked();
                parent._closedInside.Add(_folded);
                parent._closedInside.Add(_closedInside);
            }
        }

        bool closed = _closed;
        _gate.Exit();
        parent?._gate.Exit();
        if (close)
        {
            RegainHeeded();
            _heed?.Undo();
            Deadline?.End();
            if (Opener is not null)
            {
                UnlinkFromOpener(Opener);
            }
        }

        return closed;
    }

    /// <summary>Takes no work from outside any more, here and in the groups that no task has opened; what lives here may go on spawning.</summary>
    internal void StopIntake()
    {
        var todo = new Stack<TaskGroup>([this]);
        while (todo.TryPop(out TaskGroup? group))
        {
            group._gate.Enter();
            group._intakeStopped = true;
            List<TaskGroup>? children = group.ChildrenLocked();
            group._gate.Exit();
            foreach (TaskGroup child in children ?? [])
            {
                if (child.Opener is null)
                {
                    todo.Push(child);
                }
            }
        }
    }

    /// <summary>The account of this group and of all that were ever opened inside it. Live tasks are counted by their seats, so that the sum is a check.</summary>
    /// <remarks>The gates of the way down are held, so no group can close and hand its account upwards meanwhile. A walk with a stack of its own: scopes may be nested
    /// deeper than a thread's stack reaches.</remarks>
    internal GroupTotals TakeTotals()
    {
        var totals = default(GroupTotals);
        var way = new Stack<(TaskGroup Group, TaskGroup? NextChild)>();
        way.Push((this, BeginCount(ref totals)));
        while (way.TryPop(out (TaskGroup Group, TaskGroup? NextChild) here))
        {
            if (here.NextChild is { } child)
            {
                TaskGroup? firstInside = child.BeginCount(ref totals);
                way.Push((here.Group, child.Next));
                way.Push((child, firstInside));
            }
            else
            {
                here.Group._gate.Exit();
            }
        }

        return totals;
    }

    /// <summary>The live tasks of this group and of those inside it, as they are now.</summary>
    internal List<ManagedTask> CollectTasks()
    {
        List<ManagedTask> tasks = [];
        foreach (TaskGroup group in SelfAndInside())
        {
            group.AddTasksTo(tasks);
        }

        return tasks;
    }

    /// <summary>The live tasks of this group, as they are now.</summary>
    internal List<ManagedTask> OwnTasks()
    {
        List<ManagedTask> tasks = [];
        AddTasksTo(tasks);
        return tasks;
    }

    /// <summary>This group or one inside it in which a task lives; null when there is none.</summary>
    internal TaskGroup? FirstBusy()
    {
        foreach (TaskGroup group in SelfAndInside())
        {
            if (!group.IsEmpty)
            {
                return group;
            }
        }

        return null;
    }

    internal bool IsInside(TaskGroup ancestor)
    {
        for (TaskGroup? group = this; group is not null; group = group.Parent)
        {
            if (ReferenceEquals(group, ancestor))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes the gate, which the caller gives back, and adds what is this group's own.</summary>
    /// <returns>The first group inside.</returns>
    private TaskGroup? BeginCount(ref GroupTotals totals)
    {
        _gate.Enter();
        totals.OpenGroups += IsForOperations ? 0 : 1;
        totals.Abandoned += IsForOperations ? CountAbandonedLocked() : 0;
        totals.Counts.Add(_folded);
        for (RosterPage? page = _pages.First; page is not null; page = page.Next)
        {
            page.AddCountedTo(ref totals.Counts);
            if (Engine.UsesPrimitives)
            {
                totals.Waiters += page.CountPrimitiveWaits();
            }
        }

        totals.Counts.Add(_closedInside);
        GroupTies? ties = PeekTies();
        totals.Waiters += ties?.Joiners.Count ?? 0;
        ties?.Slots?.Count(ref totals.SlotsInUse, ref totals.Waiters);
        return _children.First;
    }

    // All pages are empty: one account is left. Whoever left a page last may still be on its way to fold it, and must find it unlinked.
    private void FoldLocked()
    {
        while (_pages.First is { } page)
        {
            _pages.Remove(page);
            page.AddTo(ref _folded);
        }
    }

    private List<TaskGroup>? ChildrenLocked()
    {
        List<TaskGroup>? children = null;
        for (TaskGroup? child = _children.First; child is not null; child = child.Next)
        {
            (children ??= []).Add(child);
        }

        return children;
    }

    private void UnlinkFromOpener(ManagedTask opener)
    {
        opener.Lock();
        if (_previousOfOpener is { } before)
        {
            before.NextOfOpener = NextOfOpener;
        }
        else if (opener.Extras is { } extras && ReferenceEquals(extras.Groups, this))
        {
            extras.Groups = NextOfOpener;
        }

        if (NextOfOpener is { } after)
        {
            after._previousOfOpener = _previousOfOpener;
        }

        NextOfOpener = _previousOfOpener = null;
        opener.Unlock();
    }
}
