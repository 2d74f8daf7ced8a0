using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The one place where tasks are stepped.</summary>
/// <remarks>
/// Frames call and return through this loop and never through the machine's stack: a frame that awaits a cold future returns, and
/// the loop runs the callee; a frame that ends returns, and the loop runs its caller. So neither depth of calls nor the length of a
/// chain of synchronous completions can overflow a stack.
/// </remarks>
internal static class Stepper
{
    /// <summary>Runs a ready task until it parks, yields or ends.</summary>
    /// <param name="frame">The frame that was made ready. The caller owns the task.</param>
    /// <param name="context">The current thread's context.</param>
    /// <param name="clean">the execution context to leave the thread in.</param>
    internal static void Run(Frame frame, StepContext context, ExecutionContext clean)
    {
        ManagedTask task = frame.Owner!;
        bool first = frame.Phase == FramePhase.Spawned;
        if (first)
        {
            if (task.IsCancelRequested)
            {
                context.Stamp = AccountCell.Unread;
                Ending.EndUnstarted(task, frame, TaskState.Ready);
                return;
            }

            frame.Phase = FramePhase.Started;
        }

        if (!ReferenceEquals(Atomics.Read(ref task.Place), frame))
        {
            task.RestoreBeforeStep();
        }

        task.TakeUp(context);
        task.Place = context;

        // A step can run inside another one: a body may drive a local executor.
        ManagedTask? outerTask = context.Task;
        Frame? outerFrame = context.Frame;
        bool outerEnded = context.RootEnded;
        long outerStep = context.Step;
        if (outerTask is not null)
        {
            Holdings.KeepAcrossWait(outerTask, context); // what the thread keeps is of one task only
            outerTask.Exact?.Lend();
        }

        context.Task = task;
        context.RootEnded = false;
        context.BeginStep();

        Frame? next = frame;
        if (frame.Signal != WaitSignal.Done)
        {
            context.Frame = frame;
            context.Next = null;
            next = Arrive(frame, context);
        }

        ExecutionContext? current = clean;
        while (next is not null)
        {
            frame = next;
            context.Frame = frame;
            context.Next = null;
            ExecutionContext wanted = frame.Context ?? clean;
            if (!ReferenceEquals(wanted, current))
            {
                ExecutionContext.Restore(wanted);
            }

            frame.MoveNext();

            // From here on the task may belong to another thread, unless the context says that it goes on or has ended.
            next = context.Next;
            current = ExecutionContext.Capture();
        }

        bool ended = context.RootEnded;
        context.RootEnded = outerEnded;
        context.Step = outerStep;
        context.Task = outerTask;
        context.Frame = outerFrame;
        context.Next = null;
        if (!ReferenceEquals(current, clean))
        {
            ExecutionContext.Restore(clean);
        }

        if (ended)
        {
            Exception? error = context.Error;
            context.Error = null;
            while (frame.Caller is { } caller)
            {
                frame = caller; // a cancellation has passed over them
            }

            context.Stamp = AccountCell.Unread;
            Ending.End(task, frame, error, context, inOneStep: first);
        }

        if (outerTask is not null)
        {
            context.Stamp = AccountCell.Unread; // it was that of what ran inside
            outerTask.Exact?.TakeBack();
        }
    }

    /// <summary>The wait of a frame that is about to be stepped has ended in another way than it should.</summary>
    /// <returns>Who goes on; null when the task has ended or waits anew.</returns>
    private static Frame? Arrive(Frame frame, StepContext context) => frame.Signal switch
    {
        WaitSignal.Invited => Park.Arrive(frame, context),
        WaitSignal.Canceled when frame.MayBePassedOver => Cancellation.Drop(frame, context),
        _ => frame,
    };
}
