using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Moirai.Lifecycle;

namespace Moirai.Execution;

/// <summary>The one place where tasks end.</summary>
internal static class Ending
{
    /// <summary>The root frame returned or threw.</summary>
    /// <param name="task">The task.</param>
    /// <param name="root">Its root.</param>
    /// <param name="error">What it threw.</param>
    /// <param name="context">The current thread's.</param>
    /// <param name="inOneStep">Whether the task has never slept.</param>
    internal static void End(ManagedTask task, Frame root, Exception? error, StepContext context, bool inOneStep)
    {
        if (task.Extras is { } extras && CleansUpFirst(task, extras, context, ref root, ref error))
        {
            return;
        }

        TaskEvent how;
        if (error is null)
        {
            how = TaskEvent.Complete;
            task.TakeResult(root);
        }
        else if (error is OperationCanceledException && task.IsCancelRequested)
        {
            how = TaskEvent.Cancel;
            error = null;
        }
        else
        {
            how = TaskEvent.Fail; // also for a cancellation that came from elsewhere
        }

        if (context.HasHolds || task.Extras is { Holds: not null })
        {
            Holdings.BreakAll(task, context, how);
        }

        Finish(task, root, how, error);
        if (inOneStep)
        {
            root.TryRetire();
        }
    }

    /// <summary>The task was canceled before its first step: the body never runs.</summary>
    internal static void EndUnstarted(ManagedTask task, Frame root, TaskState state)
    {
        System.Diagnostics.Debug.Assert(task.State == state, "only a task that has not started is ended unstarted");
        Finish(task, root, TaskEvent.Cancel, null);
    }

    /// <summary>Runs what the task has left guarded, one after the other, as further steps of the task: it ends after that, as its body ended.</summary>
    /// <returns>True when there is something to run; this is called again when it has run.</returns>
    private static bool CleansUpFirst(ManagedTask task, TaskExtras extras, StepContext context, ref Frame root, ref Exception? error)
    {
        while (task.TakeGuard() is { } guard)
        {
            if (guard.TakeCleanUp() is not { } cleanUp)
            {
                continue;
            }

            Holdings.KeepAcrossWait(task, context);
            extras.Epilogue ??= new Epilogue(root, error);
            cleanUp.Owner = task;
            cleanUp.Context = root.Context;
            cleanUp.Phase = FramePhase.Started;
            task.Word.Move(TaskEvent.Yield);
            task.Place = cleanUp;
            task.Engine.Executor.Enqueue(cleanUp);
            return true;
        }

        if (extras.Epilogue is { } epilogue)
        {
            root = epilogue.Root;
            error = epilogue.Error;
        }

        return false;
    }

    private static void Finish(ManagedTask task, Frame root, TaskEvent how, Exception? error)
    {
        root.Release();
        root.Context = null; // a future that is kept keeps no ambient values

        // The second line of defence: whatever the body did, no region of an ended task can fire, and no timer entry of one stays linked.
        for (CancelRegion? region = task.Extras?.Regions; region is not null; region = region.Outer)
        {
            region.Abandon();
        }

        if (error is not null)
        {
            task.SettleFailure();
        }

        if (task.IsProbed)
        {
            LifeProbe.Current?.End(task, how, error);
        }

        task.Group.Listener?.TaskEnding(task, how, error);
        task.Group.Leave(task, how, error);
    }
}

/// <summary>How an outcome is handed to who asks for it.</summary>
internal static class Outcomes
{
    /// <summary>Throws the failure of a failed task as it was thrown, and a cancellation as such.</summary>
    internal static void ThrowIfNotCompleted(ManagedTask task)
    {
        switch (task.State)
        {
            case TaskState.Completed:
                return;
            case TaskState.Failed:
                ExceptionDispatchInfo.Throw(task.Failure!);
                return;
            case TaskState.Canceled:
                throw CanceledError(task);
            default:
                ThrowNotEnded(task);
                return;
        }
    }

    internal static ManagedTaskCanceledException CanceledError(ManagedTask task)
    {
        CancelCause cause = task.CancelCause ?? Cancellation.Cause(CancelKind.Requested, task.Engine, null);
        return new ManagedTaskCanceledException($"{task.Title} was {cause}.", task.Id, cause);
    }

    [DoesNotReturn]
    private static void ThrowNotEnded(ManagedTask task) => throw new InvalidOperationException(
        $"{task.Title} has not ended (it is {task.State}, waiting for {task.DescribeWait()}). Await the handle; do not call GetResult on a task that runs.");
}
