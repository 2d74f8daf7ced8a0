using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Stories;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai.Testing;

/// <summary>Asserts, when it is disposed, that nothing is left of what was begun since it was made: no task, timer, waiter, slot, open scope, unresolved one-shot, running <see cref="Timer"/> or tracked object.</summary>
/// <remarks>
/// <c>await using var nothing = new NothingLeftBehind(runtime);</c> as the first line of a test; or a field of a test class that its <c>DisposeAsync</c> disposes last.
/// <para>What was there before does not count. What is just about to end is given <c>settle</c>; on a <see cref="LocalExecutor"/> that nobody drives it is driven for that. A failure names each task with its spawn site, the chain of methods it waits in and what it waits
/// for, and says of which of them the garbage collector has proved that they can never go on.</para>
/// <para>One-shots, and waits of plain code in a primitive, belong to no runtime. They count when a task of the runtime makes them, or code in the execution context in which this was made or in one that came from it. Where that context
/// was lost by the time of the look (this was made inside an <c>async InitializeAsync</c>), all count that belong to no other runtime's task and to no other such assertion.</para>
/// <para><see cref="Timer.ActiveCount"/> is the process's own, and only a number: where tests run side by side, switch that look off (<see cref="CountsTimers"/>) or let them run one after the other; a timer that was there before and ends meanwhile
/// hides a new one.</para>
/// <para>An exception of a <c>DisposeAsync</c> takes the place of one that was on its way. So that nobody looks in the wrong place, the failure names the exception that was thrown last in the same context, and has it as its inner exception.</para>
/// Not safe for use by several threads at a time.
/// </remarks>
public sealed class NothingLeftBehind : IAsyncDisposable
{
    private const int MostNamed = 20;
    private static readonly AsyncLocal<NothingLeftBehind?> s_current = new();
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);

    // Those that have not looked yet. Under its own lock.
    private static readonly List<NothingLeftBehind> s_active = [];

    private readonly TaskRuntime _runtime;
    private readonly TimeSpan _settle;

    // The assertion in whose context this one was made.
#pragma warning disable CA2213 // whoever made it disposes it
    private readonly NothingLeftBehind? _outer = s_current.Value;
#pragma warning restore CA2213
    private readonly HashSet<TaskId> _tasksBefore;
    private readonly HashSet<TaskGroup> _scopesBefore;
    private readonly Census _before;
    private readonly long _waitsBefore; // without those of tasks
    private readonly long _timersBefore = Timer.ActiveCount;
    private readonly List<(string Name, WeakReference Target)> _tracked = [];
    private readonly List<(TaskSlotManager Slots, int Before)> _slots = [];

    // Entries of the timer queue, by node and deadline; holds none of them.
    private readonly Dictionary<(int Node, long Due), int> _entriesBefore = [];

    // What says, once it is asked, whether it was left. Written by whoever makes a one-shot or waits, under the lock of the first.
    private readonly List<Func<string?>> _made = [];
    private readonly List<Func<string?>> _strays = [];

    // Written by whoever throws.
    private volatile WeakReference<Exception>? _thrown;

    // Written by the one who looks.
    private bool _ended;
    private bool _lostContext;

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
        _waitsBefore = _before.Waiters - Live().Count(WaitsInCensus);
        foreach ((WaitNode node, long due) in _runtime.Engine.Timers.ListEntries())
        {
            (int, long) key = (RuntimeHelpers.GetHashCode(node), due);
            _entriesBefore[key] = _entriesBefore.GetValueOrDefault(key) + 1;
        }

        OneShot.Made = static promise => Tell(promise, Left);
        PlainSeat.Begun = static seat => Tell(seat, Left);
        lock (s_active)
        {
            if (s_active.Count == 0)
            {
                AppDomain.CurrentDomain.FirstChanceException += NoteThrown;
            }

            s_active.Add(this);
        }

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
    public ValueTask DisposeAsync()
    {
        if (_ended)
        {
            return default;
        }

        // Not in an async method, whose changes of the context end with it.
        _ended = true;
        _lostContext = !IsAround(s_current.Value);
        if (ReferenceEquals(s_current.Value, this))
        {
            s_current.Value = _outer;
        }

        lock (s_active)
        {
            s_active.Remove(this);
            if (s_active.Count == 0)
            {
                AppDomain.CurrentDomain.FirstChanceException -= NoteThrown;
            }
        }

        return new ValueTask(LookAsync());
    }

    private async Task LookAsync()
    {
        long began = TimeProvider.System.GetTimestamp();
        List<string> left = Look();
        while (left.Count > 0 && TimeProvider.System.GetElapsedTime(began) < _settle)
        {
            await Task.Delay(s_look, TimeProvider.System).ConfigureAwait(false);
            left = Look();
        }

        if (left.Count > 0)
        {
            Exception? thrown = null;
            _thrown?.TryGetTarget(out thrown);
            await AddVerdictAsync(left).ConfigureAwait(false);
            throw new LeftBehindException(_runtime.Name, left, thrown);
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
        AddMore(left, "waits for a slot, the end of a scope or a primitive go on", census.Waiters - Live().Count(task => _tasksBefore.Contains(task.Id) && WaitsInCensus(task)), _waitsBefore);
        AddMore(left, "entries are in the timer queue", CountNewEntries(), 0);
        foreach ((TaskSlotManager slots, int before) in _slots)
        {
            AddMore(left, $"slots of '{slots.Name}' are held or waited for", slots.InUse + slots.Waiting, before);
        }

        if (CountsTimers)
        {
            AddMore(left, "Timers of the process run (Timer.ActiveCount)", Timer.ActiveCount, _timersBefore);
        }

        AddTracked(left);
        AddMade(left);
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

    private void AddMade(List<string> left)
    {
        lock (_made)
        {
            left.AddRange(_made.Concat(_lostContext ? _strays : []).Select(static made => made()).OfType<string>());
        }
    }

    // Waits of tasks that the census counts.
    private static bool WaitsInCensus(ManagedTask task) => task.State == TaskState.Blocked && task.Leaf?.Queue is IPrimitiveQueue or TaskGroup;

    // Those of tasks and scopes that were there before are theirs, also when they were made since.
    private int CountNewEntries()
    {
        var before = new Dictionary<(int, long), int>(_entriesBefore);
        int count = 0;
        foreach ((WaitNode node, long due) in _runtime.Engine.Timers.ListEntries())
        {
            (int, long) key = (RuntimeHelpers.GetHashCode(node), due);
            if (before.TryGetValue(key, out int known) && known > 0)
            {
                before[key] = known - 1;
                continue;
            }

            bool excused = node switch
            {
                Frame { Owner: { } owner } => _tasksBefore.Contains(owner.Id),
                DeadlineSeat { Owner: { } owner } => _tasksBefore.Contains(owner.Id),
                GroupDeadline deadline => _scopesBefore.Contains(deadline.Group),
                _ => false,
            };
            count += excused ? 0 : 1;
        }

        return count;
    }

    // Whether the context of another is that of this, or came from it.
    private bool IsAround(NothingLeftBehind? inner)
    {
        while (inner is not null && !ReferenceEquals(inner, this))
        {
            inner = inner._outer;
        }

        return inner is not null;
    }

    private static Func<string?> Left(IPromise promise)
    {
        var made = new WeakReference<IPromise>(promise);
        return () => made.TryGetTarget(out IPromise? one) && one.IsUnresolved ? one.Describe() : null;
    }

    private static Func<string?> Left(PlainSeat seat)
    {
        var begun = new WeakReference<PlainSeat>(seat);
        return () => begun.TryGetTarget(out PlainSeat? one) && one.IsWaiting ? $"plain code waits for {one.DescribeWait()}" : null;
    }

    private static void Tell<T>(T what, Func<T, Func<string?>> left)
    {
        if (s_active.Count == 0)
        {
            return; // a look without the lock: who begins an assertion in this moment on another thread means nothing that we do
        }

        Func<string?> made = left(what);
        NothingLeftBehind? here = s_current.Value;
        Engine? engine = ManagedTask.Current?.Engine;
        lock (s_active)
        {
            foreach (NothingLeftBehind one in s_active)
            {
                if (one.IsAround(here) || ReferenceEquals(engine, one._runtime.Engine))
                {
                    one.Note(one._made, made);
                }
                else if (here is null or { _ended: true } && engine is null)
                {
                    one.Note(one._strays, made);
                }
            }
        }
    }

    private void Note(List<Func<string?>> list, Func<string?> made)
    {
        lock (_made)
        {
            if (list.Count == list.Capacity)
            {
                list.RemoveAll(static one => one() is null); // a test may make millions; the rest doubles before the next look
                list.EnsureCapacity(Math.Max(16, 2 * list.Count));
            }

            list.Add(made);
        }
    }

    private static void NoteThrown(object? sender, System.Runtime.ExceptionServices.FirstChanceExceptionEventArgs thrown)
    {
        for (NothingLeftBehind? one = s_current.Value; one is not null; one = one._outer)
        {
            if (!one._ended)
            {
                one._thrown = new WeakReference<Exception>(thrown.Exception);
            }
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
