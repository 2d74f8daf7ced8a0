namespace Moirai.Timers;

/// <summary>What turns a timer queue when time has come. Set by <see cref="TimerQueue.Planned"/>, calls <see cref="TimerQueue.Turn"/>.</summary>
internal abstract class TimerDriver : IDisposable
{
    /// <summary>Whether it turns the queue at deadlines exactly, or at the next tick of the wheel.</summary>
    public abstract bool IsExact { get; }

    /// <summary>The planned time has moved to an earlier one. Called with no gate held, from any thread, also from within a turn.</summary>
    public abstract void Plan();

    /// <summary>Ends it; a turn under way may still finish. Does not wait.</summary>
    public abstract void Dispose();
}

/// <summary>Turns a queue by the system clock, from a thread of its own: the pool's timers are late exactly when the pool is starved.</summary>
/// <remarks>
/// The thread starts with the first deadline and ends when there has been none for a while, so that an idle queue costs no thread and
/// one that nobody holds can be collected. It sleeps until the planned time. It is woken only for an earlier deadline, and only once a
/// sleep: the first such insert plans a turn for time 0, after which no deadline is earlier until the thread has turned the wheel.
/// </remarks>
internal sealed class ThreadDriver(TimerQueue queue, TimeSpan idle) : TimerDriver
{
    internal static readonly TimeSpan DefaultIdle = TimeSpan.FromSeconds(5);

    private const int StackSize = 256 * 1024;

    // Under it: the fields below. The thread sleeps on it.
    private readonly Bed _bed = new();

    // A deadline came that is earlier than what the thread sleeps for. Set by Plan, cleared by the thread before it turns.
    private bool _called;

    // Set by Dispose, for ever.
    private bool _stopped;

    // The thread, from its start until it has decided to end. Written by Plan, and by the thread itself when it ends.
    private Thread? _thread;

    // How often a sleep was cut short, ever; how often a thread was started. Written under the lock.
    private long _calls;
    private int _starts;

    public override bool IsExact => false;

    /// <summary>The thread, while there is one. For tests.</summary>
    internal Thread? Thread => Volatile.Read(ref _thread);

    /// <summary>How often the thread was called before its time. For tests.</summary>
    internal long Calls => Volatile.Read(ref _calls);

    /// <summary>How many threads there have been. For tests.</summary>
    internal int Starts => Volatile.Read(ref _starts);

    public override void Plan()
    {
        using (_bed.Enter())
        {
            if (_stopped || _called)
            {
                return;
            }

            if (_thread is not null)
            {
                _bed.Call();
            }
            else
            {
                // What is thrown here, because the machine has no thread to give, leaves all as it was: the next who plans tries again.
                _thread = Bed.StartThread("Moirai timers", StackSize, static driver => ((ThreadDriver)driver!).Run(), this);
                _starts++;
            }

            _called = true;
            _calls++;
        }
    }

    public override void Dispose()
    {
        using (_bed.Enter())
        {
            _stopped = true;
            _bed.Call();
        }
    }

    private void Run()
    {
        do
        {
            using (_bed.Enter())
            {
                _called = false;
            }
        }
        while (SleepUntil(queue.Turn()));
    }

    // False when the thread has to end.
    private bool SleepUntil(long planned)
    {
        bool nothing = planned == TimerWheel.Never;
        using (_bed.Enter())
        {
            // Plan sets _called under this lock, after it has moved the planned time: either it is seen here, or the pulse is.
            if (!_stopped && !_called)
            {
                // Rounded up: who wakes too early has to sleep once more.
                long wait = nothing ? idle.Ticks : planned - queue.Now;
                if (wait > 0)
                {
                    _bed.Sleep((int)Math.Min(int.MaxValue, TimerWheel.RoundUp(wait) / TimerWheel.TickLength));
                }
            }

            if (_stopped || (nothing && !_called))
            {
                _thread = null;
                return false;
            }

            return true;
        }
    }
}

/// <summary>Turns a queue by a timer of its provider: virtual time, or whatever clock a test brings.</summary>
/// <remarks>
/// The provider's timer is set by one thread at a time, which looks again when others came meanwhile; nobody waits, and no lock is held
/// while the provider runs. So a provider may fire the timer from within <see cref="ITimer.Change"/>.
/// </remarks>
internal sealed class ProviderDriver(TimerQueue queue) : TimerDriver
{
    // The longest time that timers commonly take. A turn in vain sets it again.
    private const long LongestWait = (uint.MaxValue - 1) * TimeSpan.TicksPerMillisecond;

    // How many asked for the timer to be set since it was last found right. Who moves it from 0 sets the timer.
    private int _requests;

    // Made by whoever sets it first; used only by whoever sets it.
    private ITimer? _timer;

    // Set by Dispose, for ever.
    private bool _stopped;

    public override bool IsExact => true;

    public override void Plan()
    {
        if (Atomics.Add(ref _requests, 1) != 1)
        {
            return;
        }

        int seen = 1;
        try
        {
            do
            {
                seen = Atomics.Read(ref _requests);
                Set();
            }
            while (Atomics.CompareExchange(ref _requests, 0, seen) != seen);
        }
        catch
        {
            // The provider failed, and the caller is told. Who came meanwhile is not, and relied on this thread: it tries again for them.
            if (Atomics.Exchange(ref _requests, 0) != seen)
            {
                Plan();
            }

            throw;
        }
    }

    public override void Dispose()
    {
        Atomics.Write(ref _stopped, true);
        Plan();
    }

    private static ITimer Create(ProviderDriver driver)
    {
        // The execution context of whoever happened to come first is not kept alive.
        if (ExecutionContext.IsFlowSuppressed())
        {
            return driver.CreateTimer();
        }

        using (ExecutionContext.SuppressFlow())
        {
            return driver.CreateTimer();
        }
    }

    private ITimer CreateTimer() => queue.Provider.CreateTimer(
        static driver => ((ProviderDriver)driver!).Fire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    private void Set()
    {
        if (Atomics.Read(ref _stopped))
        {
            _timer?.Dispose();
            _timer = null;
            return;
        }

        _timer ??= Create(this);
        long planned = queue.Planned;
        _timer.Change(
            planned == TimerWheel.Never ? Timeout.InfiniteTimeSpan : new TimeSpan(Math.Clamp(planned - queue.Now, 0, LongestWait)),
            Timeout.InfiniteTimeSpan);
    }

    private void Fire()
    {
        try
        {
            queue.Turn();
        }
        finally
        {
            Plan();
        }
    }
}
