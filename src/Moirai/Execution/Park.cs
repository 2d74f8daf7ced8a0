using System.Runtime.ExceptionServices;
using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>Implemented by the awaiters of Moirai's own waits. The builders call it in place of <c>OnCompleted</c>, so that the frame itself
/// takes the seat and no continuation is allocated.</summary>
internal interface IFrameAwaiter
{
    /// <summary>Seats the frame, or lets it go on. The last thing that the frame's thread does: afterwards the frame may run elsewhere.</summary>
    void Suspend(Frame frame);
}

/// <summary>An awaiter that, when its wait was canceled, or what it called has ended with that, throws it and does nothing else. So nothing is lost when the frame that awaits is dropped.</summary>
internal interface IPassingAwaiter : IFrameAwaiter;

/// <summary>An awaiter of ours behind which plain code runs for the task that awaits.</summary>
internal interface IForeignFrameAwaiter : IFrameAwaiter;

/// <summary>The one door to sleep. Every wait of a managed task passes here, so every wait can be counted, shown, blamed and canceled.</summary>
internal static class Park
{
    /// <summary>Arms a wait of the running task in <paramref name="queue"/>. The caller then hands the frame to the queue and touches nothing
    /// more.</summary>
    /// <returns>False when there is nothing to register: the task is being canceled, and goes on or was already taken over.</returns>
    internal static bool Begin(Frame frame, IWaitQueue queue, out int armed)
    {
        ManagedTask task = frame.Owner!;
        StepContext context = task.Stepping;
        Holdings.KeepAcrossWait(task, context);
        frame.Queue = queue;
        frame.Signal = WaitSignal.Done;
        frame.WaitsSince(context.Seconds);
        frame.MarkKnown();
        if (task.Exact is { } cell)
        {
            context.Stamp = cell.Wait(queue.Kind); // no code of the user runs before the next step begins
        }

        task.Place = frame;
        armed = task.Word.Park(interruptible: true);

        // Park was a full fence. A canceller that set its flag before it is seen here; one that sets it after sees the armed word.
        if (task.HasCancelFlags && Cancellation.Find(task) is not null)
        {
            if (task.Word.TryWake(armed))
            {
                frame.Signal = WaitSignal.Canceled;
                frame.GoOn();
            }

            return false;
        }

        return true;
    }

    /// <summary>Gives way: the task goes to the end of the ready queue. A cancellation point like every wait.</summary>
    internal static void Yield(Frame frame)
    {
        ManagedTask task = frame.Owner!;
        if (task.HasCancelFlags && Cancellation.Find(task) is not null)
        {
            frame.Signal = WaitSignal.Canceled;
            task.Stepping.Next = frame;
            return;
        }

        GiveWay(frame, task, WaitSignal.Done);
    }

    /// <summary>Gives way before a wait has begun in <paramref name="queue"/>, in which the task asks when its turn comes. So a task that has used up its turns gives way without
    /// what it asks for.</summary>
    internal static void YieldBefore(Frame frame, IPrimitiveQueue queue)
    {
        ManagedTask task = frame.Owner!;
        frame.Queue = queue;
        if (task.HasCancelFlags && Cancellation.Find(task) is not null)
        {
            frame.Signal = WaitSignal.Canceled;
            task.Stepping.Next = frame;
            return;
        }

        GiveWay(frame, task, WaitSignal.Invited);
    }

    private static void GiveWay(Frame frame, ManagedTask task, WaitSignal signal)
    {
        Holdings.KeepAcrossWait(task);
        frame.MarkKnown();
        frame.Signal = signal;
        StepContext context = task.Stepping;
        if (task.Exact is { } cell)
        {
            context.Stamp = cell.GiveWay(); // no code of the user runs before the next step begins
        }

        task.Place = frame;
        task.Word.Move(TaskEvent.Yield);
        task.Engine.Executor.Enqueue(frame, context);
    }

    /// <summary>A frame is about to be stepped that was only invited: it asks for what it waits for, and may have to wait anew.</summary>
    /// <returns>The frame when it goes on, else null.</returns>
    internal static Frame? Arrive(Frame frame, StepContext context)
    {
        ManagedTask task = frame.Owner!;
        if (((IPrimitiveQueue)frame.Queue!).Accept(frame))
        {
            return frame;
        }

        DeadlockCheck.AfterSeat(task); // who has it now may be another
        return context.Next;
    }

    /// <summary>Arms a wait on code that is not ours: cancellation does not interrupt it, the task's token does.</summary>
    /// <param name="frame">Who waits.</param>
    /// <param name="awaiter">The type of what it waits on.</param>
    internal static int BeginForeign(Frame frame, Type awaiter)
    {
        ManagedTask task = frame.Owner!;
        StepContext context = task.Stepping;
        Holdings.KeepAcrossWait(task, context);
        frame.Signal = WaitSignal.Done;
        frame.WaitsSince(context.Seconds);
        frame.MarkKnown();
        _ = task.Exact?.Wait(awaiter);
        task.Place = frame;
        return task.Word.Park(interruptible: false);
    }

    /// <summary>The registration of an armed wait was refused with an exception, which goes to the body, at its await.</summary>
    /// <returns>False when somebody has ended the wait before: the task is theirs, it goes on elsewhere, and nothing may be thrown into it here.</returns>
    internal static bool TryTakeBack(ManagedTask task, int armed)
    {
        if (!task.Word.TryWake(armed))
        {
            return false;
        }

        if (Atomics.Read(ref task.Place) is SuspectPage)
        {
            task.RestoreBeforeStep();
        }

        StepContext context = StepContext.Current;
        task.TakeUp(context);
        task.Place = context;
        return true;
    }

    /// <summary>A wait of ours cannot begin: the frame goes on at once, and its await throws. For awaiters that end with <see cref="TakeSignal()"/>.</summary>
    /// <remarks>Not thrown from <see cref="IFrameAwaiter.Suspend"/>: the state machine counts as suspended there, and its <c>finally</c> blocks would not run.</remarks>
    internal static void GoOnWith(Frame frame, Exception refused)
    {
        ManagedTask task = frame.Owner!;
        task.KeepForAwait(refused);
        frame.Signal = WaitSignal.Leaked;
        task.Stepping.Next = frame;
    }

    /// <summary>Called by an awaiter's <c>GetResult</c>: throws if the wait that has just ended was ended by cancellation.</summary>
    /// <exception cref="ManagedTaskCanceledException">It was.</exception>
    internal static WaitSignal TakeSignal()
    {
        WaitSignal signal = TakeSignal(out ManagedTaskCanceledException? canceled);
        return canceled is null ? signal : throw canceled;
    }

    /// <summary>As <see cref="TakeSignal()"/>, for who goes on when the task is canceled.</summary>
    internal static WaitSignal TakeSignal(out ManagedTaskCanceledException? canceled)
    {
        canceled = null;
        if (StepContext.Existing?.Frame is not { } frame || frame.Signal == WaitSignal.Done)
        {
            return WaitSignal.Done;
        }

        WaitSignal signal = frame.Signal;
        frame.Signal = WaitSignal.Done;
        if (signal == WaitSignal.Canceled)
        {
            canceled = Cancellation.Error(frame.Owner!);
        }

        if (signal == WaitSignal.Leaked)
        {
            ExceptionDispatchInfo.Throw(frame.Owner!.TakeLeak()); // where it was refused stays in its trace
        }

        return signal;
    }
}

/// <summary>Waits of frames on awaitables that know nothing of Moirai.</summary>
internal static class ForeignWait
{
    internal static void Suspend<TAwaiter>(Frame frame, ref TAwaiter awaiter)
        where TAwaiter : System.Runtime.CompilerServices.ICriticalNotifyCompletion
    {
        Action continuation = Continuation(frame);
        ManagedTask task = frame.Owner!;
        int armed = Park.BeginForeign(frame, typeof(TAwaiter));
        try
        {
            awaiter.UnsafeOnCompleted(continuation);
        }
        catch (Exception error)
        {
            if (Park.TryTakeBack(task, armed))
            {
                throw;
            }

            TellTooLate(task, typeof(TAwaiter), error);
        }
    }

    internal static void SuspendSafe<TAwaiter>(Frame frame, ref TAwaiter awaiter)
        where TAwaiter : System.Runtime.CompilerServices.INotifyCompletion
    {
        Action continuation = Continuation(frame);
        ManagedTask task = frame.Owner!;
        int armed = Park.BeginForeign(frame, typeof(TAwaiter));
        try
        {
            awaiter.OnCompleted(continuation);
        }
        catch (Exception error)
        {
            if (Park.TryTakeBack(task, armed))
            {
                throw;
            }

            TellTooLate(task, typeof(TAwaiter), error);
        }
    }

    // It has called the continuation, and fails all the same: the task has gone on and cannot be told any more.
    private static void TellTooLate(ManagedTask task, Type awaiter, Exception error) => task.Engine.Publish(new RuntimeEvent(
        RuntimeEventKind.UnobservedFailure,
        $"The awaiter {awaiter.Name} let {task.Title} go on and then threw {error.GetType().Name}: {error.Message}. An awaiter either throws or calls its continuation once.",
        task.Id,
        error));

    // One delegate a frame, kept in the frame while no wait of ours takes its place.
    private static Action Continuation(Frame frame)
    {
        if (frame.Queue is Action cached)
        {
            return cached;
        }

        Action made = frame.WakeFromForeign;
        frame.Queue = made;
        return made;
    }
}
