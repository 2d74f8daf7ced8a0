using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>The seat of plain code that waits in a primitive. It serves one wait.</summary>
internal sealed class PlainSeat : TiedSeat
{
    /// <summary>Told of each such wait, for tests that look whether all of them came to an end. Set once.</summary>
    internal static Action<PlainSeat>? Begun { get; set; }

    private readonly SynchronizationPrimitive _primitive;
    private readonly CancellationToken _token;

    // Written before the seat is taken.
    private CancellationTokenRegistration _registration;

    // Written before the continuation runs.
    private bool _isOver;

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
        Tie();
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

            InterruptIfCanceled();
            return;
        }

        Untie();
        _registration.Unregister();
        _isOver = true;
        Deliver();
    }

    /// <summary>By the awaiter, first thing in the continuation.</summary>
    internal WaitSignal End(StepContext? context)
    {
        ThrowIfInError(context);
        return Signal;
    }

    private void Abandon() => TryEnd(WaitSignal.Abandoned, error: null);
}
