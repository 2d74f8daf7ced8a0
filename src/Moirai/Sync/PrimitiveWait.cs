using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>The part of an awaiter that waits in a primitive: as the frame of a future, or in a seat of its own for plain code.</summary>
/// <remarks>
/// The order: <see cref="Prepare"/> when <c>IsCompleted</c> finds that there is something to wait for, then <see cref="Suspend"/> (futures) or <see cref="Register"/> (plain code), then
/// <see cref="End"/> in <c>GetResult</c>. Between the first two the compiler copies the awaiter away, and that copy is the one that <c>GetResult</c> sees: so whatever the wait writes
/// later stands in the node and not here.
/// </remarks>
internal struct PrimitiveWait(SynchronizationPrimitive primitive, long request, CancellationToken token)
{
    // Made by Prepare outside the steps of tasks, where only plain code can be.
    private PlainSeat? _seat;

    /// <summary>The wait cannot be spared.</summary>
    internal void Prepare()
    {
        if (StepContext.Existing?.Frame is null)
        {
            _seat = new PlainSeat(primitive, request, token);
        }
    }

    /// <summary>A future waits, in its own frame.</summary>
    internal readonly void Suspend(Frame frame)
    {
        frame.Owner!.Engine.NotePrimitives();
        frame.Due = request;
        frame.Slot = 0;
        if (token.CanBeCanceled)
        {
            TokenWatch.Suspend(frame, primitive, token);
        }
        else if (StepContext.Current.HasToGiveWay)
        {
            Park.YieldBefore(frame, primitive);
        }
        else if (Park.Begin(frame, primitive, out int armed))
        {
            primitive.Seat(frame, armed);
        }
    }

    /// <summary>Plain code waits. Inside a step it could not be told from a future before, and has no seat yet.</summary>
    internal readonly void Register(Action continuation, bool flowContext)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        (_seat ?? new PlainSeat(primitive, request, token)).Begin(continuation, flowContext);
    }

    /// <summary>How the wait ended. Throws when cancellation ended it.</summary>
    /// <exception cref="OperationCanceledException">The token was canceled, or the waiting task.</exception>
    internal readonly WaitSignal End()
    {
        StepContext? context = StepContext.Existing;
        WaitSignal signal;
        if ((_seat ?? context?.Delivered) is PlainSeat seat && seat.Serves(primitive))
        {
            signal = seat.End(context);
        }
        else if (context?.Frame is { } frame)
        {
            TokenWatch.End(frame);
            signal = Park.TakeSignal();
        }
        else
        {
            throw new InvalidOperationException($"The wait for {primitive.Title} has not ended, or was continued by another thread than the one that was told. Await it; do not call GetResult.");
        }

        if (signal == WaitSignal.Abandoned)
        {
            ThrowAbandoned(token);
        }

        return signal;
    }

    /// <summary>The error of a wait whose token was canceled.</summary>
    internal readonly void ThrowAbandoned() => ThrowAbandoned(token);

    internal readonly bool IsAbandoned => token.IsCancellationRequested;

    private readonly void ThrowAbandoned(CancellationToken canceled) =>
        throw new OperationCanceledException($"The wait for {primitive.Describe()} was given up: its token was canceled.", canceled);
}
