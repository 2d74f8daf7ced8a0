using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Results;

/// <summary>A wait of a frame on a foreign <see cref="Task"/> that cancellation may interrupt, which leaves the task running.</summary>
/// <remarks>The task keeps this small object until it ends; the way from it to the frame is cut when the wait ends otherwise.</remarks>
internal sealed class TaskWait : IWaitQueue
{
    private readonly int _armed;

    // Cleared by who interrupts the wait; read by the continuation.
    private Frame? _frame;

    private TaskWait(Frame frame)
    {
        _frame = frame;
        if (!Park.Begin(frame, this, out _armed))
        {
            _frame = null;
        }
    }

    internal static void Suspend(Frame frame, Task task)
    {
        var wait = new TaskWait(frame);
        if (Atomics.Read(ref wait._frame) is not null)
        {
            task.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(wait.Continue);
        }
    }

    public void Remove(WaitNode node) => Atomics.Write(ref _frame, null);

    public string DescribeWait(WaitNode node) => "a foreign task";

    private void Continue()
    {
        // The ticket tells whether the frame still waits here. An interrupter that has claimed the wait and not yet cut the way wins all the same.
        if (Atomics.Read(ref _frame) is { } frame && frame.Owner!.Word.TryWake(_armed))
        {
            frame.Owner.Engine.Executor.Enqueue(frame);
        }
    }
}

/// <summary>Awaits a <see cref="Task"/>'s end through <see cref="TaskWait"/>; its outcome is not looked at.</summary>
internal readonly struct TaskWaitAwaitable(Task task) : ICriticalNotifyCompletion, IFrameAwaiter
{
    public bool IsCompleted => task.IsCompleted;

    public TaskWaitAwaitable GetAwaiter() => this;

    public void GetResult() => Park.TakeSignal();

    public void OnCompleted(Action continuation) => task.ConfigureAwait(false).GetAwaiter().OnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => task.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(continuation);

    public void Suspend(Frame frame) => TaskWait.Suspend(frame, task);
}
