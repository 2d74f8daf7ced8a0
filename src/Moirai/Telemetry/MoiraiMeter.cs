using System.Diagnostics.Metrics;

namespace Moirai.Telemetry;

/// <summary>The meter <c>Moirai</c>: every instrument, with its name, unit and meaning. docs/telemetry.md lists them, under test.</summary>
/// <remarks>What is counted anyway is read when somebody collects, so no task pays for it. What needs an event (a task's end, an alarm) is recorded then, and costs a look at a list while nobody listens.</remarks>
internal static class MoiraiMeter
{
    /// <summary>More names of tasks than this are told as <see cref="NameBook.Other"/>.</summary>
    internal const int MostTaskNames = 200;

    /// <summary>More names of pools, and of runtimes, than this.</summary>
    internal const int MostOwnerNames = 100;

    private const string Seconds = "s";
    private const string Tasks = "{task}";

    private static readonly InstrumentAdvice<double> s_buckets = new()
    {
        HistogramBucketBoundaries = [0.00001, 0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    };

    private static readonly MeterReadings s_readings = new();

    internal static readonly Meter Meter = new(Vocabulary.Name, typeof(MoiraiMeter).Assembly.GetName().Version?.ToString(3));

    internal static readonly NameBook TaskNames = new(MostTaskNames);
    internal static readonly NameBook PoolNames = new(MostOwnerNames);
    internal static readonly NameBook RuntimeNames = new(MostOwnerNames);

    internal static readonly Histogram<double> Lives = Meter.CreateHistogram(
        "moirai.task.duration", Seconds, "From spawn to end.", tags: null, s_buckets);

    internal static readonly Histogram<double> Busy = Meter.CreateHistogram(
        "moirai.task.busy.duration", Seconds, "How long threads were busy with a task in all of its life. Where AccountingLevel.Exact is set.", tags: null, s_buckets);

    internal static readonly Histogram<double> Ready = Meter.CreateHistogram(
        "moirai.task.ready.duration", Seconds, "How long a task was ready and had no thread in all of its life. Where AccountingLevel.Exact is set.", tags: null, s_buckets);

    internal static readonly Histogram<double> Blocked = Meter.CreateHistogram(
        "moirai.task.blocked.duration", Seconds, "How long a task waited in all of its life. Where AccountingLevel.Exact is set.", tags: null, s_buckets);

    private static readonly Counter<long> s_events = Meter.CreateCounter<long>("moirai.runtime.events", "{event}", "Runtime events, by kind.");
    private static readonly Counter<long> s_alarms = Meter.CreateCounter<long>("moirai.alarm.raised", "{alarm}", "Alarms raised.");
    private static readonly Counter<long> s_leaksFound = Meter.CreateCounter<long>("moirai.leak.found", Tasks, "Tasks proved to wait for something that can never come.");
    private static readonly Counter<long> s_leaksHealed = Meter.CreateCounter<long>("moirai.leak.healed", Tasks, "Leaked tasks that were resumed, so that their clean-up runs.");

    /// <summary>Makes what is read at collection. Once, with the first runtime.</summary>
    internal static void Open()
    {
        Count("moirai.task.created", Tasks, "Tasks created.", static reading => reading.Runtimes(static row => row.Created));
        Count("moirai.task.ended", Tasks, "Tasks ended.", static reading => reading.Ended);
        Level("moirai.task.live", Tasks, "Tasks that have not ended, by state.", static reading => reading.Live);
        Level("moirai.scope.open", "{scope}", "Scopes, pools and collectors that are not closed.", static reading => reading.Runtimes(static row => row.Scopes));
        Level("moirai.pool.slot.in_use", "{slot}", "Slots of a pool that are held.", static reading => reading.Pools(static row => row.InUse));
        Level("moirai.pool.slot.limit", "{slot}", "Slots of a pool.", static reading => reading.Pools(static row => row.Limit));
        Level("moirai.pool.slot.waiting", "{request}", "Who waits for a slot of a pool.", static reading => reading.Pools(static row => row.Waiting));
        Count("moirai.pool.task.ended", Tasks, "Tasks of a pool ended.", static reading => reading.PoolEnded);
        Level("moirai.timer.depth", "{timer}", "Entries in the timer queue.", static reading => reading.Runtimes(static row => row.Timers));
        Count("moirai.timer.fired", "{timer}", "Timers fired.", static reading => reading.Runtimes(static row => row.Fired));
        Gauge("moirai.timer.lag", "How late the last timer fired.", static reading => reading.RuntimeSeconds(static row => row.Lag));
        Gauge("moirai.timer.max_lag", "How late the latest timer ever fired.", static reading => reading.RuntimeSeconds(static row => row.MaxLag));
        Gauge("moirai.timer.overdue", "By how much the oldest entry of the timer queue is overdue.", static reading => reading.RuntimeSeconds(static row => row.Overdue));
        Level("moirai.alarm.open", "{alarm}", "Alarms that are there.", static reading => reading.Alarms);
        Count("moirai.deadlock.found", "{deadlock}", "Rings of tasks that waited for each other.", static reading => reading.Runtimes(static row => row.Deadlocks));
    }

    /// <summary>Counts an event.</summary>
    internal static void Take(string runtime, RuntimeEvent what)
    {
        if (!s_events.Enabled && !s_alarms.Enabled && !s_leaksFound.Enabled && !s_leaksHealed.Enabled)
        {
            return;
        }

        var owner = new KeyValuePair<string, object?>(Vocabulary.Runtime, RuntimeNames.Of(runtime));
        s_events.Add(1, owner, new(Vocabulary.EventKind, Vocabulary.WordOf(what.Kind)));
        switch (what.Subject)
        {
            case Alarm { Phase: AlarmPhase.Raised } alarm:
                s_alarms.Add(1, owner, new(Vocabulary.AlarmKind, Vocabulary.WordOf(alarm.Kind)));
                break;
            case LeakedTask leak:
                s_leaksFound.Add(leak.WasFoundBefore ? 0 : 1, owner);
                s_leaksHealed.Add(leak.Remedy is LeakRemedy.Resumed or LeakRemedy.ResumedPartly ? 1 : 0, owner);
                break;
        }
    }

    private static void Count(string name, string unit, string description, Func<MeterReading, IEnumerable<Measurement<long>>> read)
    {
        int number = s_readings.NextNumber();
        Meter.CreateObservableCounter(name, () => read(s_readings.For(number)), unit, description);
    }

    private static void Level(string name, string unit, string description, Func<MeterReading, IEnumerable<Measurement<long>>> read)
    {
        int number = s_readings.NextNumber();
        Meter.CreateObservableUpDownCounter(name, () => read(s_readings.For(number)), unit, description);
    }

    private static void Gauge(string name, string description, Func<MeterReading, IEnumerable<Measurement<double>>> read)
    {
        int number = s_readings.NextNumber();
        Meter.CreateObservableGauge(name, () => read(s_readings.For(number)), Seconds, description);
    }
}
