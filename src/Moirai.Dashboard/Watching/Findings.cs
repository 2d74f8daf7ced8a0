using Moirai.Dashboard.Frames;

namespace Moirai.Dashboard.Watching;

/// <summary>The last events of a runtime that somebody may want to read later: deadlocks, leaks, and the rest. Bounded, and made of words: nothing of the program is held.</summary>
internal sealed class Findings
{
    internal const int MostDeadlocks = 8;
    internal const int MostLeaks = 40;
    internal const int MostOthers = 40;
    private const int LongestMessage = 2_000;

    private readonly Lock _gate = new();

    // Guarded by the gate, the oldest first.
    private readonly Queue<FoundDeadlock> _deadlocks = [];
    private readonly Queue<FoundEvent> _leaks = [];
    private readonly Queue<FoundEvent> _others = [];
    private readonly TimeProvider _time;

    internal Findings(TaskRuntime runtime)
    {
        _time = runtime.TimeProvider;
        _ = runtime.SubscribeToEvents(Note); // for as long as the runtime lives
    }

    /// <summary>The newest first.</summary>
    internal (FoundDeadlock[] Deadlocks, FoundEvent[] Leaks, FoundEvent[] Others) Copy()
    {
        lock (_gate)
        {
            return ([.. _deadlocks.Reverse()], [.. _leaks.Reverse()], [.. _others.Reverse()]);
        }
    }

    private void Note(RuntimeEvent what)
    {
        if (what.Kind is RuntimeEventKind.Alarm or RuntimeEventKind.AlarmCleared)
        {
            return; // alarms that are there now are asked for
        }

        var found = new FoundEvent(_time.GetUtcNow(), what.Kind, what.Message.Length > LongestMessage ? $"{what.Message.AsSpan(0, LongestMessage)}…" : what.Message, what.Task)
        {
            TaskName = what.TaskName,
            SpawnSite = what.SpawnSite,
        };
        lock (_gate)
        {
            if (what.Error is DeadlockException deadlock)
            {
                Add(_deadlocks, new FoundDeadlock(found.At, found.Message, [.. deadlock.Cycle]), MostDeadlocks);
            }
            else
            {
                bool isLeak = what.Kind == RuntimeEventKind.Leaked;
                Add(isLeak ? _leaks : _others, found, isLeak ? MostLeaks : MostOthers);
            }
        }
    }

    private static void Add<T>(Queue<T> ring, T one, int most)
    {
        ring.Enqueue(one);
        if (ring.Count > most)
        {
            ring.Dequeue();
        }
    }
}
