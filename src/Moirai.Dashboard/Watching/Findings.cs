using Moirai.Dashboard.Frames;

namespace Moirai.Dashboard.Watching;

/// <summary>The last events of a runtime that somebody may want to read later: deadlocks, leaks, alarms that are over, and the rest. Bounded, and made of words: nothing of the program is held.</summary>
internal sealed class Findings
{
    internal const int MostDeadlocks = 8;
    internal const int MostLeaks = 40;
    internal const int MostOthers = 40;
    internal const int MostAlarms = 20;

    /// <summary>Timeouts are daily bread: a few show that there are some, and all the others would push out what nobody expects.</summary>
    internal const int MostTimeouts = 3;
    private const int LongestMessage = 2_000;

    private readonly Lock _gate = new();

    // Guarded by the gate, the oldest first.
    private readonly Queue<FoundDeadlock> _deadlocks = [];
    private readonly List<FoundEvent> _leaks = [];
    private readonly Queue<FoundEvent> _others = [];
    private readonly Queue<FoundEvent> _alarms = [];
    private readonly Queue<FoundEvent> _timeouts = [];
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
            return ([.. _deadlocks.Reverse()], [.. _leaks.AsEnumerable().Reverse()], [.. _others.Concat(_alarms).Concat(_timeouts).OrderByDescending(static one => one.At)]);
        }
    }

    private void Note(RuntimeEvent what)
    {
        if (what.Kind == RuntimeEventKind.Alarm)
        {
            return; // those that are there now are asked for; each is remembered when it is over
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
            else if (what.Kind == RuntimeEventKind.Leaked)
            {
                AddLeak(found);
            }
            else
            {
                (Queue<FoundEvent> ring, int most) = what.Kind switch
                {
                    RuntimeEventKind.AlarmCleared => (_alarms, MostAlarms), // many that come and go push out nothing else
                    RuntimeEventKind.TimedOut => (_timeouts, MostTimeouts),
                    _ => (_others, MostOthers),
                };
                Add(ring, found, most);
            }
        }
    }

    // A task that was only told of is found by the next search again: it is one leak, and what was said of it last counts.
    private void AddLeak(FoundEvent found)
    {
        _leaks.RemoveAll(before => before.Task == found.Task);
        _leaks.Add(found);
        if (_leaks.Count > MostLeaks)
        {
            _leaks.RemoveAt(0);
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
