using Moirai.Ground;
using Moirai.Timers;

namespace Moirai.Execution;

/// <summary>One worker's loop over a ready queue: a work item of the thread pool that steps what is ready until nothing is.</summary>
/// <remarks>Two threads never run one pump at a time: it is sent only by whoever puts its queue on duty. A spare pump has no queue of its own and takes from the others, one frame
/// at a time.</remarks>
internal sealed class Pump : Isolated, IThreadPoolWorkItem
{
    // A pump sends for a helper when this many frames wait behind it: fewer are run sooner than a thread is woken.
    private const int HelpThreshold = 4;
    internal const int MostStolen = 64;
    // Helping costs both sides some hundred nanoseconds a frame, in cache lines that go to and fro. Steps shorter than this, in units of 100 ns,
    // are done sooner by one processor; measured in docs/performance.md.
    private const long ShortestStepWorthHelp = 10;
    private const long UnknownStep = long.MaxValue;

    // Less than a microsecond from look to look, and some fifteen in all.
    private const int SpinsBetweenLooks = 20;
    internal const int MostLooks = 20;
    private const int StepsBetweenLooksAtTheClock = 64;
    private const long NotYet = -1;
    private const long QuantumMilliseconds = 15;

    private readonly ThreadPoolExecutor _executor;

    // What was stolen last, while it is being moved. Used by the pump's thread, and empty in between: it keeps no frame alive.
    private readonly ReadyQueue.Entry[] _loot;

    // Written by the pump's thread.
    private long _steps;
#pragma warning disable CS0169, S1144, IDE0051 // keeps the neighbours away
    private CacheLine _after;
#pragma warning restore CS0169, S1144, IDE0051

    // How long the last steps took on average, in units of 100 ns. Written by the pump's thread; read by anyone.
    private long _stepLength = UnknownStep;

    internal Pump(ThreadPoolExecutor executor, ReadyQueue queue, bool isSpare)
    {
        _executor = executor;
        Queue = queue;
        IsSpare = isSpare;
        _loot = new ReadyQueue.Entry[isSpare ? 1 : MostStolen];
    }

    internal ThreadPoolExecutor Executor => _executor;

    internal ReadyQueue Queue { get; }

    internal bool IsSpare { get; }

    /// <summary>How many steps it has run. Read by anyone.</summary>
    internal long Steps => Volatile.Read(ref _steps);

    /// <summary>What the monitor saw at its last look. Used by the monitor alone.</summary>
    internal long StepsSeen { get; set; } = -1;

    /// <summary>Whether enough waits behind this pump for another to come.</summary>
    internal bool WantsHelp => Queue.Count >= HelpThreshold && Volatile.Read(ref _stepLength) >= ShortestStepWorthHelp && _executor.HasIdlePump;

    internal bool TryBeginHelp() => Queue.TryServe();

    public void Execute() => Run(first: null, StepContext.Current);

    /// <summary>Serves the queue on the calling thread.</summary>
    /// <param name="first">A frame to begin with, which was never queued.</param>
    /// <param name="context">The calling thread's.</param>
    internal void Run(Frame? first, StepContext context)
    {
        if (IsSpare)
        {
            _executor.SpareBegan();
        }

        object? outerShard = context.Shard;
        context.Shard = this;
        context.Stamp = AccountCell.Unread;
        ExecutionContext clean = ExecutionContext.Capture()!; // a work item begins in the empty context
        TimerQueue timers = _executor.Engine.Timers;
        context.Seconds = timers.CoarseSeconds;
        long until = NotYet;
        int budget = StepsBetweenLooksAtTheClock;
        bool helpSent = false;
        long looked = NotYet;
        while ((first ?? Next()) is { } frame)
        {
            first = null;
            if (looked == NotYet && Queue.Count > 0)
            {
                // A pump that came for one frame is gone before it would need to know the time.
                until = Clock.CoarseMilliseconds + QuantumMilliseconds;
                looked = timers.Now;
                budget = StepsBetweenLooksAtTheClock;
            }

            if (!helpSent && WantsHelp)
            {
                helpSent = true;
                _executor.SendHelper(this);
            }

            Stepper.Run(frame, context, clean);
            _steps++;
            if (--budget == 0)
            {
                budget = StepsBetweenLooksAtTheClock;
                long now = timers.Now;
                if (looked != NotYet)
                {
                    Volatile.Write(ref _stepLength, (now - looked) / StepsBetweenLooksAtTheClock);
                }

                looked = now;
                context.Seconds = (int)(now / TimeSpan.TicksPerSecond);
                timers.TurnIfDue(now);
                context.Stamp = AccountCell.Unread;
                if (until == NotYet)
                {
                    until = Clock.CoarseMilliseconds + QuantumMilliseconds;
                }
                else if (Clock.CoarseMilliseconds >= until)
                {
                    // Others of the process have work too. The pump stays on duty, behind them.
                    context.Shard = outerShard;
                    ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                    return;
                }
            }
        }

        context.Shard = outerShard;
        Volatile.Write(ref _stepLength, UnknownStep);
        _executor.Retire(this);
    }

    private Frame? Next() => IsSpare
        ? Steal()
        : Queue.Pop(leaveIfEmpty: false) ?? Steal() ?? Queue.Pop(leaveIfEmpty: true);

    private Frame? Steal()
    {
        foreach (Pump other in _executor.Pumps)
        {
            if (ReferenceEquals(other, this))
            {
                continue;
            }

            if (Volatile.Read(ref _stepLength) < ShortestStepWorthHelp)
            {
                WaitForMore(other.Queue, default(Spin));
            }

            int taken = other.Queue.StealHalf(_loot);
            if (taken > 0)
            {
                Frame? first = _loot[0].Frame;
                if (taken > 1)
                {
                    Queue.PushStolen(_loot.AsSpan(1, taken - 1));
                }

                Array.Clear(_loot, 0, taken);
                return first;
            }
        }

        return null;
    }

    /// <summary>Lets a spawner get ahead, as long as it goes on: who follows on its heels takes every other frame from the very cache lines that it is writing, and holds it up.</summary>
    /// <typeparam name="TPause">What is done between two looks at the queue: a few spins, but in tests.</typeparam>
    internal static void WaitForMore<TPause>(ReadyQueue queue, TPause pause)
        where TPause : struct, IPause
    {
        int seen = queue.Count;
        for (int looks = MostLooks; looks > 0 && seen is > 0 and < MostStolen; looks--)
        {
            pause.Pass();
            int now = queue.Count;
            if (now <= seen)
            {
                return;
            }

            seen = now;
        }
    }

    internal interface IPause
    {
        void Pass();
    }

    private readonly struct Spin : IPause
    {
        public void Pass() => Thread.SpinWait(SpinsBetweenLooks);
    }
}
