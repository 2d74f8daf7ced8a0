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
            throw parent.ClosedError($"scope '{name}'");
        }

        group.IsShielded = opener?.IsShielded ?? false;
        group._nextSibling = parent._firstChild;
        if (parent._firstChild is { } first)
        {
            first._previousSibling = group;
        }

        parent._firstChild = group;
        group._cause = group.IsShielded ? null : parent._cause;
        parent._gate.Exit();

        if (opener is not null)
        {
            opener.Gate.Enter();
            TaskExtras extras = opener.ExtrasLocked();
            group.NextOfOpener = extras.Groups;
            extras.Groups = group;
            CancelCause? cause = opener.CancelCause;
            opener.Gate.Exit();
            if (cause is not null && !group.IsShielded)
            {
                group.Cancel(cause);
            }
        }

        return group;
    }

    /// <summary>Closes the group if nothing lives in it; its account goes to the parent.</summary>
    /// <returns>Whether it is closed now; otherwise something lives here or in <paramref name="busyChild"/>.</returns>
    internal bool TryClose(out TaskGroup? busyChild)
    {
        busyChild = null;
        TaskGroup? parent = Parent;
        parent?._gate.Enter();
        _gate.Enter();
        bool close = !_closed && _counts.Live == 0;
        busyChild = close ? _firstChild : null;
        close &= busyChild is null;
        if (close)
        {
            _closed = true;
            if (parent is not null)
            {
                parent.UnlinkChildLocked(this);
                parent._closedInside.Add(_counts);
                parent._closedInside.Add(_closedInside);
            }
        }

        bool closed = _closed;
        _gate.Exit();
        parent?._gate.Exit();
        if (close && Opener is not null)
        {
            UnlinkFromOpener(Opener);
        }

        return closed;
    }

    /// <summary>The account of this group and of all that were ever opened inside it, at one moment: gates are held from here downwards.</summary>
    internal void AddTotals(ref GroupTotals totals)
    {
        _gate.Enter();
        totals.OpenGroups++;
        totals.Counts.Add(_counts);
        totals.Counts.Add(_closedInside);
        totals.Waiters += _joiners.Count;
        Slots?.Count(ref totals.SlotsInUse, ref totals.Waiters);
        for (TaskGroup? child = _firstChild; child is not null; child = child._nextSibling)
        {
            child.AddTotals(ref totals);
        }

        _gate.Exit();
    }

    /// <summary>The live tasks of this group and of those inside it, as they are now.</summary>
    internal void CollectTasks(List<ManagedTask> into)
    {
        _gate.Enter();
        for (ManagedTask? task = _first; task is not null; task = task.NextInGroup)
        {
            into.Add(task);
        }

        List<TaskGroup>? children = ChildrenLocked();
        _gate.Exit();
        if (children is not null)
        {
            foreach (TaskGroup child in children)
            {
                child.CollectTasks(into);
            }
        }
    }

    /// <summary>This group or one inside it in which a task lives; null when there is none.</summary>
    internal TaskGroup? FirstBusy()
    {
        _gate.Enter();
        bool busy = _counts.Live > 0;
        List<TaskGroup>? children = busy ? null : ChildrenLocked();
        _gate.Exit();
        if (busy)
        {
            return this;
        }

        if (children is not null)
        {
            foreach (TaskGroup child in children)
            {
                if (child.FirstBusy() is { } found)
                {
                    return found;
                }
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

    private List<TaskGroup>? ChildrenLocked()
    {
        List<TaskGroup>? children = null;
        for (TaskGroup? child = _firstChild; child is not null; child = child._nextSibling)
        {
            (children ??= []).Add(child);
        }

        return children;
    }

    private void UnlinkChildLocked(TaskGroup child)
    {
        if (child._previousSibling is { } previous)
        {
            previous._nextSibling = child._nextSibling;
        }
        else
        {
            _firstChild = child._nextSibling;
        }

        if (child._nextSibling is { } next)
        {
            next._previousSibling = child._previousSibling;
        }

        child._nextSibling = child._previousSibling = null;
    }

    private void UnlinkFromOpener(ManagedTask opener)
    {
        opener.Gate.Enter();
        if (opener.Extras is { } extras)
        {
            TaskGroup? before = null;
            for (TaskGroup? group = extras.Groups; group is not null; group = group.NextOfOpener)
            {
                if (ReferenceEquals(group, this))
                {
                    if (before is null)
                    {
                        extras.Groups = NextOfOpener;
                    }
                    else
                    {
                        before.NextOfOpener = NextOfOpener;
                    }

                    break;
                }

                before = group;
            }
        }

        opener.Gate.Exit();
    }
}
