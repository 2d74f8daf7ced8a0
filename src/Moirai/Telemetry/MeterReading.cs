using System.Diagnostics.Metrics;
using Moirai.Alarms;
using Moirai.Diagnostics;
using Moirai.Execution;
using Moirai.Ground;
using Moirai.Shutdown;

namespace Moirai.Telemetry;

/// <summary>What all runtimes of the process show at one moment. Numbers and names only: it keeps nothing alive.</summary>
/// <remarks>Runtimes of one name are told as one, and so are pools of one name in them: their sums, of lags the largest.</remarks>
internal sealed class MeterReading
{
    private static readonly TaskState[] s_liveStates = [TaskState.Created, TaskState.Ready, TaskState.Running, TaskState.Blocked];

    private readonly Dictionary<string, RuntimeRow> _runtimes = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Runtime, string Pool), PoolRow> _pools = [];

    private MeterReading()
    {
    }

    internal IEnumerable<Measurement<long>> Ended => _runtimes.SelectMany(static row => Outcomes(
        row.Value.Ended, [new(Vocabulary.Runtime, row.Key)]));

    internal IEnumerable<Measurement<long>> PoolEnded => _pools.SelectMany(static row => Outcomes(
        row.Value.Ended, [new(Vocabulary.Runtime, row.Key.Runtime), new(Vocabulary.Pool, row.Key.Pool)]));

    internal IEnumerable<Measurement<long>> Live => _runtimes.SelectMany(static row => s_liveStates.Select(state => new Measurement<long>(
        row.Value.Live[(int)state], new(Vocabulary.Runtime, row.Key), new(Vocabulary.State, Vocabulary.WordOf(state)))));

    internal IEnumerable<Measurement<long>> Alarms => _runtimes.SelectMany(static row => row.Value.Alarms.Select(alarm => new Measurement<long>(
        alarm.Value, new(Vocabulary.Runtime, row.Key), new(Vocabulary.AlarmKind, Vocabulary.WordOf(alarm.Key)))));

    internal IEnumerable<Measurement<long>> Runtimes(Func<RuntimeRow, long> value) =>
        _runtimes.Select(row => new Measurement<long>(value(row.Value), new KeyValuePair<string, object?>(Vocabulary.Runtime, row.Key)));

    internal IEnumerable<Measurement<double>> RuntimeSeconds(Func<RuntimeRow, TimeSpan> value) =>
        _runtimes.Select(row => new Measurement<double>(value(row.Value).TotalSeconds, new KeyValuePair<string, object?>(Vocabulary.Runtime, row.Key)));

    internal IEnumerable<Measurement<long>> Pools(Func<PoolRow, long> value) => _pools.Select(row => new Measurement<long>(
        value(row.Value), new(Vocabulary.Runtime, row.Key.Runtime), new(Vocabulary.Pool, row.Key.Pool)));

    /// <summary>Looks at every runtime. Costs a look at each open scope and at the state of each live task; stops nothing.</summary>
    internal static MeterReading Take()
    {
        var reading = new MeterReading();
        foreach (Engine engine in RuntimeRoster.Known())
        {
            reading.Add(engine);
        }

        return reading;
    }

    private void Add(Engine engine)
    {
        string name = MoiraiMeter.RuntimeNames.Of(engine.Name);
        if (!_runtimes.TryGetValue(name, out RuntimeRow? row))
        {
            _runtimes.Add(name, row = new RuntimeRow());
        }

        GroupTotals totals = engine.Root.TakeTotals();
        row.Created += totals.Counts.Created;
        AddEnds(row.Ended, totals.Counts);
        row.Scopes += totals.OpenGroups - 1;
        row.Deadlocks += engine.DeadlocksFound;
        row.Add(engine.Timers.TakeGauges());
        foreach (Alarm alarm in engine.Watch is LostRuntime { Watchdog: Watchdog { IsDisposed: false } dog } ? dog.Open : [])
        {
            row.Alarms[alarm.Kind] = row.Alarms.GetValueOrDefault(alarm.Kind) + 1;
        }

        var pages = new Pages<RosterPage>();
        List<TaskGroup> inside = [];
        foreach (TaskGroup group in engine.Root.SelfAndInside())
        {
            pages.Clear();
            inside.Clear();
            group.Look(pages, inside);
            foreach (RosterPage page in pages)
            {
                for (int seat = 0; seat < page.Size; seat++)
                {
                    if (page[seat] is { } task)
                    {
                        row.Live[(int)task.State]++;
                    }
                }
            }

            if (Vocabulary.SlotsOf(group) is { } slots)
            {
                Add(name, slots, group.Counts);
            }
        }
    }

    private void Add(string runtime, TaskSlotManager slots, GroupCounts counts)
    {
        (string Runtime, string Pool) key = (runtime, MoiraiMeter.PoolNames.Of(slots.Name));
        if (!_pools.TryGetValue(key, out PoolRow? row))
        {
            _pools.Add(key, row = new PoolRow());
        }

        row.InUse += slots.InUse;
        row.Limit += slots.MaxTasks;
        row.Waiting += slots.Waiting;
        AddEnds(row.Ended, counts);
    }

    // In the order of the names of outcomes.
    private static void AddEnds(long[] ended, in GroupCounts counts)
    {
        ended[0] += counts.Completed;
        ended[1] += counts.Failed;
        ended[2] += counts.Canceled;
    }

    private static IEnumerable<Measurement<long>> Outcomes(long[] ended, KeyValuePair<string, object?>[] tags) =>
        ended.Select((count, i) => new Measurement<long>(count, [.. tags, new(Vocabulary.Outcome, Vocabulary.Outcomes[i])]));

    /// <summary>The runtimes of one name.</summary>
    internal sealed class RuntimeRow
    {
        internal long Created;
        internal long Scopes;
        internal long Deadlocks;
        internal long Timers;
        internal long Fired;
        internal TimeSpan Lag;
        internal TimeSpan MaxLag;
        internal TimeSpan Overdue;

        internal long[] Ended { get; } = new long[Vocabulary.Outcomes.Length];

        // One that ends between the look at its seat and the look at its state is counted where nobody reads.
        internal long[] Live { get; } = new long[Enum.GetValues<TaskState>().Length];

        // Every kind, so that a gauge goes back to zero.
        internal SortedDictionary<AlarmKind, long> Alarms { get; } = new(Enum.GetValues<AlarmKind>().ToDictionary(static kind => kind, static _ => 0L));

        internal void Add(TimerGauges gauges)
        {
            Timers += gauges.Depth;
            Fired += gauges.Fired;
            Lag = Later(Lag, gauges.LastLag);
            MaxLag = Later(MaxLag, gauges.MaxLag);
            Overdue = Later(Overdue, gauges.OldestOverdue);
        }

        private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;
    }

    /// <summary>The pools of one name.</summary>
    internal sealed class PoolRow
    {
        internal long InUse;
        internal long Limit;
        internal long Waiting;

        internal long[] Ended { get; } = new long[Vocabulary.Outcomes.Length];
    }
}

/// <summary>Gives the instruments their readings: one for all that are collected together, so that their numbers belong together and the walk is done once.</summary>
internal sealed class MeterReadings
{
    // An instrument that was not collected with the others last time does not get what they saw.
    private const int OldestMilliseconds = 100;

    private readonly Lock _gate = new();

    // Under the gate. A bit for each instrument that has had the reading.
    private MeterReading? _last;
    private long _taken;
    private long _at;
    private int _numbers;

    /// <summary>A number for an instrument.</summary>
    internal int NextNumber() => _numbers++;

    /// <summary>The reading for an instrument: a new one when it has had the last.</summary>
    internal MeterReading For(int number)
    {
        lock (_gate)
        {
            long now = Clock.CoarseMilliseconds;
            if (_last is null || (_taken & (1L << number)) != 0 || now - _at > OldestMilliseconds)
            {
                _last = MeterReading.Take();
                _taken = 0;
                _at = now;
            }

            _taken |= 1L << number;
            return _last;
        }
    }
}
