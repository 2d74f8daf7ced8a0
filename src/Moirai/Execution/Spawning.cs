using Moirai.Lifecycle;

namespace Moirai.Execution;

/// <summary>The one place where tasks are admitted: register, then start.</summary>
/// <remarks>A task is entered into its group before it can run, and its end always takes it out: so none can end before it is entered and stay
/// for ever.</remarks>
internal static class Spawning
{
    /// <summary>Spawns a cold frame into a group.</summary>
    /// <exception cref="InvalidOperationException">The group is closed, or the frame is not cold. Nothing has run, nothing is kept.</exception>
    internal static ManagedTask Spawn(TaskGroup group, in Body body)
    {
        ThrowIfNotCold(body.Root);
        StepContext context = StepContext.Current;
        var task = new ManagedTask(context.NextId(), group, body.Label);
        Launch(task, body.Root, body.Token, context);
        return task;
    }

    /// <inheritdoc cref="Spawn(TaskGroup, in Body)"/>
    internal static ManagedTask<T> Spawn<T>(TaskGroup group, in Body<T> body)
    {
        StepContext context = StepContext.Current;
        ManagedTask<T> task = Create(group, body, context);
        Launch(task, body.Root, body.Token, context);
        return task;
    }

    /// <summary>Makes a task that is not entered anywhere yet.</summary>
    internal static ManagedTask<T> Create<T>(TaskGroup group, in Body<T> body, StepContext context)
    {
        ThrowIfNotCold(body.Root);
        return new ManagedTask<T>(context.NextId(), group, body.Label);
    }

    internal static void ThrowIfNotCold(Frame frame)
    {
        if (frame.Phase != FramePhase.Cold)
        {
            ThrowNotCold(frame);
        }
    }

    /// <summary>For who does not start a frame at once: it will be the same frame then.</summary>
    /// <exception cref="InvalidOperationException">The frame is not cold: it is somebody else's, or may come to serve somebody else.</exception>
    internal static void Keep(Frame frame)
    {
        ThrowIfNotCold(frame); // before it is written: who runs it writes there too
        frame.MarkKnown();
    }

    /// <summary>Enters a task into its group and starts it.</summary>
    internal static void Launch(ManagedTask task, Frame root, CancellationTokenSource? token, StepContext context)
    {
        if (token is not null)
        {
            task.AdoptToken(token);
        }

        task.Group.Enter(task); // the last thing that can refuse
        root.Owner = task;
        root.Context = LifeProbe.Listening is { } probe ? probe.Begin(task, context) : TaskIdentity.CaptureForChild();
        root.Phase = FramePhase.Spawned;
        if (task.IsCancelRequested)
        {
            if (token is not null)
            {
                Cancellation.CancelSource(task, token);
            }

            Ending.EndUnstarted(task, root, TaskState.Created);
            return;
        }

        task.Place = root;
        task.Word.Move(TaskEvent.Enqueue);
        task.Engine.Executor.Enqueue(root, context);
    }

    private static void ThrowNotCold(Frame frame) => throw NotColdError(frame);

    internal static InvalidOperationException NotColdError(Frame frame)
    {
        string owner = frame.Owner is { } task ? $" as {task.Title}" : string.Empty;
        string what = frame.Phase switch
        {
            FramePhase.Spawned or FramePhase.Started => $"is already running{owner}",
            _ => $"has already run{owner}",
        };
        return new InvalidOperationException(
            $"The future of {frame.Method} {what}. A future runs once: call the method again for another run, or keep the ManagedTask and await that, which may be done any number of times.");
    }
}
