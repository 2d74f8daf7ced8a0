using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Moirai.Execution;

namespace Moirai;

/// <summary>Awaits a <see cref="Future"/>. Made for the compiler.</summary>
public readonly struct FutureAwaiter : ICriticalNotifyCompletion, IPassingAwaiter
{
    private readonly Frame _frame;

    internal FutureAwaiter(Frame frame) => _frame = frame;

    /// <summary>Always false: a future that is awaited has yet to run.</summary>
    /// <exception cref="InvalidOperationException">It was spawned or awaited before.</exception>
    public bool IsCompleted => FutureAwait.IsCompleted(_frame);

    /// <summary>Returns when the future returned; throws what it threw.</summary>
    public void GetResult() => FutureAwait.TakeLastOutcome(_frame);

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => FutureAwait.Detach(_frame, continuation, flowContext: true);

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => FutureAwait.Detach(_frame, continuation, flowContext: false);

    void IFrameAwaiter.Suspend(Frame frame) => _frame.StartUnder(frame);
}

/// <summary>Awaits a <see cref="Future{T}"/>. Made for the compiler.</summary>
/// <typeparam name="T">What the future gives.</typeparam>
public readonly struct FutureAwaiter<T> : ICriticalNotifyCompletion, IPassingAwaiter
{
    private readonly Frame<T> _frame;

    internal FutureAwaiter(Frame<T> frame) => _frame = frame;

    /// <inheritdoc cref="FutureAwaiter.IsCompleted"/>
    public bool IsCompleted => FutureAwait.IsCompleted(_frame);

    /// <summary>What the future gave; throws what it threw.</summary>
    public T GetResult()
    {
        if (_frame.IsRoot)
        {
            FutureAwait.TakeOutcomeOfRoot(_frame);
            return ((ManagedTask<T>)_frame.Owner!).ResultUnchecked;
        }

        T result = _frame.Result; // taking the outcome releases it
        FutureAwait.TakeLastOutcome(_frame);
        return result;
    }

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => FutureAwait.Detach(_frame, continuation, flowContext: true);

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => FutureAwait.Detach(_frame, continuation, flowContext: false);

    void IFrameAwaiter.Suspend(Frame frame) => Suspend(frame);

    internal void Suspend(Frame frame) => _frame.StartUnder(frame);
}

/// <summary>What both awaiters do.</summary>
internal static class FutureAwait
{
    internal static bool IsCompleted(Frame frame)
    {
        Spawning.ThrowIfNotCold(frame);
        return false;
    }

    /// <summary>Takes the outcome for the awaiter, who has no further use for the frame.</summary>
    internal static void TakeLastOutcome(Frame frame)
    {
        if (frame.IsRoot)
        {
            TakeOutcomeOfRoot(frame);
            return;
        }

        if (!TryTakeOutcome(frame, out Exception? error))
        {
            ExceptionDispatchInfo.Throw(error);
        }

        if (frame.Due == frame.Owner!.Stepping.Step)
        {
            frame.TryRetire();
        }
    }

    internal static void TakeOutcomeOfRoot(Frame frame)
    {
        if (frame.Owner is not { } task)
        {
            throw new InvalidOperationException(
                $"The future of {frame.Method} has not run: a future is cold, and GetResult does not start it. Await it, or spawn it and await the handle; from synchronous code use TaskRuntime.Run.");
        }

        Joining.TakeOutcome(task);
    }

    /// <summary>Takes the outcome of a frame that was called, and lets go of its locals.</summary>
    /// <returns>False when it threw.</returns>
    internal static bool TryTakeOutcome(Frame frame, [NotNullWhen(false)] out Exception? error)
    {
        int phase = frame.Phase;
        if (phase is not (FramePhase.Returned or FramePhase.Threw))
        {
            throw new InvalidOperationException($"The future of {frame.Method} has no outcome to take: it is still running, or was awaited before. A future is awaited once.");
        }

        frame.Phase = FramePhase.Taken;
        frame.Release();
        frame.Context = null;
        error = phase == FramePhase.Threw ? StepContext.Current.TakeError() : null;
        return error is null;
    }

    /// <summary>Plain async code awaits the future: it becomes a detached task.</summary>
    internal static void Detach(Frame frame, Action continuation, bool flowContext)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        Joining.RegisterFirm(SpawnDetached(frame), continuation, flowContext);
    }

    /// <summary>Never throws: what is refused is a task that has failed.</summary>
    internal static ManagedTask SpawnDetached(Frame frame)
    {
        try
        {
            ManagedTask? caller = TaskIdentity.Task;
            ManagedTask task = frame.SpawnDetached(caller ?? ManagedTask.Stepped);
            if (caller is not null && !frame.IsDisposal && !PlainShield.Covers(caller)) // also inside a step: the body's own first one, or another task's in which the code continues
            {
                TokenLink.Make(task, caller.Token, isCallers: true); // plain code waits in the place of its task, which is canceled by its token
            }

            return task;
        }
        catch (InvalidOperationException refused)
        {
            // Thrown from OnCompleted it would end the process, so it becomes the outcome that the await throws.
            return frame.MakeRefused(refused);
        }
    }
}
