namespace Moirai.Dashboard.Watching;

/// <summary>The tasks that were asked for by id, held weakly, so that who looks at one again and again causes one walk.</summary>
internal sealed class Handles(TaskRuntime runtime, Turnstile questions)
{
    private const int Most = 256;

    private readonly Lock _gate = new();

    // Guarded by the gate. Emptied when it is full.
    private readonly Dictionary<TaskId, WeakReference<ManagedTask>> _known = [];

    /// <summary>The live task of that id; null when it has ended or never was.</summary>
    internal async ValueTask<ManagedTask?> FindAsync(TaskId id, CancellationToken cancellationToken)
    {
        if (Known(id, out ManagedTask? known))
        {
            return known;
        }

        if (id.Value <= 0)
        {
            return null;
        }

        ManagedTask? found = await questions.PassAsync(() => Known(id, out ManagedTask? meanwhile) ? meanwhile : runtime.FindTask(id), cancellationToken).ConfigureAwait(false);
        Note(id, found);
        return found;
    }

    /// <summary>What is known without looking; the task is null when it is known to have ended.</summary>
    internal bool Known(TaskId id, out ManagedTask? task)
    {
        lock (_gate)
        {
            task = null;
            if (!_known.TryGetValue(id, out WeakReference<ManagedTask>? weak))
            {
                return false;
            }

            if (weak.TryGetTarget(out task) && task.IsEnded)
            {
                task = null;
            }

            return true;
        }
    }

    /// <summary>Those that live, of a few ids; looked for at most once each.</summary>
    internal List<ManagedTask?> FindAll(IReadOnlyList<TaskId> ids)
    {
        List<TaskId> unknown = [.. ids.Where(id => !Known(id, out _)).Distinct()];
        if (unknown.Count > 0)
        {
            IReadOnlyList<ManagedTask> found = runtime.FindTasks(unknown);
            foreach (TaskId id in unknown)
            {
                Note(id, found.FirstOrDefault(task => task.Id == id));
            }
        }

        return [.. ids.Select(id => Known(id, out ManagedTask? task) ? task : null)];
    }

    // A null target stands for one that has ended: ids are never used again.
    private void Note(TaskId id, ManagedTask? task)
    {
        lock (_gate)
        {
            if (_known.Count >= Most)
            {
                _known.Clear();
            }

            _known[id] = new WeakReference<ManagedTask>(task!);
        }
    }
}
