using Moirai.Ground;

namespace Moirai.Timers;

/// <content>What the queue tells of itself: how deep it is, how late it fires.</content>
internal sealed partial class TimerQueue
{
    // How many nodes a gauge looks at under the gate.
    private const int GaugeScan = 256;

    // Gauges, written under the gate by turns; read by anyone.
    private long _lastLag;
    private long _maxLag;
    private long _totalLag;
    private long _fired;

    /// <summary>The time since the queue began in seconds, as cheap as it can be had and a few milliseconds late: for who notes when a wait begins.</summary>
    internal int CoarseSeconds => _hasSystemClock
        ? (int)((Clock.CoarseMilliseconds - _coarseEpoch) / 1000)
        : (int)(Now / TimeSpan.TicksPerSecond);

    /// <summary>How many entries have fired and won their wait, ever.</summary>
    public long Fired => Volatile.Read(ref _fired);

    /// <summary>How late the last entry fired, in units of 100 ns.</summary>
    public long LastLag => Volatile.Read(ref _lastLag);

    /// <summary>How late the latest entry ever fired, in units of 100 ns.</summary>
    public long MaxLag => Volatile.Read(ref _maxLag);

    /// <summary>The earliest deadline, in units of 100 ns since the queue began; null when nothing will ever be due. When
    /// hundreds of entries share the first slot of the wheel, the time of the slot.</summary>
    public long? NextDue
    {
        get
        {
            _gate.Enter();
            _wheel.TryEarliestDue(GaugeScan, out long due);
            _gate.Exit();
            return due == TimerWheel.Never ? null : due;
        }
    }

    /// <summary>By how much the oldest linked entry is overdue, in units of 100 ns; 0 when none is. As exact as <see cref="NextDue"/>.</summary>
    public long OldestOverdue => NextDue is { } due ? Math.Max(0, Now - due) : 0;

    /// <summary>All gauges of one moment.</summary>
    internal TimerGauges TakeGauges()
    {
        long now = Now;
        _gate.Enter();
        _wheel.TryEarliestDue(GaugeScan, out long due);
        int depth = _wheel.Count;
        (long fired, long last, long max, long total) = (_fired, _lastLag, _maxLag, _totalLag);
        _gate.Exit();
        return new TimerGauges(
            depth,
            due == TimerWheel.Never ? null : new TimeSpan(Math.Max(0, due - now)),
            new TimeSpan(due == TimerWheel.Never ? 0 : Math.Max(0, now - due)),
            fired,
            new TimeSpan(last),
            new TimeSpan(fired == 0 ? 0 : total / fired),
            new TimeSpan(max));
    }

    private void BookFiredLocked(long lag)
    {
        _fired++;
        _lastLag = lag;
        _totalLag += lag;
        _maxLag = Math.Max(_maxLag, lag);
    }
}
