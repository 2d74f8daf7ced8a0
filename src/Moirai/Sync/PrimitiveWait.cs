using System.Diagnostics.CodeAnalysis;
using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>What awaiters do that wait in a primitive: as the frame of a future, or in a seat of its own for plain code.</summary>
/// <remarks>
/// The order: <see cref="Prepare"/> when <c>IsCompleted</c> finds that there is something to wait for; then <see cref="Suspend"/> (futures) or <see cref="Register"/> (plain code); then
/// <see cref="End(PlainSeat?, SynchronizationPrimitive, CancellationToken)"/> in <c>GetResult</c>. Between the first two the compiler copies the awaiter away, and that copy is the one that <c>GetResult</c> sees: so the awaiter keeps the
/// seat that <see cref="Prepare"/> gives, and whatever the wait writes later stands in the node.
/// </remarks>
internal static class PrimitiveWait
{
    /// <summary>The wait cannot be spared.</summary>
    /// <param name="context">The context of the current thread, if it has one.</param>
    /// <param name="primitive">What is waited for.</param>
    /// <param name="request">What <see cref="WaitNode.Due"/> tells the primitive.</param>
    /// <param name="token">Ends the wait.</param>
    /// <returns>A seat, outside the steps of tasks, where only plain code can be.</returns>
    internal static PlainSeat? Prepare(StepContext? context, SynchronizationPrimitive primitive, long request, CancellationToken token) =>
        context?.Frame is null ? new PlainSeat(primitive, request, token) : null;

    /// <summary>A future waits, in its own frame.</summary>
    internal static void Suspend(Frame frame, SynchronizationPrimitive primitive, long request, CancellationToken token)
    {
        ManagedTask task = frame.Owner!;
        task.Engine.NotePrimitives();
        frame.Due = request;
        frame.Slot = 0;
        if (token.CanBeCanceled)
        {
            TokenWatch.Suspend(frame, primitive, token);
        }
        else if (task.Stepping.HasToGiveWay)
        {
            Park.YieldBefore(frame, primitive);
        }
        else if (Park.Begin(frame, primitive, out int armed))
        {
            primitive.Seat(frame, armed);
            DeadlockCheck.AfterSeat(task);
        }
    }

    /// <summary>Plain code waits. Inside a step it could not be told from a future before, and gets its seat only now.</summary>
    internal static void Register(PlainSeat? seat, Action continuation, bool flowContext, SynchronizationPrimitive primitive, long request, CancellationToken token)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        (seat ?? new PlainSeat(primitive, request, token)).Begin(continuation, flowContext);
    }

    /// <summary>How the wait ended. Throws when cancellation ended it.</summary>
    /// <exception cref="OperationCanceledException">The token was canceled, or the waiting task.</exception>
    internal static WaitSignal End(PlainSeat? known, SynchronizationPrimitive primitive, CancellationToken token) => End(known, primitive, token, out _);

    /// <inheritdoc cref="End(PlainSeat?, SynchronizationPrimitive, CancellationToken)"/>
    /// <param name="known">The seat that <see cref="Prepare"/> gave.</param>
    /// <param name="primitive">What was waited for.</param>
    /// <param name="token">The token that could end the wait.</param>
    /// <param name="node">The seat of the wait, in which the primitive may have left a word: nobody else touches it any more.</param>
    internal static WaitSignal End(PlainSeat? known, SynchronizationPrimitive primitive, CancellationToken token, out WaitNode node)
    {
        StepContext? context = StepContext.Existing;
        WaitSignal signal;
        if ((known ?? context?.Delivered) is PlainSeat seat && seat.HasServed(primitive))
        {
            node = seat;
            signal = seat.End(context);
        }
        else if (context?.Frame is { } frame && ReferenceEquals(SynchronizationPrimitive.Behind(frame.Queue), primitive))
        {
            node = frame;
            (frame.Queue as TokenWatch)?.EndWait();
            frame.Queue = null; // this wait is over: nobody takes its result again
            signal = Park.TakeSignal();
        }
        else
        {
            throw new InvalidOperationException($"The wait for {primitive.Title} has not ended, or was continued by another thread than the one that was told. Await it; do not call GetResult.");
        }

        return signal == WaitSignal.Abandoned ? throw AbandonedError(primitive, token) : signal;
    }

    /// <summary>For what a waiter gets that would be lost on one that has been canceled on its way: whether it has been. Then the awaiter gives it to the next in line,
    /// and throws (<see cref="ThrowGivenUp"/>).</summary>
    internal static bool IsGivenUp(WaitNode node, CancellationToken token) =>
        token.IsCancellationRequested || node is PlainSeat { CanceledCaller: not null } || (node is Frame { Owner: { HasCancelFlags: true } task } && Cancellation.Find(task) is not null);

    /// <inheritdoc cref="IsGivenUp"/>
    [DoesNotReturn]
    internal static void ThrowGivenUp(WaitNode node, SynchronizationPrimitive primitive, CancellationToken token)
    {
        if (node is Frame { Owner: { HasCancelFlags: true } task } && Cancellation.Find(task) is not null)
        {
            Cancellation.Throw(task);
        }

        if (node is PlainSeat { CanceledCaller: { } caller })
        {
            throw Cancellation.ErrorInPlainCode(caller);
        }

        throw AbandonedError(primitive, token);
    }

    /// <summary>The error of a wait whose token was canceled.</summary>
    internal static OperationCanceledException AbandonedError(SynchronizationPrimitive primitive, CancellationToken token) =>
        new($"The wait for {primitive.Describe()} was given up: its token was canceled.", token);
}
