using System.Diagnostics.CodeAnalysis;
using Moirai.Execution;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>Lets time end one wait of a frame in a primitive, and a token if there is one. It is its own entry in the wheel, since the frame is linked in the primitive.</summary>
/// <remarks>The entry is taken out the moment the wait is over, however it ended; a timer that fires while the wait ends, or after, finds that it has ended.</remarks>
internal sealed class TimeWatch(SynchronizationPrimitive primitive) : WaitNode, IWatchedWait
{
    private const int Armed = 1;
    private const int Over = 2;

    // The frame that waits; for plain code the task that waits in its place. Written before the wait begins.
    private object? _waiter;

    // Written before the frame parks.
    private CancellationTokenRegistration _registration;

    // From the waiter's Armed on moved by the timer, under the wheel's gate.
    private int _timer;

    // Set by the frame's thread when the wait is over.
    private bool _ended;

    // The token had been canceled when the wait began: then there is no registration that knows it. Written before the frame parks.
    private bool _isAbandoned;

    public SynchronizationPrimitive Primitive => primitive;

    /// <summary>The task that waits for plain code.</summary>
    internal ManagedTask? Deputy => _waiter as ManagedTask;

    private Frame Waiter => (Frame)_waiter!;

    /// <summary>Plain code waits: a task does it in its place.</summary>
    internal void Follow(ManagedTask deputy) => _waiter = deputy;

    /// <summary>Seats the frame. The last thing that its thread does.</summary>
    /// <param name="frame">Who waits.</param>
    /// <param name="request">What <see cref="WaitNode.Due"/> tells the primitive.</param>
    /// <param name="within">The time allowed; none: it is over once the frame sits, if there is nothing for it then.</param>
    /// <param name="token">Ends the wait too.</param>
    internal void Suspend(Frame frame, long request, TimeSpan within, CancellationToken token)
    {
        ManagedTask task = frame.Owner!;
        task.Engine.NotePrimitives();
        _waiter = frame;
        frame.Due = request;
        frame.Slot = 0;
        frame.MarkKnown(); // a timer, or a token, may have this a moment longer
        if (!TryBegin(task.Engine.Timers, within, token, out Exception? refused))
        {
            Park.GoOnWith(frame, refused);
        }
        else if (task.Stepping.HasToGiveWay)
        {
            Park.YieldBefore(frame, this);
        }
        else if (Park.Begin(frame, this, out int armed))
        {
            primitive.Seat(frame, armed);
            FireIfOver();
            DeadlockCheck.AfterSeat(task);
        }
    }

    /// <summary>The frame goes on. By its thread.</summary>
    /// <exception cref="ManagedTaskCanceledException">The waiting task was canceled.</exception>
    internal WaitSignal End(out WaitNode node)
    {
        if (StepContext.Existing?.Frame is not { } frame || !ReferenceEquals(frame, _waiter))
        {
            throw new InvalidOperationException($"The timed wait for {primitive.Title} has not ended. Await it; do not call GetResult.");
        }

        node = frame;
        if (ReferenceEquals(frame.Queue, this))
        {
            EndWait();
            frame.Queue = null; // this wait is over: nobody takes its result again
        }

        return Park.TakeSignal();
    }

    /// <inheritdoc/>
    public void EndWait()
    {
        Atomics.Write(ref _ended, true);
        if (Atomics.Read(ref _timer) == Armed)
        {
            Waiter.Owner!.Engine.Timers.Remove(this);
        }

        _registration.Unregister();
    }

    /// <inheritdoc/>
    public bool Accept(WaitNode node)
    {
        if (primitive.Accept(node))
        {
            return true;
        }

        FireIfOver();
        return false;
    }

    internal override bool IsArmed(int armed) => Atomics.Read(ref _timer) == Armed;

    internal override bool TryClaim() => Atomics.CompareExchange(ref _timer, Over, Armed) == Armed;

    internal override void GoOn() => throw new NotSupportedException("Time lets nobody go on at once.");

    internal override void Resume(ref WakeBatch batch) => ((IWatchedWait)this).Fire(Waiter, ref _ended, WaitSignal.Late, ref batch);

    // False: nothing has begun, and the await throws.
    private bool TryBegin(TimerQueue timers, TimeSpan within, CancellationToken token, [NotNullWhen(false)] out Exception? refused)
    {
        refused = null;
        try
        {
            if (token.CanBeCanceled)
            {
                _registration = token.UnsafeRegister(static watch => ((TimeWatch)watch!).Fire(WaitSignal.Abandoned), this);
                _isAbandoned = token.IsCancellationRequested;
            }

            if (within <= TimeSpan.Zero && within != Timeout.InfiniteTimeSpan)
            {
                Atomics.Write(ref _timer, Over);
                return true;
            }

            long due = timers.DueIn(within);
            if (due != TimerWheel.Never)
            {
                Atomics.Write(ref _timer, Armed);
                timers.Arm(this, due, armed: 0);
            }
        }
        catch (Exception error) // the queue is disposed of, or its provider failed
        {
            EndWait();
            refused = error;
        }

        return refused is null;
    }

    private void FireIfOver()
    {
        if (Atomics.Read(ref _timer) == Over)
        {
            Fire(WaitSignal.Late);
        }

        if (_isAbandoned || _registration.Token.IsCancellationRequested)
        {
            Fire(WaitSignal.Abandoned);
        }
    }

    private void Fire(WaitSignal signal) => ((IWatchedWait)this).Fire(Waiter, ref _ended, signal);
}
