using System.Runtime.CompilerServices;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The second seat of a frame that waits in a queue and no longer than until a deadline: its seat in the wheel.</summary>
/// <remarks>The frame is linked in the queue, this node in the wheel, and the ticket of the wait decides who wins. When the queue wins, this node is linked until the frame runs and takes it out; a timer that fires meanwhile
/// finds the wait claimed and forgets it.</remarks>
internal sealed class DeadlineSeat(long due) : WaitNode
{
    // Written by the waiter before the node is linked.
    private Frame? _frame;
    private int _armed;

    /// <summary>Whose wait it limits; null before it is taken.</summary>
    internal ManagedTask? Owner => _frame?.Owner;

    /// <summary>Takes the seat for an armed wait. Before the frame is handed to its queue.</summary>
    internal void Take(Frame frame, int armed)
    {
        _frame = frame;
        _armed = armed;
        if (due != TimerWheel.Never)
        {
            TimerQueue timers = frame.Owner!.Engine.Timers;
            if (timers.Link(this, due, armed) == Linking.Earlier)
            {
                try
                {
                    timers.PlanFor(this);
                }
                catch (Exception error) // the provider's
                {
                    TellUnlimited(frame.Owner, error);
                }
            }
        }
    }

    /// <summary>Told when the time of a wait cannot be limited. Such a wait goes on: who waits here waits for what it must not leave behind in silence.</summary>
    internal static void TellUnlimited(ManagedTask waiter, Exception error) => waiter.Engine.Publish(new RuntimeEvent(
        RuntimeEventKind.UnobservedFailure,
        $"{waiter.Title} waits without a limit for what was given up or is to stop, since no timer could be set for it: {error.GetType().Name}: {error.Message}",
        waiter.Id,
        error));

    /// <summary>The frame goes on: leaves the wheel.</summary>
    /// <returns>False when the time was over first.</returns>
    /// <exception cref="ManagedTaskCanceledException">The waiting task was canceled.</exception>
    internal bool Leave()
    {
        _frame?.Owner!.Engine.Timers.Remove(this);
        return Park.TakeSignal() != WaitSignal.Late;
    }

    internal override bool IsArmed(int armed) => _frame!.Owner!.Word.IsArmed(armed);

    internal override bool TryClaim() => _frame!.Owner!.Word.TryWake(_armed);

    internal override void GoOn() => throw new InvalidOperationException("A deadline is not there while it is being registered. Please report this.");

    internal override void Resume(ref WakeBatch batch)
    {
        Frame frame = _frame!;
        ((IWaitQueue)frame.Queue!).Remove(frame);
        frame.Signal = WaitSignal.Late;
        frame.Resume(ref batch);
    }
}

/// <summary>Waits for the end of a task, and no longer than until a deadline.</summary>
internal readonly struct EndWithin(ManagedTask task, long due) : ICriticalNotifyCompletion, IFrameAwaiter
{
    private readonly DeadlineSeat _seat = new(due);

    public bool IsCompleted => task.HasLeft;

    public EndWithin GetAwaiter() => this;

    /// <summary>Whether it has ended.</summary>
    public bool GetResult() => _seat.Leave();

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException("Awaited inside futures only.");

    public void Suspend(Frame frame)
    {
        frame.Due = WaitEdge.Firm;
        if (Park.Begin(frame, task, out int armed))
        {
            _seat.Take(frame, armed);
            task.Join(frame, armed);
        }
    }
}

/// <summary>Waits until no task lives in a group, and no longer than until a deadline.</summary>
internal readonly struct EmptyWithin(TaskGroup group, long due) : ICriticalNotifyCompletion, IFrameAwaiter
{
    private readonly DeadlineSeat _seat = new(due);

    public bool IsCompleted => group.IsEmpty;

    public EmptyWithin GetAwaiter() => this;

    /// <summary>Whether it is empty.</summary>
    public bool GetResult() => _seat.Leave();

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException("Awaited inside futures only.");

    public void Suspend(Frame frame)
    {
        frame.Due = WaitEdge.Firm;
        if (Park.Begin(frame, group, out int armed))
        {
            _seat.Take(frame, armed);
            group.JoinEmpty(frame, armed);
        }
    }
}

/// <summary>Waits for the end of a foreign <see cref="Task"/>, and no longer than until a deadline. Its failure is not thrown.</summary>
internal readonly struct EndOfTaskWithin(Task task, long due) : ICriticalNotifyCompletion, IFrameAwaiter
{
    private readonly TaskWait _wait = new(task, Timeout.InfiniteTimeSpan, string.Empty);

    public bool IsCompleted => task.IsCompleted;

    public EndOfTaskWithin GetAwaiter() => this;

    /// <summary>Whether it has ended.</summary>
    public bool GetResult()
    {
        _wait.Leave();
        return task.IsCompleted;
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException("Awaited inside futures only.");

    public void Suspend(Frame frame) => _wait.Suspend(frame, due, hears: false);
}
