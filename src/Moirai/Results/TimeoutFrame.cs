using Moirai.Execution;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Results;

/// <summary>The stretch of a task's life that has to be over in time. Its timer entry is the frame that times it.</summary>
internal sealed class TimeoutRegion(ManagedTask task, WaitNode entry) : CancelRegion(task, isShield: false)
{
    // Null while the region is silenced: it is known to more than the frames of its task. Written under the gate.
    private WaitNode? _entry = entry;

    /// <summary>What the task was waiting for when the time was over.</summary>
    internal string WaitedFor { get; private set; } = "nothing";

    internal void TimeIsOver(string operation, TimeSpan within)
    {
        CancelCause cause = Cancellation.Cause(CancelKind.TimedOut, Task.Engine, null, $"the timeout of {operation}");
        WaitedFor = Task.DescribeWait(); // before the expiry, which lets the task go on
        Expire(cause);
    }

    internal override void Silence()
    {
        if (_entry is { } timed && WillExpire && !HasListeners)
        {
            Task.Engine.Timers.Remove(timed);
            _entry = null;
        }
    }

    // The region is still there, so its frame is one of those of the task, has not left the queue yet, and will.
    internal override void Unsilence(Frame leaf)
    {
        for (Frame? frame = leaf; _entry is null && frame is not null; frame = frame.Caller)
        {
            if (!ReferenceEquals(frame.TimedBy, this))
            {
                continue;
            }

            _entry = frame;
            if (Task.Engine.Timers.Link(frame, frame.Due, armed: 0) == Linking.Earlier)
            {
                ThreadPool.UnsafeQueueUserWorkItem(static timers => timers.Plan(), Task.Engine.Timers, preferLocal: false); // not here: a driver is foreign code
            }
        }
    }

    internal override bool WillExpire => Cause is null && _entry?.IsArmed(0) != false;

    internal override long Due => _entry!.Due;

    internal override void Abandon() => Task.Engine.Timers.Remove(_entry!);
}

/// <summary>Runs one future under a timeout, inside the task that awaits it.</summary>
/// <remarks>
/// The entry in the timer queue is this frame, so a timeout allocates no timer. It is taken out the moment the future has ended, however it ended.
/// States: 0 (no timer), armed, over. The move from armed to over is claimed by the timer under the wheel's gate; what the timer then does happens inside the task's region, which cannot be touched any more once
/// it was left. So a timer that fires while the future ends, or after, harms nothing.
/// </remarks>
internal sealed class TimeoutFrame<T>(Frame inner, TimeSpan within, ManagedTask? joined = null) : Frame<T>
{
    private const int Armed = 1;
    private const int Over = 2;

    private TimeoutRegion? _region;

    // The timed future runs, or has run, as ours. Another task may have taken it instead.
    private bool _called;

    // There is no time, so others had their turn before: what runs inside finds its turns unused, and is not interrupted for being lucky too often.
    private bool _gaveWay;

    // Moved by the task's thread and, from Armed, by the timer; interlocked.
    private int _timer;

    internal override TaskGroup? Home => inner.Home;

    internal override string Method => joined is null ? inner.Method : $"wait for {joined.Name}";

    internal override bool IsTransparent => true;

    internal override CancelRegion? TimedBy => _region;

    internal override void MoveNext()
    {
        if (_region is { } region)
        {
            Finish(region);
            return;
        }

        if (inner.Phase != FramePhase.Cold)
        {
            Throw(Spawning.NotColdError(inner));
            return;
        }

        Context = ExecutionContext.Capture();
        ManagedTask task = Owner!;
        if (HasNoTime && GivesWay(task))
        {
            return;
        }

        Due = task.Engine.Timers.DueIn(within);
        _region = region = new TimeoutRegion(task, this);
        region.Enter();
        if (HasNoTime)
        {
            _timer = Over;
            region.TimeIsOver(Operation(), within);
        }
        else if (within != Timeout.InfiniteTimeSpan)
        {
            Atomics.Write(ref _timer, Armed);
            try
            {
                task.Engine.Timers.Arm(this, Due, armed: 0);
            }
            catch (Exception refused) // the queue is disposed of, or its provider failed: the body's affair
            {
                region.Leave();
                Throw(refused);
                return;
            }
        }

        _called = true;
        inner.StartUnder(this);
    }

    private bool HasNoTime => within <= TimeSpan.Zero && within != Timeout.InfiniteTimeSpan;

    // Whether the frame has yielded, or was canceled while it did.
    private bool GivesWay(ManagedTask task)
    {
        if (!_gaveWay)
        {
            if (task.Stepping.HasFewTurns)
            {
                _gaveWay = true;
                Park.Yield(this);
            }

            return _gaveWay;
        }

        Park.TakeSignal(out ManagedTaskCanceledException? canceled);
        if (canceled is not null)
        {
            Throw(canceled);
        }

        return canceled is not null;
    }

    internal override bool IsArmed(int armed) => Atomics.Read(ref _timer) == Armed;

    internal override bool TryClaim() => Atomics.CompareExchange(ref _timer, Over, Armed) == Armed;

    internal override void Resume(ref WakeBatch batch) => _region!.TimeIsOver(Operation(), within);

    internal override void Release()
    {
        Result = default!;
        inner.ReleaseAfterCall(_called);
    }

    private string Operation() => $"{Method} in {Owner!.Title}";

    private void Finish(TimeoutRegion region)
    {
        region.Leave(); // first: a search that puts entries back does so in regions that were not left
        Owner!.Engine.Timers.Remove(this);
        T result = inner is Frame<T> typed ? typed.Result : default!;
        bool returned = FutureAwait.TryTakeOutcome(inner, out Exception? error);
        if (region.Cause is { } cause && !Owner.IsAbandoned && TimedOut(region, cause, returned, error))
        {
            Throw(Timeouts.Tell(Owner!, Method, within, region.WaitedFor, error));
        }
        else if (returned)
        {
            Result = result;
            Return();
        }
        else
        {
            Throw(error!);
        }
    }

    // A body that was told that its time is over and returned a value all the same has timed out; one that threw an error of its own has
    // failed with that. One that was ready before it could be told keeps its value, so that nothing it made is lost.
    private bool TimedOut(TimeoutRegion region, CancelCause cause, bool returned, Exception? error)
    {
        if (returned)
        {
            return region.WasDelivered;
        }

        return error is ManagedTaskCanceledException canceled
            ? ReferenceEquals(canceled.Cause, cause)
            : error is OperationCanceledException && Cancellation.Find(Owner!) is null; // what a shield keeps out has not ended it
    }
}
