using Moirai.Execution;
using Moirai.Stories;

namespace Moirai.Testing;

/// <summary>Asserts, when it is disposed, that nothing is left of what was begun since it was made: no task, timer, waiter, slot, open scope, unresolved one-shot, running <see cref="Timer"/> or tracked object.</summary>
/// <remarks>
/// <c>await using var nothing = new NothingLeftBehind(runtime);</c> as the first line of a test; or a field of a test class that its <c>DisposeAsync</c> disposes last.
/// <para>What was there before does not count. What is just about to end is given <c>settle</c>; on a <see cref="LocalExecutor"/> that nobody drives it is driven for that. A failure names each task with its spawn site, the chain of methods it waits in and what it waits
/// for, and says of which of them the garbage collector has proved that they can never go on.</para>
/// <para>One-shots count when they are made in the execution context in which this was made, or in one that came from it. <see cref="Timer.ActiveCount"/> is the process's own: where tests run side by side, switch that look off
/// (<see cref="CountsTimers"/>) or let them run one after the other.</para>
/// Not safe for use by several threads at a time.
/// </remarks>
public sealed class NothingLeftBehind : IAsyncDisposable
{
    private const int MostNamed = 20;
    private static readonly AsyncLocal<NothingLeftBehind?> s_current = new();
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);

    private readonly TaskRuntime _runtime;
    private readonly TimeSpan _settle;
    private readonly HashSet<TaskId> _tasksBefore;
    private readonly HashSet<TaskGroup> _scopesBefore;
    private readonly Census _before;
    private readonly long _timersBefore = Timer.ActiveCount;
    private readonly List<(string Name, WeakReference Target)> _tracked = [];
    private readonly List<(TaskSlotManager Slots, int Before)> _slots = [];

    // Written by whoever makes a one-shot, under its lock.
    private readonly List<WeakReference<IPromise>> _promises = [];

    /// <summary>Begins.</summary>
    /// <param name="runtime">The runtime that is looked at; <see cref="TaskRuntime.Default"/> by default.</param>
    /// <param name="settle">How long, in real time, things may still take to end; five seconds by default, zero looks once.</param>
    public NothingLeftBehind(TaskRuntime? runtime = null, TimeSpan? settle = null)
    {
        _runtime = runtime ?? TaskRuntime.Default;
        _settle = settle ?? TimeSpan.FromSeconds(5);
        _tasksBefore = [.. Live().Select(static task => task.Id)];
        _scopesBefore = [.. _runtime.Engine.Root.SelfAndInside()];
        _before = _runtime.TakeCensus();
        OneShot.Made = static promise => s_current.Value?.Note(promise);
        s_current.Value = this;
    }

    /// <summary>Whether running <see cref="Timer"/>s of the process count. True by default.</summary>
    public bool CountsTimers { get; init; } = true;

    /// <summary>Asserts that an object can be collected at the end: nobody may hold it then.</summary>
    /// <param name="target">The object. It is held weakly.</param>
    /// <param name="name">What a failure calls it.</param>
    /// <typeparam name="T">Its type.</typeparam>
    /// <returns>The object.</returns>
    public T Track<T>(T target, string? name = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(target);
        _tracked.Add((name ?? target.GetType().Name, new WeakReference(target)));
        return target;
    }

    /// <summary>Asserts that no more slots of a manager of its own are held, or waited for, at the end than now. Slots of pools need not be named.</summary>
    /// <param name="slots">The slots.</param>
    public void Watch(TaskSlotManager slots)
    {
        ArgumentNullException.ThrowIfNull(slots);
        _slots.Add((slots, slots.InUse + slots.Waiting));
    }

    /// <summary>Looks.</summary>
    /// <exception cref="LeftBehindException">Something was left.</exception>
    public async ValueTask DisposeAsync()
    {
        if (ReferenceEquals(s_current.Value, this))
        {
            s_current.Value = null;
        }

        long began = TimeProvider.System.GetTimestamp();
        List<string> left = Look();
        while (left.Count > 0 && TimeProvider.System.GetElapsedTime(began) < _settle)
        {
            await Task.Delay(s_look, TimeProvider.System).ConfigureAwait(false);
            left = Look();
        }

        if (left.Count > 0)
        {
            await AddVerdictAsync(left).ConfigureAwait(false);
            throw new LeftBehindException(_runtime.Name, left);
        }
    }

    private List<string> Look()
    {
        if (_runtime.Executor is LocalExecutor local)
        {
            while (local.TryRunSlice())
            {
                // until nothing is ready
            }
        }

        List<string> left = [];
        AddTasks(left);
        AddScopes(left);
        Census census = _runtime.TakeCensus();
        AddMore(left, "slots of pools are held", census.SlotsInUse, _before.SlotsInUse);
        AddMore(left, "waits for a slot, the end of a scope or a primitive go on", census.Waiters, _before.Waiters);
        AddMore(left, "entries are in the timer queue", census.TimerEntries, _before.TimerEntries);
        foreach ((TaskSlotManager slots, int before) in _slots)
        {
            AddMore(left, $"slots of '{slots.Name}' are held or waited for", slots.InUse + slots.Waiting, before);
        }

        if (CountsTimers)
        {
            AddMore(left, "Timers of the process run (Timer.ActiveCount)", Timer.ActiveCount, _timersBefore);
        }

        AddTracked(left);
        AddPromises(left);
        return left;
    }

    private List<ManagedTask> Live()
    {
        List<ManagedTask> live = _runtime.Engine.Root.CollectTasks();
        live.AddRange(_runtime.Engine.Housekeeping.CollectTasks());
        live.RemoveAll(static task => task.IsEnded);
        return live;
    }

    private void AddTasks(List<string> left)
    {
        List<ManagedTask> live = Live();
        live.RemoveAll(task => _tasksBefore.Contains(task.Id));
        foreach (ManagedTask task in live.Take(MostNamed))
        {
            List<string> frames = TaskStory.Frames(task);
            List<string> holds = TaskStory.Holdings(task);
            string where = frames.Count > 0 ? $" in {string.Join(" ← ", frames)}" : string.Empty;
            string what = holds.Count > 0 ? $"; it holds {string.Join(", ", holds)}" : string.Empty;
            left.Add($"task {task}, spawned at {task.SpawnSite}, waits{where} for {task.DescribeWait()}{what}");
        }

        if (live.Count > MostNamed)
        {
            left.Add($"and {live.Count - MostNamed} tasks more");
        }
    }

    private void AddScopes(List<string> left)
    {
        foreach (TaskGroup group in _runtime.Engine.Root.SelfAndInside())
        {
            if (!_scopesBefore.Contains(group) && !group.IsClosed)
            {
                left.Add($"scope, pool or collector '{group.Name}'{(group.Opener is { } opener ? $" of {opener.Title}" : string.Empty)} is open: dispose it");
            }
        }
    }

    private static void AddMore(List<string> left, string what, long now, long before)
    {
        if (now > before)
        {
            left.Add($"{now - before} {what}");
        }
    }

    private void AddTracked(List<string> left)
    {
        for (int i = 0; i < 3 && _tracked.Exists(static one => one.Target.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        foreach ((string name, WeakReference target) in _tracked)
        {
            if (target.IsAlive)
            {
                left.Add($"tracked object '{name}' is still reachable");
            }
        }
    }

    private void AddPromises(List<string> left)
    {
        lock (_promises)
        {
            foreach (WeakReference<IPromise> promise in _promises)
            {
                if (promise.TryGetTarget(out IPromise? made) && made.IsUnresolved)
                {
                    left.Add(made.Describe());
                }
            }
        }
    }

    private void Note(IPromise promise)
    {
        lock (_promises)
        {
            _promises.Add(new WeakReference<IPromise>(promise));
        }
    }

    private async Task AddVerdictAsync(List<string> left)
    {
        if (Live().Exists(task => !_tasksBefore.Contains(task.Id)))
        {
            LeakReport report = await _runtime.FindLeaksAsync(LeakPolicy.Report).ConfigureAwait(false);
            left.AddRange(report.Leaks.Where(leak => !_tasksBefore.Contains(leak.Id)).Take(MostNamed).Select(static leak => $"proved: {leak}"));
        }
    }
}
