namespace Moirai.Testing;

/// <summary>A clock that moves only when it is told to, and fires timers exactly at their time.</summary>
/// <remarks>
/// <para>Time stands still until <see cref="Advance"/> or <see cref="AdvanceToNextTimer"/>. On the way the timers fire one after the other, on
/// the thread that advances, in the order of their deadlines (equal ones in the order in which they were set), and while a timer's
/// callback runs, the clock shows that timer's deadline.</para>
/// <para>Callbacks run with no lock held, and may make, change and dispose timers; what becomes due by that fires in the same advance. A
/// timer that is set to a due time of zero is due already: it fires before the call that set it returns, or, while timers are firing,
/// as soon as they have.</para>
/// <para>Any thread may use it. Two threads that advance at once do so one after the other.</para>
/// </remarks>
public sealed class VirtualTimeProvider : TimeProvider
{
    /// <summary>The instant at which a clock begins that is given no other: 2000-01-01T00:00:00Z.</summary>
    public static readonly DateTimeOffset DefaultStart = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // Under it: all fields below. Also where those wait who want to advance while somebody else does.
    private readonly object _lock = new();
    private readonly SortedSet<VirtualTimer> _timers = new(ByDeadline.Instance);
    private readonly DateTimeOffset _start;

    // The time since the start, in ticks of 100 ns. Written under the lock by the thread that fires; read by anyone.
    private long _now;

    // The thread that fires timers, or 0.
    private int _firing;

    // Numbers the settings of timers, so that equal deadlines have an order.
    private long _order;

    /// <summary>Makes a clock that begins at <see cref="DefaultStart"/>.</summary>
    public VirtualTimeProvider()
        : this(DefaultStart)
    {
    }

    /// <summary>Makes a clock that begins at the given instant.</summary>
    /// <param name="start">What <see cref="GetUtcNow"/> answers until time is advanced.</param>
    public VirtualTimeProvider(DateTimeOffset start) => _start = start.ToUniversalTime();

    /// <summary>How many timers are set: those that will fire if time is advanced far enough. Timers that have fired, were disposed
    /// of, or wait for <see cref="Timeout.InfiniteTimeSpan"/> do not count; periodic ones do.</summary>
    public int ActiveTimers
    {
        get
        {
            lock (_lock)
            {
                return _timers.Count;
            }
        }
    }

    /// <summary>How much time has passed on this clock since it was made.</summary>
    public TimeSpan Elapsed => new(Volatile.Read(ref _now));

    /// <summary>In how much time the next timer fires; null when none is set.</summary>
    public TimeSpan? NextTimerIn
    {
        get
        {
            lock (_lock)
            {
                return _timers.Min is { } first ? new TimeSpan(Math.Max(0, first.Due - _now)) : null;
            }
        }
    }

    /// <summary>10,000,000: one timestamp is one tick of a <see cref="TimeSpan"/>.</summary>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>UTC, so that tests behave the same everywhere.</summary>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override long GetTimestamp() => Volatile.Read(ref _now);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _start + Elapsed;

    /// <summary>Moves time by exactly <paramref name="by"/>, and fires every timer that is due on the way.</summary>
    /// <param name="by">How far. Zero fires what is due already.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is negative, or leads past <see cref="DateTimeOffset.MaxValue"/>.</exception>
    /// <exception cref="InvalidOperationException">Called by the callback of a timer: an advance is under way already.</exception>
    /// <remarks>An exception thrown by a callback comes out here, and time stays where that timer fired.</remarks>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        long target;
        lock (_lock)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(by, DateTimeOffset.MaxValue - _start - new TimeSpan(_now));
            TakeTurnLocked();
            target = _now + by.Ticks;
        }

        FireUntil(target);
    }

    /// <summary>Moves time to the deadline of the next timer, and fires all that are due then.</summary>
    /// <returns>False, with time unmoved, when no timer is set or the next one lies past <see cref="DateTimeOffset.MaxValue"/>.</returns>
    /// <exception cref="InvalidOperationException">Called by the callback of a timer: an advance is under way already.</exception>
    public bool AdvanceToNextTimer()
    {
        long target;
        lock (_lock)
        {
            TakeTurnLocked();
            target = Math.Max(_now, _timers.Min?.Due ?? long.MaxValue);
            if (target > (DateTimeOffset.MaxValue - _start).Ticks)
            {
                EndTurnLocked();
                return false;
            }
        }

        FireUntil(target);
        return true;
    }

    /// <summary>Makes a timer on this clock.</summary>
    /// <param name="callback">Called on the thread that advances time; without an execution context of its own.</param>
    /// <param name="state">Handed to <paramref name="callback"/>.</param>
    /// <param name="dueTime">When it fires first, from now; <see cref="Timeout.InfiniteTimeSpan"/> for not yet.</param>
    /// <param name="period">How often it fires after that; <see cref="Timeout.InfiniteTimeSpan"/> or zero for once.</param>
    /// <returns>The timer, to be disposed of by the caller.</returns>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new VirtualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private bool Set(VirtualTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime != Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(dueTime, TimeSpan.Zero);
        }

        if (period != Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(period, TimeSpan.Zero);
        }

        long now;
        lock (_lock)
        {
            if (timer.IsDisposed)
            {
                return false;
            }

            _timers.Remove(timer);
            timer.Period = Math.Max(0, period.Ticks);
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                AddLocked(timer, dueTime.Ticks);
            }

            if (dueTime != TimeSpan.Zero || _firing != 0)
            {
                return true;
            }

            TakeTurnLocked();
            now = _now;
        }

        FireUntil(now);
        return true;
    }

    private void Unset(VirtualTimer timer)
    {
        lock (_lock)
        {
            timer.IsDisposed = true;
            _timers.Remove(timer);
        }
    }

    private void AddLocked(VirtualTimer timer, long ticks)
    {
        timer.Due = ticks > long.MaxValue - _now ? long.MaxValue : _now + ticks;
        timer.Order = _order++;
        _timers.Add(timer);
    }

    private void TakeTurnLocked()
    {
        if (_firing == Environment.CurrentManagedThreadId)
        {
            throw new InvalidOperationException("Virtual time cannot be advanced by the callback of a timer, because an advance is under way. "
                + "Set another timer in the callback, or advance further after this advance has returned.");
        }

        while (_firing != 0)
        {
            Monitor.Wait(_lock);
        }

        _firing = Environment.CurrentManagedThreadId;
    }

    private void EndTurnLocked()
    {
        _firing = 0;
        Monitor.PulseAll(_lock);
    }

    // Called by the thread whose turn it is; ends the turn.
    private void FireUntil(long target)
    {
        bool ended = false;
        try
        {
            while (TakeDue(target, out ended) is { } timer)
            {
                timer.Fire();
            }
        }
        finally
        {
            if (!ended)
            {
                lock (_lock)
                {
                    EndTurnLocked();
                }
            }
        }
    }

    // The next timer that is due, set to its next period; or none, and then the turn has ended under the same hold of the lock, so
    // that a timer which is set to fire at once either is seen here or fires where it is set.
    private VirtualTimer? TakeDue(long target, out bool ended)
    {
        lock (_lock)
        {
            if (_timers.Min is not { } first || first.Due > target)
            {
                Volatile.Write(ref _now, Math.Max(_now, target));
                EndTurnLocked();
                ended = true;
                return null;
            }

            _timers.Remove(first);
            Volatile.Write(ref _now, Math.Max(_now, first.Due));
            if (first.Period > 0)
            {
                AddLocked(first, first.Period);
            }

            ended = false;
            return first;
        }
    }

    private sealed class VirtualTimer(VirtualTimeProvider provider, TimerCallback callback, object? state) : ITimer
    {
        // All written under the provider's lock. Due and Order only while the timer is not in the set.
        internal long Due;
        internal long Order;
        internal long Period;
        internal bool IsDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period) => provider.Set(this, dueTime, period);

        public void Dispose() => provider.Unset(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        internal void Fire() => callback(state);
    }

    private sealed class ByDeadline : IComparer<VirtualTimer>
    {
        internal static readonly ByDeadline Instance = new();

        public int Compare(VirtualTimer? x, VirtualTimer? y)
        {
            int byDue = x!.Due.CompareTo(y!.Due);
            return byDue != 0 ? byDue : x.Order.CompareTo(y.Order);
        }
    }
}
