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

    // Written under the gate; the time is read by anyone.
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
    internal long Due => Atomics.Read(ref _due);

    internal bool IsDue => _timers.Now >= Due;

    /// <summary>Moves the time; who waits goes on waiting, for the new one.</summary>
    internal void MoveTo(long due)
    {
        _gate.Enter();
        Linking done = MoveLocked(due);
        _gate.Exit();
        if (done == Linking.Earlier)
        {
            _timers.Plan();
        }
    }

    /// <summary>Moves the time, if it is still the one that the caller has seen.</summary>
    /// <returns>False when somebody has moved it meanwhile: that counts, and nothing was done.</returns>
    internal bool TryMove(long seen, long due)
    {
        _gate.Enter();
        bool isSame = Atomics.Read(ref _due) == seen;
        Linking done = isSame ? MoveLocked(due) : Linking.TooLate;
        _gate.Exit();
        if (done == Linking.Earlier)
        {
            _timers.Plan();
        }

        return isSame;
    }

    /// <summary>For the awaiter of plain code, which keeps it: the seat that it will take. Null when there is nothing to wait for, and for futures, whose frames take the seat themselves.</summary>
    internal MovableSeat? Prepare() => StepContext.Existing?.Frame is null && !IsDue ? new MovableSeat(this) : null;

    /// <summary>Seats a frame. The last thing that its thread does.</summary>
    internal void Suspend(Frame frame)
    {
        if (IsDue)
        {
            Park.Yield(frame); // the turn of others
        }
        else if (Park.Begin(frame, this, out int armed) && Seat(frame, armed) is { } refused && Park.TryTakeBack(frame.Owner!, armed))
        {
            Park.GoOnWith(frame, refused);
        }
    }

    /// <summary>Seats a continuation of plain code. What is refused is told by <see cref="Finish"/>: thrown from here it would end the process.</summary>
    /// <param name="seat">What <see cref="Prepare"/> gave. Inside a step plain code cannot be told from a future before, and gets its seat only now.</param>
    /// <param name="continuation">What goes on.</param>
    /// <param name="flowContext">Whether in the execution context of now.</param>
    internal void Register(MovableSeat? seat, Action continuation, bool flowContext)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        seat ??= new MovableSeat(this);
        seat.Take(continuation, flowContext);
        if (Seat(seat, armed: 0) is { } refused)
        {
            seat.TryEnd(WaitSignal.Refused, refused);
        }
    }

    /// <summary>The waiter goes on.</summary>
    /// <param name="known">What <see cref="Prepare"/> gave.</param>
    /// <exception cref="ManagedTaskCanceledException">It was canceled.</exception>
    /// <exception cref="InvalidOperationException">Somebody else waits.</exception>
    internal void Finish(MovableSeat? known)
    {
        _gate.Enter();
        if (_waiter is { IsLinked: false })
        {
            _waiter = null;
        }

        _gate.Exit();
        StepContext? context = StepContext.Existing;
        if ((known ?? context?.Delivered) is MovableSeat seat && seat.IsOf(this))
        {
            seat.End(context);
        }
        else
        {
            Park.TakeSignal();
        }
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

    // Looks whether somebody waits and takes the seat under one hold of the gate: of two who come at once one is refused.
    private Exception? Seat(WaitNode node, int armed)
    {
        _gate.Enter();
        bool isAwaited = Atomics.Read(ref _waiter) is { IsLinked: true };
        Linking done = isAwaited ? Linking.TooLate : _timers.Link(node, _due, armed);
        if (done is Linking.Linked or Linking.Earlier)
        {
            Atomics.WriteOwn(ref _waiter, node);
        }

        _gate.Exit();
        if (done == Linking.Earlier)
        {
            try
            {
                _timers.PlanFor(node);
            }
            catch (Exception error) // the provider's, which goes to who waits
            {
                return error;
            }
        }

        return isAwaited ? new InvalidOperationException($"Somebody awaits {_name} already. One waiter at a time: give each task one of its own.")
            : done == Linking.Disposed ? TimerQueue.DisposedError()
            : null;
    }

    private Linking MoveLocked(long due)
    {
        Atomics.Write(ref _due, due);
        return _waiter is { } waiter ? _timers.Move(waiter, due) : Linking.TooLate;
    }
}

/// <summary>The seat of plain code in a <see cref="MovableWait"/>. It serves one wait.</summary>
internal sealed class MovableSeat(MovableWait wait) : TiedSeat(captureSynchronization: true)
{
    internal bool IsOf(MovableWait other) => ReferenceEquals(wait, other);

    internal void Take(Action continuation, bool flowContext)
    {
        Queue = wait;
        SetContinuation(continuation, flowContext);
        Tie();
    }

    public override void Execute()
    {
        Untie();
        Deliver();
    }

    /// <summary>By the awaiter, first thing in the continuation.</summary>
    internal void End(StepContext? context) => ThrowIfInError(context);
}
