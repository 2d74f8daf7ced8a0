using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>The seat of plain code that waits in a primitive. It serves one wait.</summary>
internal sealed class PlainSeat : CallbackSeat
{
    /// <summary>Told of each such wait, for tests that look whether all of them came to an end. Set once.</summary>
    internal static Action<PlainSeat>? Begun { get; set; }

    private readonly SynchronizationPrimitive _primitive;
    private readonly CancellationToken _token;

    // Written before the seat is taken.
    private CancellationTokenRegistration _registration;

    // Written before the continuation runs.
    private bool _isOver;

    // What the await throws since nobody can end the wait any more. Written before the continuation runs.
    private Exception? _leak;

    internal PlainSeat(SynchronizationPrimitive primitive, long request, CancellationToken token)
        : base(captureSynchronization: true)
    {
        _primitive = primitive;
        _token = token;
        Queue = primitive;
        Due = request;
    }

    /// <summary>Takes the seat. All is written before the token can call back, and before anybody can wake it.</summary>
    internal void Begin(Action continuation, bool flowContext)
    {
        SetContinuation(continuation, flowContext);
        _registration = _token.UnsafeRegister(static seat => ((PlainSeat)seat!).Abandon(), this);
        Begun?.Invoke(this);
        _primitive.Seat(this, armed: 0);
    }

    /// <summary>Whether nothing has ended the wait yet.</summary>
    internal bool IsWaiting => IsArmed(0) && !_isOver;

    internal string DescribeWait() => ((IWaitQueue)_primitive).DescribeWait(this);

    internal bool HasServed(SynchronizationPrimitive primitive) => _isOver && ReferenceEquals(_primitive, primitive);

    public override void Execute()
    {
        if (Signal == WaitSignal.Invited && !_primitive.Accept(this))
        {
            // Seated again. A cancellation that came meanwhile found nothing to claim.
            if (_token.IsCancellationRequested)
            {
                Abandon();
            }

            return;
        }

        _isOver = true;
        Deliver();
    }

    /// <summary>By the awaiter, first thing in the continuation.</summary>
    internal WaitSignal End(StepContext? context)
    {
        TakeDelivery(context);
        _registration.Unregister();
        if (_leak is { } leak)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(leak);
        }

        return Signal;
    }

    /// <summary>Ends a wait that nobody can end any more: the await throws. Found by its name, as the platform's promises are.</summary>
    /// <returns>False when the wait is over.</returns>
    internal bool TrySetException(Exception leak)
    {
        if (!TryClaim())
        {
            return false;
        }

        _leak = leak;
        ((IWaitQueue)_primitive).Remove(this);
        Signal = WaitSignal.Leaked;
        GoOn();
        return true;
    }

    private void Abandon()
    {
        if (TryClaim())
        {
            ((IWaitQueue)_primitive).Remove(this);
            Signal = WaitSignal.Abandoned;
            GoOn();
        }
    }
}
