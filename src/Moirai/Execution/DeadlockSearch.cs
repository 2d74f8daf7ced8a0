namespace Moirai.Execution;

/// <summary>Finds the ring that a wait may have closed, where chains fork: all readers of a lock keep a writer waiting, all tasks of a scope keep waiting who waits for its end.</summary>
/// <remarks>
/// From who waits forward, to those who keep it waiting. Those who live in a scope may be a million, so a scope is not gone through: it is asked whether one of them waits, by whatever way, for the one who looks; and those are
/// found backward, from what that one holds. Bounded; runs only where chains fork or a ring is as good as found.
/// </remarks>
internal sealed class DeadlockSearch
{
    private const int MostTasks = 1_024;

    // Who waits, found forward; and from which other one it was reached, by index.
    private readonly List<(WaitEdge Edge, int From)> _forward = [];

    // Those who wait for the one who looks, and which other one is in their way, by index; -1: the one who looks. Found when the first scope is met.
    private readonly List<(WaitEdge Edge, int Towards)> _backward = [];
    private bool _hasBackward;

    private readonly HashSet<ManagedTask> _seen = [];
    private readonly HashSet<ManagedTask> _seenBackward = [];
    private readonly List<Hold> _holds = [];
    private readonly List<ManagedTask> _found = [];
    private ManagedTask _self = null!;

    [ThreadStatic]
    private static DeadlockSearch? t_spare;

    /// <summary>The ring, from <paramref name="own"/> on; null when there is none.</summary>
    internal static List<WaitEdge>? FindRing(in WaitEdge own)
    {
        if (!own.Task.Group.IsAwaited && !own.Task.HasWhatOthersWant)
        {
            return null; // the end of most scopes: nobody waits for whoever waits for it
        }

        DeadlockSearch search = t_spare ?? new DeadlockSearch();
        t_spare = null;
        List<WaitEdge>? ring = search.Search(own);
        search.Clear();
        t_spare = search;
        return ring;
    }

    private void Clear()
    {
        _forward.Clear();
        _backward.Clear();
        _hasBackward = false;
        _seen.Clear();
        _seenBackward.Clear();
        _holds.Clear();
        _found.Clear();
        _self = null!;
    }

    private List<WaitEdge>? Search(in WaitEdge own)
    {
        _self = own.Task;
        _seen.Add(own.Task);
        _forward.Add((own, -1));
        for (int i = 0; i < _forward.Count && i < MostTasks; i++)
        {
            WaitEdge edge = _forward[i].Edge;
            if (edge.Queue is TaskGroup group)
            {
                if (FindInside(group, out int last))
                {
                    return Ring(i, last);
                }

                continue;
            }

            _found.Clear();
            if (edge.Queue.HasManyBlockers)
            {
                edge.Queue.AddBlockers(edge.Leaf, _found);
            }
            else if (edge.Queue.Blocker is { } blocker)
            {
                _found.Add(blocker);
            }

            foreach (ManagedTask blocker in _found)
            {
                if (ReferenceEquals(blocker, _self))
                {
                    return Ring(i, last: -1);
                }

                if (_seen.Add(blocker) && WaitEdge.TryRead(blocker, out WaitEdge next))
                {
                    _forward.Add((next, i));
                }
            }
        }

        return null;
    }

    /// <summary>Whether the one who looks, or somebody who waits for it, lives in a group.</summary>
    private bool FindInside(TaskGroup group, out int who)
    {
        who = -1;
        if (ReferenceEquals(_self.Group, group))
        {
            return true;
        }

        if (!_hasBackward)
        {
            _hasBackward = true;
            FindWaiters();
        }

        for (who = 0; who < _backward.Count; who++)
        {
            if (ReferenceEquals(_backward[who].Edge.Task.Group, group))
            {
                return true;
            }
        }

        return false;
    }

    private void FindWaiters()
    {
        _seenBackward.Add(_self);
        for (int i = -1; i < _backward.Count && _backward.Count < MostTasks; i++)
        {
            ManagedTask task = i < 0 ? _self : _backward[i].Edge.Task;
            _found.Clear();
            ((IBlocking)task).AddBlocked(_found);
            _holds.Clear();
            Holdings.AddTo(_holds, task);
            foreach (Hold hold in _holds)
            {
                (hold.What as IBlocking)?.AddBlocked(_found);
            }

            ((IBlocking)task.Group).AddBlocked(_found);
            foreach (ManagedTask waiter in _found)
            {
                if (!_seenBackward.Contains(waiter) && WaitEdge.TryRead(waiter, out WaitEdge edge) && edge.Queue.IsBlockedBy(task, edge.Leaf))
                {
                    _seenBackward.Add(waiter);
                    _backward.Add((edge, i));
                }
            }
        }
    }

    private List<WaitEdge> Ring(int reached, int last)
    {
        List<WaitEdge> ring = [];
        for (int i = reached; i >= 0; i = _forward[i].From)
        {
            ring.Add(_forward[i].Edge);
        }

        ring.Reverse();
        for (int i = last; i >= 0; i = _backward[i].Towards)
        {
            ring.Add(_backward[i].Edge);
        }

        return ring;
    }
}
