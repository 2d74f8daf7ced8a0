namespace Moirai.Diagnostics;

/// <summary>Finds, among all tasks of a runtime, those that have been busiest lately and those that have waited longest. Of one asker; not safe for two threads.</summary>
/// <remarks>Lately: since the pick before, with what was before that fading. For this it remembers a number for each task, as long as there are not more than <see cref="MostFollowed"/>; with more, the busiest are those that have been so
/// in all their lives. Busy is time where the runtime accounts exactly, and otherwise how often a thread took the task up.</remarks>
/// <param name="count">How many of each.</param>
/// <param name="filter">What the name must contain, whatever its case; null for any.</param>
internal sealed class TaskPicks(int count, string? filter)
{
    internal const int MostFollowed = 20_000;

    // What was before counts that much less with each pick: at ten a second it is half after half a second.
    private const double Fading = 0.87;

    private readonly PriorityQueue<Offered, double> _busiest = new();
    private readonly PriorityQueue<Offered, double> _waiting = new();
    private Dictionary<TaskId, Followed> _before = [];
    private Dictionary<TaskId, Followed> _now = [];
    private bool _follows;

    internal void Begin(long live) => _follows = live <= MostFollowed;

    /// <summary>Looks at a task.</summary>
    /// <param name="task">The task.</param>
    /// <param name="scope">The place of its scope.</param>
    /// <param name="waited">How long it has waited; null when it does not.</param>
    internal void Offer(ManagedTask task, int? scope, TimeSpan? waited)
    {
        if (filter is not null && !task.Name.Contains(filter, StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        TaskAccount account = task.Account(withAwait: false);
        double used = account.Busy?.TotalSeconds ?? account.Polls ?? 0;
        double score = used;
        if (_follows)
        {
            score = _before.TryGetValue(task.Id, out Followed last) ? (last.Score * Fading) + used - last.Used : used;
            _now[task.Id] = new Followed(used, score);
        }

        var offered = new Offered(task, scope);
        if (score > 0)
        {
            Keep(_busiest, offered, score);
        }

        if (waited is { } time)
        {
            Keep(_waiting, offered, time.TotalSeconds);
        }
    }

    /// <summary>Those at the top: first the busiest, then those that have waited longest, no task twice.</summary>
    internal List<(ManagedTask Task, int? Scope)> End()
    {
        (_before, _now) = (_now, _before);
        _now.Clear();
        List<Offered> busiest = Drain(_busiest);
        List<Offered> waiting = Drain(_waiting);
        HashSet<TaskId> known = [.. busiest.Select(static one => one.Task.Id)];
        return [.. busiest.Concat(waiting.Where(one => known.Add(one.Task.Id))).Select(static one => (one.Task, one.Scope))];
    }

    private void Keep(PriorityQueue<Offered, double> queue, Offered offered, double score)
    {
        if (queue.Count < count)
        {
            queue.Enqueue(offered, score);
        }
        else if (queue.TryPeek(out _, out double least) && score > least)
        {
            queue.EnqueueDequeue(offered, score);
        }
    }

    private static List<Offered> Drain(PriorityQueue<Offered, double> queue)
    {
        List<Offered> all = [];
        while (queue.TryDequeue(out Offered offered, out _))
        {
            all.Add(offered);
        }

        all.Reverse();
        return all;
    }

    private readonly record struct Offered(ManagedTask Task, int? Scope);

    private readonly record struct Followed(double Used, double Score);
}
