using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Moirai.Execution;

namespace Moirai.Futures;

/// <summary>The seat of plain code whose wait could not begin: it goes on at once, and finds here why.</summary>
internal sealed class RefusedSeat : CallbackSeat
{
    private readonly Exception _why;

    internal RefusedSeat(Action continuation, bool flowContext, Exception why)
        : base(captureSynchronization: true)
    {
        _why = why;
        SetContinuation(continuation, flowContext);
    }

    public override void Execute() => Deliver();

    /// <summary>By the awaiter, first thing in the continuation.</summary>
    [DoesNotReturn]
    internal void Throw(StepContext context)
    {
        TakeDelivery(context);
        ExceptionDispatchInfo.Throw(_why);
    }
}
