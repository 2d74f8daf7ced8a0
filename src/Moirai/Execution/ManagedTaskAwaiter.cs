using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai;

/// <summary>Awaits the end of a <see cref="ManagedTask"/>. Made for the compiler.</summary>
public readonly struct ManagedTaskAwaiter : ICriticalNotifyCompletion, IPassingAwaiter
{
    private readonly ManagedTask _task;

    internal ManagedTaskAwaiter(ManagedTask task) => _task = task;

    /// <summary>Whether the task has ended.</summary>
    public bool IsCompleted => Joining.IsEnded(_task);

    /// <summary>Returns when the task completed; throws its failure or its cancellation.</summary>
    /// <exception cref="ManagedTaskCanceledException">The task was canceled, or the task that waits is.</exception>
    /// <exception cref="InvalidOperationException">The task has not ended.</exception>
    public void GetResult() => Joining.TakeOutcome(_task);

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => Joining.Register(_task, continuation, flowContext: true);

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => Joining.Register(_task, continuation, flowContext: false);

    void IFrameAwaiter.Suspend(Frame frame) => Joining.Suspend(_task, frame);
}

/// <summary>Awaits the end of a <see cref="ManagedTask{T}"/>. Made for the compiler.</summary>
/// <typeparam name="T">What the task gives.</typeparam>
public readonly struct ManagedTaskAwaiter<T> : ICriticalNotifyCompletion, IPassingAwaiter
{
    private readonly ManagedTask<T> _task;

    internal ManagedTaskAwaiter(ManagedTask<T> task) => _task = task;

    /// <inheritdoc cref="ManagedTaskAwaiter.IsCompleted"/>
    public bool IsCompleted => Joining.IsEnded(_task);

    /// <summary>The result of a completed task; throws the failure or the cancellation of another.</summary>
    /// <exception cref="ManagedTaskCanceledException">The task was canceled, or the task that waits is.</exception>
    /// <exception cref="InvalidOperationException">The task has not ended.</exception>
    public T GetResult()
    {
        Joining.TakeOutcome(_task);
        return _task.ResultUnchecked;
    }

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => Joining.Register(_task, continuation, flowContext: true);

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => Joining.Register(_task, continuation, flowContext: false);

    void IFrameAwaiter.Suspend(Frame frame) => Joining.Suspend(_task, frame);
}

/// <summary>Waits in plain code for a task's end, without coming back to a synchronization context; its outcome is not looked at.</summary>
internal readonly struct EndAwaitable(ManagedTask task) : ICriticalNotifyCompletion
{
    public bool IsCompleted => task.HasLeft;

    public EndAwaitable GetAwaiter() => this;

    // The outcome is the caller's affair.
    public void GetResult() => TiedNode.ThrowIfEndedEarly(task);

    public void OnCompleted(Action continuation) => task.Join(new TiedNode(task, task, continuation, flowContext: true, isTied: false), armed: 0);

    public void UnsafeOnCompleted(Action continuation) => task.Join(new TiedNode(task, task, continuation, flowContext: false, isTied: false), armed: 0);
}

/// <summary>What both awaiters do.</summary>
internal static class Joining
{
    internal static bool IsEnded(ManagedTask task)
    {
        if (task.HasLeft)
        {
            return StepContext.MayGoOn();
        }

        return false;
    }

    internal static void TakeOutcome(ManagedTask task)
    {
        TiedNode.ThrowIfEndedEarly(task);
        if (Park.TakeSignal() == WaitSignal.Closed)
        {
            throw new InvalidOperationException($"{task.Title} awaits its own end, which would never come. Await another task, or return instead.");
        }

        task.MarkObserved();
        Outcomes.ThrowIfNotCompleted(task);
    }

    /// <summary>As <see cref="TakeOutcome"/>, into a <see cref="Task"/> at which somebody may look or not.</summary>
    internal static void PassOnOutcome(ManagedTask task)
    {
        if (task.State == TaskState.Failed && task.Failure is { } error and not LeakedTaskException)
        {
            task.MarkPassedOn();
            if (!task.IsLookedAt)
            {
                PassedOn.Note(error, task);
            }

            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
        }

        TakeOutcome(task);
    }

    /// <summary>Plain code awaits a handle.</summary>
    internal static void Register(ManagedTask task, Action continuation, bool flowContext)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        task.Join(new TiedNode(task, task, continuation, flowContext), armed: 0);
    }

    /// <summary>Plain code awaits a future, which runs as a task in its place and is canceled instead: it is waited for until it has cleaned up.</summary>
    internal static void RegisterFirm(ManagedTask task, Action continuation, bool flowContext) => task.Join(new CallbackNode(continuation, flowContext), armed: 0);

    internal static void Suspend(ManagedTask task, Frame frame)
    {
        if (ReferenceEquals(frame.Owner, task))
        {
            // Told at the await, where the body can catch it.
            frame.Signal = WaitSignal.Closed;
            task.Stepping.Next = frame;
            return;
        }

        frame.Due = 0;
        ManagedTask waiter = frame.Owner!;
        if (Park.Begin(frame, task, out int armed))
        {
            task.Join(frame, armed);
            DeadlockCheck.AfterSeat(waiter);
        }
    }
}
