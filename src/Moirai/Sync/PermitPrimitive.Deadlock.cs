using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai;

/// <content>Who keeps whom waiting. Of several who have permits any one may give back, so none of them does, with one exception: a writer waits for all who read.</content>
public abstract partial class PermitPrimitive
{
    // More of a line are not looked through.
    private const int LongestLook = 256;

    internal sealed override ManagedTask? Blocker => Holder;

    /// <summary>Whether somebody who waits may wait for all who have permits.</summary>
    private protected sealed override bool HasManyBlockers => RefusesHolders;

    private protected sealed override bool IsBlockedBy(ManagedTask task, WaitNode waiter)
    {
        if (Holder is { } holder)
        {
            return ReferenceEquals(holder, task);
        }

        if (!HasManyBlockers)
        {
            return false;
        }

        List<ManagedTask> blockers = [];
        AddBlockers(waiter, blockers);
        return blockers.Contains(task);
    }

    private protected sealed override void AddBlockers(WaitNode waiter, List<ManagedTask> blockers)
    {
        Gate.Enter();
        if (Atomics.ReadOwn(in _onlyHolder) is { } only)
        {
            blockers.Add(only);
        }
        else if (HasManyBlockers && WaitsForAllLocked(waiter))
        {
            _leases.AddHoldersTo(blockers);
        }

        Gate.Exit();
    }

    private protected sealed override string? AcquiredAt(ManagedTask holder)
    {
        Gate.Enter();
        (string file, int line) = _leases.SiteOf(holder);
        Gate.Exit();
        return CallerSite.Of(file, line);
    }

    // Who will write; and whoever stands behind one who will. Who has no seat yet stands last.
    private bool WaitsForAllLocked(WaitNode waiter)
    {
        if ((waiter.Due & Exclusive) != 0)
        {
            return true;
        }

        WaitNode? node = Queue.Head;
        for (int i = 0; i < LongestLook && node is not null && !ReferenceEquals(node, waiter); i++, node = node.Next)
        {
            if ((node.Due & Exclusive) != 0)
            {
                return true;
            }
        }

        return false;
    }
}
