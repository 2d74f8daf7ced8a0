using Moirai.Execution;
using Moirai.Ground;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Futures;

/// <summary>A wait for a time that can be moved while somebody waits for it: one waiter, one entry in the timer queue, and none while nobody waits.</summary>
/// <remarks>Its gate is taken before the wheel's. The waiter is linked, moved and let go of under both, so a node that has moved on to another wait is never touched.</remarks>
internal sealed class MovableWait : IWaitQueue
{
    private readonly TimerQueue _timers;
    private readonly string _name;
    private SpinGate _gate;

    // Written under the gate.
    private long _due;
    private WaitNode? _waiter;

    internal MovableWait(Engine engine, TimeSpan delay, string name)
    {
        _timers = engine.Timers;
        _name = name;
        _due = _timers.DueIn(delay);
    }

    internal TimerQueue Timers => _timers;

    /// <summary>What it is, for messages.</summary>
    internal string Name => _name;

    /// <summary>The time, in units of 100 ns since the queue began.</summary>
    internal long Due
    {
        get
        {
            _gate.Enter();
            long due = _due;
            _gate.Exit();
            return due;
        }
    }

    internal bool IsDue => _timers.Now >= Due;

    /// <summary>Moves the time; who waits goes on waiting, for the new one.</summary>
    internal void MoveTo(long due)
    {
        _gate.Enter();
        _due = due;
        Linking done = _waiter is { } waiter ? _timers.Move(waiter, due) : Linking.TooLate;
        _gate.Exit();
        if (done == Linking.Earlier)
        {
            _timers.Plan();
        }
    }

    /// <summary>Seats a frame. The last thing that its thread does.</summary>
    internal void Suspend(Frame frame)
    {
        ThrowIfAwaited();
        if (IsDue)
        {
            Park.Yield(frame); // the turn of others
        }
        else if (Park.Begin(frame, this, out int armed) && Seat(frame, armed) == Linking.Disposed && Park.TryTakeBack(frame.Owner!, armed))
        {
            TimerQueue.ThrowDisposed();
        }
    }

    /// <summary>Seats a continuation of plain code.</summary>
    internal void Register(Action continuation, bool flowContext)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        ThrowIfAwaited();
        if (Seat(new CallbackNode(continuation, flowContext), armed: 0) == Linking.Disposed)
        {
            TimerQueue.ThrowDisposed();
        }
    }

    /// <summary>The waiter goes on.</summary>
    /// <exception cref="ManagedTaskCanceledException">It was canceled.</exception>
    internal void Finish()
    {
        _gate.Enter();
        if (_waiter is { IsLinked: false })
        {
            _waiter = null;
        }

        _gate.Exit();
        Park.TakeSignal();
    }

    public void Remove(WaitNode node)
    {
        _gate.Enter();
        if (ReferenceEquals(_waiter, node))
        {
            _waiter = null;
        }

        _timers.Remove(node);
        _gate.Exit();
    }

    public string DescribeWait(WaitNode node) => $"{_name}, {_timers.DescribeWait(node)}";

    private Linking Seat(WaitNode node, int armed)
    {
        _gate.Enter();
        Linking done = _timers.Link(node, _due, armed);
        if (done is Linking.Linked or Linking.Earlier)
        {
            _waiter = node;
        }

        _gate.Exit();
        if (done == Linking.Earlier)
        {
            _timers.Plan();
        }

        return done;
    }

    private void ThrowIfAwaited()
    {
        _gate.Enter();
        bool awaited = _waiter is { IsLinked: true };
        _gate.Exit();
        if (awaited)
        {
            throw new InvalidOperationException($"Somebody awaits {_name} already. One waiter at a time: give each task one of its own.");
        }
    }
}
