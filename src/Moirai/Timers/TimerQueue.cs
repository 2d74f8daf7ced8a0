using System.Globalization;
using Moirai.Ground;
using Moirai.Wakers;

namespace Moirai.Timers;

/// <summary>What came of linking a node.</summary>
internal enum Linking
{
    /// <summary>Nothing: another party has claimed the wait, or the node is not there.</summary>
    TooLate,

    /// <summary>Linked.</summary>
    Linked,

    /// <summary>Linked, and the driver has to be set for it: it comes before all others.</summary>
    Earlier,

    /// <summary>Nothing: the queue has been disposed of.</summary>
    Disposed,
}

/// <summary>The waits that time ends: a wheel, the gate around it, and a driver that turns it by a <see cref="TimeProvider"/>.</summary>
/// <remarks>
/// A node is linked, unlinked and claimed only under the gate, and resumed after it. So at every moment exactly one of these holds for
/// a timed wait: it is linked, or somebody has claimed it. <see cref="Count"/> is the number of timed waits, not an estimate.
/// <para>Reading the clock, setting the driver and resuming waiters happen outside the gate: a provider is foreign code.</para>
/// </remarks>
internal sealed partial class TimerQueue : IWaitQueue, IDisposable
{
    // How many nodes are touched under one hold of the gate, so that those who want to insert are not starved.
    private const int Budget = 4096;

    private readonly TimerDriver _driver;
    private readonly bool _isExact;
    private readonly TimerWheel _wheel = new();

    // The provider's timestamp at which the queue began; its frequency.
    private readonly long _epoch;
    private readonly long _coarseEpoch = Clock.CoarseMilliseconds;
    private readonly bool _hasSystemClock;
    private readonly long _frequency;

    // Under it: everything below, the wheel, and the links of the nodes in it.
    private SpinGate _gate;

    // The time for which the driver is set, or will set itself before it sleeps: 0 when a turn is sure to come, Never when none is
    // needed. Written under the gate; the driver reads it outside.
    private long _planned = TimerWheel.Never;

    // The driver could not be set for the planned time: the next who arms tries again, whatever its deadline. Written under the gate.
    private bool _isUnset;

    // Written once, under the gate.
    private bool _disposed;

    public TimerQueue(TimeProvider provider)
        : this(provider, ThreadDriver.DefaultIdle)
    {
    }

    /// <summary>For tests: with the time after which the thread of an empty queue ends; and with a thread of its own under any clock.</summary>
    internal TimerQueue(TimeProvider provider, TimeSpan idle, bool isOnThread = false)
    {
        ArgumentNullException.ThrowIfNull(provider);
        Provider = provider;
        _frequency = provider.TimestampFrequency;
        _epoch = provider.GetTimestamp();
        _hasSystemClock = ReferenceEquals(provider, TimeProvider.System);
        _driver = isOnThread || _hasSystemClock ? new ThreadDriver(this, idle) : new ProviderDriver(this);
        _isExact = _driver.IsExact;
    }

    public TimeProvider Provider { get; }

    /// <summary>The time since the queue began, in units of 100 ns, rounded down.</summary>
    public long Now
    {
        get
        {
            long passed = Provider.GetTimestamp() - _epoch;
            if (passed <= 0)
            {
                return 0;
            }

            if (_frequency == TimeSpan.TicksPerSecond)
            {
                return passed;
            }

            // Whole numbers, not the double of TimeProvider.GetElapsedTime: exact for centuries. The usual clock counts nanoseconds.
            return _frequency == TimeSpan.TicksPerSecond * 100
                ? passed / 100
                : (long)Int128.Min(long.MaxValue - 1, (Int128)passed * TimeSpan.TicksPerSecond / _frequency);
        }
    }

    /// <summary>How many entries are linked: how many timed waits there are.</summary>
    public int Count => _wheel.Count;

    /// <summary>What turns the wheel. For tests.</summary>
    internal TimerDriver Driver => _driver;

    /// <summary>The time for which the driver has to be set. Read by the driver.</summary>
    internal long Planned => Atomics.Read(ref _planned);

    /// <summary>The deadline of a wait that begins now. Saturates; <see cref="Timeout.InfiniteTimeSpan"/> never ends.</summary>
    /// <param name="delay">Not negative: the caller has validated it.</param>
    public long DueIn(TimeSpan delay)
    {
        if (delay == Timeout.InfiniteTimeSpan)
        {
            return TimerWheel.Never;
        }

        // Now is rounded down. On a clock finer than our unit one more makes sure that nobody can measure less than the delay.
        long now = Now + (_frequency > TimeSpan.TicksPerSecond ? 1 : 0);
        long ticks = Math.Max(0, delay.Ticks);
        return ticks >= TimerWheel.Never - now ? TimerWheel.Never : now + ticks;
    }

    /// <summary>Links the node, to be resumed at <paramref name="due"/>, if the wait that <paramref name="armed"/> names is not claimed yet.</summary>
    /// <remarks>
    /// A deadline in the past fires at the driver's next turn, at once. The last thing that a waiter does: when this has linked the
    /// node, the waiter may be running again already.
    /// <para>Called with no gate held: a driver may have to be set, and a provider's timer is foreign code, which may even fire before
    /// this returns.</para>
    /// </remarks>
    /// <returns>False, with nothing touched, when somebody else has claimed the wait meanwhile.</returns>
    /// <exception cref="ObjectDisposedException">The queue has been disposed of. Nothing is linked; the wait is still the caller's.</exception>
    /// <exception cref="Exception">The provider failed to set its timer. The same holds.</exception>
    public bool Arm(WaitNode node, long due, int armed)
    {
        Linking done = Link(node, due, armed);
        if (done == Linking.Disposed)
        {
            throw DisposedError();
        }

        if (done == Linking.Earlier)
        {
            PlanFor(node);
        }

        return done != Linking.TooLate;
    }

    /// <summary>As <see cref="Arm"/>, for a caller that holds the gate of a primitive: on <see cref="Linking.Earlier"/> it calls <see cref="Plan"/> when it holds none.</summary>
    internal Linking Link(WaitNode node, long due, int armed)
    {
        _gate.Enter();
        Linking done = _disposed ? Linking.Disposed : Linking.TooLate;
        if (!_disposed && node.IsArmed(armed))
        {
            done = InsertLocked(node, due);
        }

        _gate.Exit();
        return done;
    }

    /// <summary>Gives a linked node another deadline, earlier or later, in O(1). A deadline in the past fires at the next turn, at once.</summary>
    /// <returns><see cref="Linking.TooLate"/>, with nothing touched, when the node is not linked: it has fired, or left.</returns>
    internal Linking Move(WaitNode node, long due)
    {
        _gate.Enter();
        Linking done = Linking.TooLate;
        if (_wheel.Remove(node))
        {
            done = InsertLocked(node, due);
        }

        _gate.Exit();
        return done;
    }

    /// <summary>Sets the driver for an earlier deadline. Called with no gate held.</summary>
    /// <exception cref="Exception">The provider failed to set its timer. What is linked stays so; the next who arms tries again.</exception>
    internal void Plan()
    {
        try
        {
            _driver.Plan();
        }
        catch
        {
            _gate.Enter();
            _isUnset = true;
            _gate.Exit();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <remarks>Never sets the driver, so it may be called under other gates: a turn that finds nothing costs less than setting the
    /// driver for every wait that ended in time. See <see cref="Replan"/>.</remarks>
    public void Remove(WaitNode node)
    {
        _gate.Enter();
        _wheel.Remove(node);
        _gate.Exit();
    }

    /// <summary>Sets the driver to the earliest deadline that is left, after entries have been removed. Never needed to be right; under
    /// virtual time it keeps the provider from stopping at a time at which nothing happens any more. Called with no gate held.</summary>
    public void Replan()
    {
        _gate.Enter();
        bool moved = false;
        if (_isExact && !_disposed)
        {
            _wheel.TryEarliestDue(int.MaxValue, out long due);
            moved = due != Atomics.ReadOwn(in _planned);
            Atomics.WriteOwn(ref _planned, due);
        }

        _gate.Exit();
        if (moved)
        {
            _driver.Plan();
        }
    }

    /// <inheritdoc/>
    public string DescribeWait(WaitNode node)
    {
        long due = node.Due;
        if (due == TimerWheel.Never)
        {
            return "a timer that is never due";
        }

        long left = due - Now;
        return left >= 0 ? $"a timer due in {Describe(left)}" : $"a timer overdue by {Describe(-left)}";
    }

    /// <summary>Stops the driver. Entries that are still linked stay so and never fire: the engine cancels them first.</summary>
    public void Dispose()
    {
        _gate.Enter();
        _disposed = true;
        Atomics.WriteOwn(ref _planned, TimerWheel.Never);
        _gate.Exit();
        _driver.Dispose();
    }

    /// <summary>Lets a thread that is awake and has other work turn the wheel when a turn is due: what it wakes is then near to it, and the driver's
    /// thread finds nothing to do. <paramref name="now"/> is <see cref="Now"/>, which the caller has read. The driver stays in charge: it comes in time when nobody else does.</summary>
    internal void TurnIfDue(long now)
    {
        long planned = Atomics.Read(ref _planned);
        if (!_isExact && planned is not (0 or TimerWheel.Never) && planned <= now)
        {
            Turn();
        }
    }

    /// <summary>Resumes all that is due. Called by the driver, with no lock held; harmless at any time and from any thread.</summary>
    /// <returns>When the next turn is needed.</returns>
    internal long Turn()
    {
        var batch = default(WakeBatch);
        bool done;
        long planned;
        do
        {
            long now = Now;
            var due = default(DueChain);
            var won = default(DueChain);
            _gate.Enter();
            if (_disposed)
            {
                _gate.Exit();
                return TimerWheel.Never;
            }

            done = _wheel.Advance(now, _isExact, Budget, ref due);
            ClaimLocked(now, due.Head, ref won);
            planned = done ? NextTurnLocked() : 0;
            Atomics.WriteOwn(ref _planned, planned);
            _gate.Exit();
            Resume(won.Head, ref batch);
        }
        while (!done);

        return planned;
    }

    /// <summary>As <see cref="Plan"/>, for who has just linked a node.</summary>
    /// <exception cref="Exception">The provider failed to set its timer, and the node is not linked any more.</exception>
    internal void PlanFor(WaitNode node)
    {
        try
        {
            Plan();
        }
        catch
        {
            _gate.Enter();
            bool isLinked = _wheel.Remove(node);
            _gate.Exit();
            if (isLinked)
            {
                throw;
            }

            // It has fired in spite of that, or was claimed: nobody is left who could be told.
        }
    }

    /// <summary>What is thrown at a wait that began too late.</summary>
    internal static ObjectDisposedException DisposedError() => new(nameof(TimerQueue), "A wait for time cannot begin: the runtime's "
        + "timer queue has been disposed of. Begin no waits after the runtime was disposed, or give this work a runtime that outlives it.");

    private static void Resume(WaitNode? node, ref WakeBatch batch)
    {
        while (node is not null)
        {
            // Read before the node is handed over.
            WaitNode? next = node.Next;
            node.Next = null;
            node.Signal = WaitSignal.Done;
            node.Resume(ref batch);
            node = next;
        }

        batch.Flush();
    }

    private static string Describe(long ticks) => ticks >= TimeSpan.TicksPerSecond
        ? string.Create(CultureInfo.InvariantCulture, $"{(double)ticks / TimeSpan.TicksPerSecond:0.#} s")
        : string.Create(CultureInfo.InvariantCulture, $"{(double)ticks / TimeSpan.TicksPerMillisecond:0.#} ms");

    private Linking InsertLocked(WaitNode node, long due)
    {
        node.Due = due;
        _wheel.Insert(node);
        long turn = _isExact ? due : TimerWheel.RoundUp(due);
        long planned = Atomics.ReadOwn(in _planned);
        if (turn >= planned && !_isUnset)
        {
            return Linking.Linked;
        }

        _isUnset = false;
        Atomics.WriteOwn(ref _planned, _isExact ? Math.Min(turn, planned) : 0);
        return Linking.Earlier;
    }

    private void ClaimLocked(long now, WaitNode? node, ref DueChain won)
    {
        while (node is not null)
        {
            WaitNode? next = node.Next;
            node.Next = null;
            if (node.TryClaim())
            {
                won.Append(node);
                BookFiredLocked(now - node.Due);
            }

            node = next;
        }
    }

    private long NextTurnLocked()
    {
        if (!_isExact)
        {
            return _wheel.NextTurn();
        }

        _wheel.TryEarliestDue(int.MaxValue, out long due);
        return due;
    }
}
