using Moirai.Execution;
using Moirai.Futures;
using Moirai.Wakers;

namespace Moirai.Leaks;

/// <summary>Who of the leaked waits for whom, so that no more of them are resumed than has to be.</summary>
/// <remarks>A task that waits for the end of another, for the tasks of a scope or for a slot goes on by itself when the leaked tasks in its way have ended. So those are resumed
/// which wait for none of the others, and of a ring one.
/// <para>A task whose promise another of them has in its locals is held back: the other's clean-up may keep that promise, and would throw if it had been failed. When the other has ended it is searched for again. Of those who have each other's, all are resumed.</para></remarks>
internal sealed class LeakGraph
{
    private readonly List<ManagedTask> _leaked;
    private readonly Dictionary<ManagedTask, LeakRemedy> _remedies = [];

    // What those await who wait on foreign code, as far as it could be found.
    private readonly Dictionary<ManagedTask, List<object>> _promises = [];

    // Promises that were failed: one may keep several tasks waiting.
    private readonly HashSet<object> _failed = new(ReferenceEqualityComparer.Instance);

    // From a leaked task to those who wait for it.
    private readonly Dictionary<ManagedTask, List<ManagedTask>> _dependants = [];

    // From a leaked task to those whose promises it has in its locals.
    private readonly Dictionary<ManagedTask, List<ManagedTask>> _mayWake = [];

    // More are healed without a look at what they have in their locals: it would take longer than the search.
    private const int MostLookedInto = 10_000;

    // Waits of plain code live here. They are told of only where they have leaked by themselves.
    private readonly TaskGroup _housekeeping;

    internal LeakGraph(List<ManagedTask> leaked, TaskGroup housekeeping)
    {
        _leaked = leaked;
        _housekeeping = housekeeping;
        _leaked.Sort(static (a, b) => a.Id.CompareTo(b.Id));
        var here = new HashSet<ManagedTask>(leaked);
        var inGroup = new Dictionary<object, List<ManagedTask>>();
        foreach (ManagedTask task in leaked)
        {
            foreach (object key in KeysOf(task.Group))
            {
                if (!inGroup.TryGetValue(key, out List<ManagedTask>? members))
                {
                    inGroup[key] = members = [];
                }

                members.Add(task);
            }
        }

        foreach (ManagedTask task in leaked)
        {
            Frame? leaf = task.Leaf;
            if (leaf is { Queue: not IWaitQueue })
            {
                List<object> promises = ForeignHealing.FindPromises(leaf);
                promises.ForEach(promise => AddEdges(task, PlaceOf(promise), here, inGroup));
                _promises[task] = promises;
            }
            else
            {
                AddEdges(task, leaf?.Queue, here, inGroup);
            }
        }

        if (_promises.Count is > 0 and <= MostLookedInto && leaked.Count > 1)
        {
            LookIntoLocals();
        }
    }

    /// <summary>Those for whose end somebody was held back.</summary>
    internal HashSet<ManagedTask> AwaitedByHeldBack { get; } = [];

    /// <summary>Whether one of them waits for what has come meanwhile, and is about to go on.</summary>
    internal bool HasKeptPromises => _promises.Values.Any(static promises => promises.Exists(static promise => promise is Task { IsCompleted: true }));

    private void LookIntoLocals()
    {
        var waiters = new Dictionary<object, List<ManagedTask>>(ReferenceEqualityComparer.Instance);
        foreach ((ManagedTask task, List<object> promises) in _promises)
        {
            foreach (object promise in promises.Where(static promise => promise is not (ManagedTask or TiedSeat)))
            {
                if (!waiters.TryGetValue(promise, out List<ManagedTask>? list))
                {
                    waiters[promise] = list = [];
                }

                list.Add(task);
            }
        }

        foreach (ManagedTask task in _leaked)
        {
            if (task.Leaf is not { } leaf)
            {
                continue;
            }

            List<ManagedTask> others = [.. Reach.Of(leaf, waiters.ContainsKey).SelectMany(promise => waiters[promise]).Where(other => !ReferenceEquals(other, task)).Distinct()];
            if (others.Count > 0 && !others.TrueForAll(other => SharesPromise(task, other)))
            {
                others.RemoveAll(other => SharesPromise(task, other));
                _mayWake[task] = others;
            }
        }
    }

    // They wait for the same: none of them is the one to keep it.
    private bool SharesPromise(ManagedTask one, ManagedTask other) =>
        _promises.TryGetValue(one, out List<object>? mine) && mine.Exists(_promises[other].Contains);

    // Those whom others may wake that they may not wake themselves.
    private void HoldBack()
    {
        foreach ((ManagedTask waker, List<ManagedTask> woken) in _mayWake)
        {
            foreach (ManagedTask held in woken)
            {
                if (!MayReach(held, waker) && _remedies.TryAdd(held, LeakRemedy.Awaits))
                {
                    AwaitedByHeldBack.Add(waker);
                }
            }
        }
    }

    private bool MayReach(ManagedTask from, ManagedTask to)
    {
        var seen = new HashSet<ManagedTask>();
        var todo = new Stack<ManagedTask>([from]);
        while (todo.TryPop(out ManagedTask? one))
        {
            if (ReferenceEquals(one, to))
            {
                return true;
            }

            if (seen.Add(one))
            {
                _mayWake.GetValueOrDefault(one)?.ForEach(todo.Push);
                _dependants.GetValueOrDefault(one)?.ForEach(todo.Push);
            }
        }

        return false;
    }

    // Plain code waits in a seat: for the end of a task, or in a queue.
    private static object? PlaceOf(object promise) => promise is TiedSeat seat ? seat.Queue : promise;

    // From whoever else could let a task go on.
    private void AddEdges(ManagedTask task, object? awaits, HashSet<ManagedTask> here, Dictionary<object, List<ManagedTask>> inGroup)
    {
        switch (awaits)
        {
            case ManagedTask awaited when here.Contains(awaited):
                AddEdge(task, awaited);
                break;
            case IWaitQueue queue when SynchronizationPrimitive.Behind(queue) is { Holder: { } holder } && here.Contains(holder) && holder != task:
                AddEdge(task, holder);
                break;
            case { } queue when inGroup.TryGetValue(queue, out List<ManagedTask>? members):
                members.ForEach(member => AddEdge(task, member));
                break;
        }
    }

    /// <summary>Decides, and acts.</summary>
    internal List<LeakedTask> Judge(LeakPolicy policy)
    {
        var stories = _leaked.ConvertAll(task => LeakStory.Of(task, _promises.GetValueOrDefault(task)?.FirstOrDefault()));
        HashSet<ManagedTask> waits = [.. _dependants.Values.SelectMany(static list => list)];
        if (policy == LeakPolicy.Heal)
        {
            HoldBack();
            for (int i = 0; i < _leaked.Count; i++)
            {
                if (!waits.Contains(_leaked[i]) && !_remedies.ContainsKey(_leaked[i]) && _leaked[i].Leaf?.Queue is not TaskGroup)
                {
                    Resume(_leaked[i], stories[i]);
                }
            }

            // What is left are rings, and those who wait for them.
            for (int i = 0; i < _leaked.Count; i++)
            {
                if (!_remedies.ContainsKey(_leaked[i]) && _leaked[i].Leaf?.Queue is not TaskGroup)
                {
                    Resume(_leaked[i], stories[i]);
                }
            }
        }

        var leaks = new List<LeakedTask>();
        for (int i = 0; i < _leaked.Count; i++)
        {
            if (ReferenceEquals(_leaked[i].Group, _housekeeping) && waits.Contains(_leaked[i]))
            {
                continue;
            }

            leaks.Add(stories[i] with { Remedy = _remedies.GetValueOrDefault(_leaked[i]) });
        }

        return leaks;
    }

    private static IEnumerable<object> KeysOf(TaskGroup group)
    {
        yield return group;
        if (group.Slots is { } slots)
        {
            yield return slots;
        }

        if (group.Listener is { } listener)
        {
            yield return listener;
        }
    }

    private void AddEdge(ManagedTask from, ManagedTask to)
    {
        if (!_dependants.TryGetValue(to, out List<ManagedTask>? list))
        {
            _dependants[to] = list = [];
        }

        list.Add(from);
    }

    private void Resume(ManagedTask task, LeakedTask story)
    {
        LeakRemedy remedy = Heal(task, story);
        _remedies[task] = remedy;
        if (remedy == LeakRemedy.NotPossible)
        {
            return;
        }

        var todo = new Stack<ManagedTask>([task]);
        while (todo.TryPop(out ManagedTask? done))
        {
            foreach (ManagedTask dependant in _dependants.GetValueOrDefault(done) ?? [])
            {
                if (_remedies.GetValueOrDefault(dependant, LeakRemedy.NotPossible) == LeakRemedy.NotPossible)
                {
                    _remedies[dependant] = LeakRemedy.Awaits;
                    todo.Push(dependant);
                }
            }
        }
    }

    private LeakRemedy Heal(ManagedTask task, LeakedTask story)
    {
        var leak = new LeakedTaskException(
            $"{story}. What could have ended this wait was lost: look for who let go of it. LeakPolicy.Report only tells.", task.Id);
        if (task.Leaf is not { Queue: not IWaitQueue })
        {
            return task.TryHeal(leak) ? LeakRemedy.Resumed : LeakRemedy.NotPossible;
        }

        var remedy = LeakRemedy.NotPossible;
        foreach (object promise in _promises.GetValueOrDefault(task) ?? [])
        {
            if (_failed.Contains(promise) || ForeignHealing.TryFail(promise, leak))
            {
                _failed.Add(promise);
                remedy = remedy == LeakRemedy.ResumedPartly || ForeignHealing.HidesCode(promise) ? LeakRemedy.ResumedPartly : LeakRemedy.Resumed;
            }
        }

        return remedy;
    }
}
