using System.Diagnostics.CodeAnalysis;

namespace Moirai.Execution;

/// <summary>The foreign <see cref="Task"/>s that were given up in one scope or pool, whose end waits for them with a budget. Held weakly: see <see cref="AbandonedWaits"/>.</summary>
/// <remarks>What has ended, and what is there twice, is struck out whenever the list has doubled: so it is as long as the number of <see cref="Task"/>s that go on, more or less, however often they are waited for in vain.</remarks>
internal sealed class GivenUpTasks
{
    private const int SmallestSweep = 8;

    // Also the lock of itself.
    private readonly List<(WeakReference<Task> Task, AbandonedWait Entry)> _all = [];
    private int _nextSweep = SmallestSweep;

    internal void Add(Task task, AbandonedWait entry)
    {
        lock (_all)
        {
            if (_all.Count > 0 && _all[^1].Task.TryGetTarget(out Task? last) && ReferenceEquals(last, task))
            {
                return; // somebody polls
            }

            if (_all.Count >= _nextSweep)
            {
                SweepLocked();
                _nextSweep = Math.Max(SmallestSweep, 2 * _all.Count);
            }

            _all.Add((new WeakReference<Task>(task), entry));
        }
    }

    /// <summary>One that goes on.</summary>
    /// <returns>False when all have ended, or can never end because nobody can reach them.</returns>
    internal bool TryGetFirst([NotNullWhen(true)] out Task? goesOn)
    {
        lock (_all)
        {
            SweepLocked();
            goesOn = null;
            return _all.Count > 0 && _all[0].Task.TryGetTarget(out goesOn);
        }
    }

    /// <summary>Those that go on.</summary>
    internal List<AbandonedWait> ToList()
    {
        lock (_all)
        {
            SweepLocked();
            return _all.ConvertAll(static one => one.Entry);
        }
    }

    private void SweepLocked()
    {
        HashSet<Task> seen = [];
        _all.RemoveAll(one => !one.Task.TryGetTarget(out Task? task) || task.IsCompleted || !seen.Add(task));
    }
}
