using System.Diagnostics;
using Moirai.Load.Harness;

namespace Moirai.Load.Scaling;

/// <summary>Requests that come when they come, whether or not those before have been served: each is due at a moment that was drawn beforehand, and its wait counts from there.</summary>
/// <remarks>
/// So a stall is seen by all whom it keeps waiting, and not by one (coordinated omission). Gaps are exponential. A request is started when it is due; it works a little, waits, is woken
/// when the request of <see cref="Lag"/> places later is due, and works a little again. One thread of its own, which spins, lets them come: one processor less for either peer.
/// </remarks>
internal abstract class OpenLoop(int count)
{
    /// <summary>How many requests come between the start of one and its wake.</summary>
    public const int Lag = 64;

    // Requests that may not have been woken yet. What has been is not kept: the collector would carry it along to the end of the run.
    private const int Waiting = 2 * Lag;

    private const int SpinsAtOnce = 20;

    // What a request computes, each time that it runs: about two microseconds.
    private const int Work = 70;

    // When each start is due; the wake of request i is due with the start of request i + Lag.
    private readonly long[] _due = new long[count + Lag];
    private readonly long[] _startLate = new long[count];
    private readonly long[] _wakeLate = new long[count];
    private readonly TaskCompletionSource _allDone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _done;
    private int _begun;

    public int Count => count;

    /// <summary>Ticks of the clock by which each start was late.</summary>
    public long[] StartLate => _startLate;

    /// <summary>Ticks of the clock by which each continuation was late.</summary>
    public long[] WakeLate => _wakeLate;

    /// <summary>Lets requests come as fast as they are served, with a bounded number under way, and tells how many a second that were.</summary>
    public double RunClosed(int underWay)
    {
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < count + Lag; i++)
        {
            _due[i] = Stopwatch.GetTimestamp();
            while (i - Volatile.Read(ref _begun) > underWay)
            {
                Thread.SpinWait(SpinsAtOnce); // as in the open loop: a thread that gave its processor away would measure one processor more than there will be
            }

            Come(i);
        }

        _allDone.Task.Wait();
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>Lets requests come at a rate, and waits until all are done.</summary>
    /// <param name="perSecond">How many come a second.</param>
    public void RunOpen(double perSecond)
    {
        var random = new XorShift(0x9E3779B97F4A7C15);
        double at = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 100);
        for (int i = 0; i < _due.Length; i++)
        {
            double uniform = (random.Below(1_000_000) + 1) / 1_000_001.0;
            at += -Math.Log(uniform) * Stopwatch.Frequency / perSecond;
            _due[i] = (long)at;
        }

        for (int i = 0; i < _due.Length; i++)
        {
            while (Stopwatch.GetTimestamp() < _due[i])
            {
                Thread.SpinWait(SpinsAtOnce);
            }

            Come(i);
        }

        _allDone.Task.Wait();
    }

    protected abstract void Start(int request);

    protected abstract void Wake(int request);

    protected void Started(int request)
    {
        _startLate[request] = Stopwatch.GetTimestamp() - _due[request];
        Interlocked.Increment(ref _begun);
        Thread.SpinWait(Work);
    }

    protected void Woken(int request)
    {
        _wakeLate[request] = Stopwatch.GetTimestamp() - _due[request + Lag];
        Thread.SpinWait(Work);
        if (Interlocked.Increment(ref _done) == count)
        {
            _allDone.SetResult();
        }
    }

    private void Come(int i)
    {
        if (i < count)
        {
            Start(i);
        }

        if (i >= Lag)
        {
            Wake(i - Lag);
        }
    }

    /// <summary>Requests as tasks of Moirai.</summary>
    internal sealed class OfMoirai : OpenLoop
    {
        private readonly TaskRuntime _runtime;
        private readonly OneShotSender<bool>[] _senders = new OneShotSender<bool>[Waiting];

        public OfMoirai(TaskRuntime runtime, int count)
            : base(count) => _runtime = runtime;

        protected override void Start(int request)
        {
            (_senders[request % Waiting], OneShotReceiver<bool> told) = OneShot.Create<bool>();
            _ = _runtime.SpawnDetached(ServeAsync(request, told));
        }

        protected override void Wake(int request) => _senders[request % Waiting].TrySend(true);

        private async Future ServeAsync(int request, OneShotReceiver<bool> told)
        {
            Started(request);
            await told.ReceiveAsync();
            Woken(request);
        }
    }

    /// <summary>Requests as <see cref="Task.Run(Func{Task})"/>.</summary>
    internal sealed class ByHand : OpenLoop
    {
        private readonly TaskCompletionSource<bool>[] _sources = new TaskCompletionSource<bool>[Waiting];

        public ByHand(int count)
            : base(count)
        {
        }

        protected override void Start(int request)
        {
            var told = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            _sources[request % Waiting] = told;
            _ = Task.Run(() => ServeAsync(request, told.Task));
        }

        protected override void Wake(int request) => _sources[request % Waiting].TrySetResult(true);

        private async Task ServeAsync(int request, Task<bool> told)
        {
            Started(request);
            await told;
            Woken(request);
        }
    }
}
