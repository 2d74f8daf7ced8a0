using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Futures;
using Moirai.Timers;

namespace Moirai;

/// <summary>What an <see cref="Interval"/> does with ticks that nobody was there to take.</summary>
public enum MissedTicks
{
    /// <summary>They come one after the other, at once, until the interval has caught up. The number of ticks is right, and so is the phase.</summary>
    Burst,

    /// <summary>They are dropped, and the next one comes a whole period after the late one: two ticks are never closer than a period. The phase shifts.</summary>
    Delay,

    /// <summary>They are dropped, and the next one comes at the next multiple of the period. The phase stays.</summary>
    Skip,
}

/// <summary>One tick of an <see cref="Interval"/>.</summary>
/// <param name="Number">Which tick it is, from 1, dropped ones not counted.</param>
/// <param name="Lateness">How late it was taken.</param>
/// <param name="Dropped">How many ticks after this one were dropped, since their time had come too.</param>
public readonly record struct IntervalTick(long Number, TimeSpan Lateness, long Dropped);

/// <summary>Ticks in a steady rhythm: <c>while (true) { await interval.NextAsync(); … }</c>.</summary>
/// <remarks>
/// On the clock of the runtime of the task that made it (of the default runtime in plain code). The rhythm is kept by the clock and not by the time that the work takes: ticks do not drift. It holds an entry in the timer queue only
/// while somebody waits for a tick, so there is nothing to dispose of. One waiter at a time, inside managed tasks a cancellation point; the resets may be called from any thread.
/// </remarks>
public sealed class Interval
{
    // A tick that is taken this late has been missed: less is the lateness of timers and threads.
    private const long MostLateness = 5 * TimeSpan.TicksPerMillisecond;

    private readonly MovableWait _wait;

    // Written by whoever takes a tick.
    private long _taken;

    /// <summary>Begins an interval whose first tick comes after one period.</summary>
    /// <param name="period">The time from tick to tick; more than zero.</param>
    /// <param name="missed">What becomes of ticks that are not taken in time.</param>
    /// <exception cref="ArgumentOutOfRangeException">The period is not more than zero, or there is no such way.</exception>
    public Interval(TimeSpan period, MissedTicks missed = MissedTicks.Burst)
        : this(period, period, missed)
    {
    }

    /// <summary>Begins an interval.</summary>
    /// <param name="first">When the first tick comes; zero for at once.</param>
    /// <param name="period">The time from tick to tick; more than zero.</param>
    /// <param name="missed">What becomes of ticks that are not taken in time.</param>
    /// <exception cref="ArgumentOutOfRangeException">The period is not more than zero, the first tick lies in the past, or there is no such way.</exception>
    public Interval(TimeSpan first, TimeSpan period, MissedTicks missed = MissedTicks.Burst)
    {
        if (period <= TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(nameof(period), period, "An interval needs a period of more than zero, or its ticks would never end.");
        }

        if (!Enum.IsDefined(missed))
        {
            throw new ArgumentOutOfRangeException(nameof(missed), missed, "There is no such way to treat missed ticks: take Burst, Delay or Skip.");
        }

        Delays.ThrowIfNegative(first);
        Period = period;
        Missed = missed;
        _wait = new MovableWait(Engine.Ambient, first, "an interval's tick");
    }

    /// <summary>The time from tick to tick.</summary>
    public TimeSpan Period { get; }

    /// <summary>What becomes of ticks that are not taken in time.</summary>
    public MissedTicks Missed { get; }

    /// <summary>Waits for the next tick; one whose time has come is there at once.</summary>
    public TickAwaitable NextAsync() => new(this);

    /// <summary>Begins anew: the next tick comes one period from now, and the rhythm goes on from there. Missed ticks are forgotten.</summary>
    public void Reset() => _wait.MoveTo(_wait.Timers.DueIn(Period));

    /// <summary>Begins anew: the next tick comes <paramref name="first"/> from now (zero: at once), and the rhythm goes on from there. Missed ticks are forgotten.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It lies in the past.</exception>
    public void Reset(TimeSpan first)
    {
        Delays.ThrowIfNegative(first);
        _wait.MoveTo(_wait.Timers.DueIn(first));
    }

    private IntervalTick Take()
    {
        IntervalTick tick;
        long due;
        long next;
        do
        {
            due = _wait.Due;
            tick = TickAt(due, out next);
        }
        while (next != due && !_wait.TryMove(due, next)); // else it was reset meanwhile: that counts

        _taken = tick.Number;
        return tick;
    }

    private IntervalTick TickAt(long due, out long next)
    {
        next = due;
        long number = _taken + 1;
        long late = _wait.Timers.Now - due;
        if (late < 0)
        {
            return new IntervalTick(number, TimeSpan.Zero, 0); // reset after its time had come and before it was taken: the new rhythm has begun
        }

        long period = Period.Ticks;
        bool missed = late > Math.Min(MostLateness, period - 1);
        long last = due;
        long dropped = 0;
        if (missed && Missed == MissedTicks.Delay)
        {
            last = due + late;
            dropped = late / period;
        }
        else if (missed && Missed == MissedTicks.Skip)
        {
            dropped = late / period;
            last = due + (dropped * period);
        }

        next = last > TimerWheel.Never - period ? TimerWheel.Never : last + period;
        return new IntervalTick(number, new TimeSpan(late), dropped);
    }

    /// <summary>What <see cref="NextAsync"/> returns: await it, once.</summary>
    public readonly struct TickAwaitable : IEquatable<TickAwaitable>
    {
        private readonly Interval _interval;

        internal TickAwaitable(Interval interval) => _interval = interval;

        /// <summary>Called by the compiler.</summary>
        /// <exception cref="InvalidOperationException">It was not made by <see cref="NextAsync"/>.</exception>
        public Awaiter GetAwaiter() => new(_interval ?? throw FutureErrors.IsDefault(nameof(TickAwaitable), "Interval.NextAsync"));

        /// <summary>The wait as a future, to be timed or spawned.</summary>
        public Future<IntervalTick> AsFuture() => FutureOf(this);

        /// <summary>Whether both wait for the same interval.</summary>
        public bool Equals(TickAwaitable other) => ReferenceEquals(_interval, other._interval);

        /// <inheritdoc/>
        public override bool Equals(object? obj) => obj is TickAwaitable other && Equals(other);

        /// <inheritdoc/>
        public override int GetHashCode() => RuntimeHelpers.GetHashCode(_interval);

        /// <summary>Whether both wait for the same interval.</summary>
        public static bool operator ==(TickAwaitable left, TickAwaitable right) => left.Equals(right);

        /// <summary>Whether they wait for different intervals.</summary>
        public static bool operator !=(TickAwaitable left, TickAwaitable right) => !left.Equals(right);

        private static async Future<IntervalTick> FutureOf(TickAwaitable tick) => await tick;
    }

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        private readonly Interval _interval;

        // Plain code only.
        private readonly MovableSeat? _seat;

        internal Awaiter(Interval interval)
        {
            _interval = interval;
            _seat = interval._wait.Prepare();
        }

        /// <summary>Whether the tick's time has come.</summary>
        public bool IsCompleted => _interval._wait.IsDue && StepContext.MayGoOn();

        /// <summary>Takes the tick.</summary>
        /// <exception cref="ManagedTaskCanceledException">The waiting task was canceled; no tick was taken.</exception>
        /// <exception cref="InvalidOperationException">Somebody else waits for the tick; none was taken.</exception>
        public IntervalTick GetResult()
        {
            _interval._wait.Finish(_seat);
            return _interval.Take();
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => _interval._wait.Register(_seat, continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => _interval._wait.Register(_seat, continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame) => _interval._wait.Suspend(frame);
    }
}
