using System.Diagnostics.CodeAnalysis;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>How cancellation reaches a task.</summary>
/// <remarks>
/// Three things happen, in this order: the flag is set and the wait claimed, under the task's gate; the claimed frame is taken out of its
/// queue and made ready; then, with no lock held, tokens are canceled and the scopes that the task opened are.
/// <para>The race with a task that is about to wait: the canceller writes the flag, then looks at the state; the waiter writes its state, then
/// looks at the flag; both with a full fence in between. So at least one of them sees the other, and the claim lets only one act.</para>
/// </remarks>
internal static class Cancellation
{
    // Stands for the exception of a canceled task in which nobody was left to see one.
    private static readonly OperationCanceledException s_passed = new();

    internal static CancelCause Cause(CancelKind kind, Engine engine, string? reason, string? source = null, Exception? error = null) =>
        new(kind, source ?? ManagedTask.Current?.Title ?? "code outside managed tasks", reason, engine.Provider.GetUtcNow(), error)
        {
            Clock = engine.Provider,
            Stamp = engine.Provider.GetTimestamp(),
        };

    /// <summary>Cancels a task and, however deep they are nested, the scopes it has opened.</summary>
    internal static bool Cancel(ManagedTask task, CancelCause cause)
    {
        Stack<TaskGroup>? inside = null;
        bool first = CancelOne(task, cause, withGroup: false, ref inside);
        CancelAll(inside, cause);
        return first;
    }

    internal static void CancelAll(Stack<TaskGroup>? groups, CancelCause cause)
    {
        while (groups is not null && groups.TryPop(out TaskGroup? group))
        {
            group.CancelOne(cause, ref groups);
        }
    }

    /// <summary>Cancels one task; the scopes it has opened are handed out.</summary>
    /// <param name="task">The task.</param>
    /// <param name="cause">Why.</param>
    /// <param name="withGroup">The task is canceled with its whole group, which keeps the cause.</param>
    /// <param name="inside">What is left to be canceled.</param>
    internal static bool CancelOne(ManagedTask task, CancelCause cause, bool withGroup, ref Stack<TaskGroup>? inside)
    {
        task.Lock();
        if (task.IsEnding || task.IsCancelRequested)
        {
            task.Unlock();
            return false;
        }

        if (!withGroup)
        {
            task.ExtrasLocked().Cause = cause;
        }

        task.SetFlagLocked(TaskFlags.CancelRequested);
        Atomics.Fence(); // the flag before the look at the word
        Frame? leaf = FindLocked(task) is null ? null : ClaimLocked(task);
        CancellationTokenSource[]? sources = SourcesLocked(task, outermost: null);
        for (TaskGroup? group = task.Extras?.Groups; group is not null; group = group.NextOfOpener)
        {
            if (!group.IsShielded)
            {
                (inside ??= new Stack<TaskGroup>()).Push(group);
            }
        }

        Stack<TiedSeat>? plain = task.TakePlainWaitsLocked();
        task.Unlock();
        Deliver(task, leaf, sources, cause, plain);
        return true;
    }

    /// <summary>The cause that the running task has to obey now: the outermost one that no shield keeps out.</summary>
    internal static CancelCause? Find(ManagedTask task)
    {
        task.Lock();
        CancelCause? cause = FindLocked(task);
        task.Unlock();
        return cause;
    }

    internal static CancelCause? FindFrom(ManagedTask task, CancelRegion? innermost)
    {
        CancelCause? found = null;
        for (CancelRegion? region = innermost; region is not null; region = region.Outer)
        {
            found = region.Cause ?? found;
            if (region.IsShield)
            {
                return found;
            }
        }

        return task.CancelCause ?? found;
    }

    /// <summary>Claims the current wait if cancellation may interrupt it. Under the gate: the task cannot end or park anew meanwhile.</summary>
    internal static Frame? ClaimLocked(ManagedTask task)
    {
        // Once claimed the task belongs to us, and Leaf still names the frame that waited.
        return task.Word.TryInterrupt() ? task.Leaf : null;
    }

    /// <summary>The token sources that a cancellation from <paramref name="outermost"/> reaches (null: from outside the task).</summary>
    internal static CancellationTokenSource[]? SourcesLocked(ManagedTask task, CancelRegion? outermost)
    {
        List<CancellationTokenSource>? found = null;
        for (CancelRegion? region = task.Extras?.Regions; region is not null; region = region.Outer)
        {
            if (region.Source is { } source)
            {
                (found ??= []).Add(source);
            }

            if (ReferenceEquals(region, outermost))
            {
                return found?.ToArray();
            }

            if (region.IsShield)
            {
                found = null; // what lies further in is kept out by this shield
            }
        }

        if (outermost is null && task.TokenSource is { } own)
        {
            if (found is null)
            {
                return [own];
            }

            found.Add(own);
        }

        return found?.ToArray();
    }

    /// <summary>Wakes the claimed frame, then cancels the tokens and ends the waits of plain code. Under no lock.</summary>
    internal static void Deliver(ManagedTask task, Frame? leaf, CancellationTokenSource[]? sources, CancelCause cause, Stack<TiedSeat>? plain = null)
    {
        if (leaf is not null)
        {
            ((IWaitQueue)leaf.Queue!).Remove(leaf);
            leaf.Signal = WaitSignal.Canceled;
            task.Engine.Executor.Enqueue(leaf);
        }

        if (sources is null && plain is null)
        {
            return;
        }

        if (cause.Kind == CancelKind.RuntimeStopped && task.Engine.Deliveries is { } deliveries)
        {
            deliveries.Send(static late => Tell(late.task, late.sources, late.plain), (task, sources, plain));
        }
        else if (IsOnTimerThread(task.Engine, cause))
        {
            ThreadPool.UnsafeQueueUserWorkItem(static late => Tell(late.task, late.sources, late.plain), (task, sources, plain), preferLocal: false);
        }
        else
        {
            Tell(task, sources, plain);
        }
    }

    /// <summary>Whether a cancellation comes from a thread that turns timers: user code, which the canceling of tokens may run, is kept off it. A clock that is not the system's is turned by code that may be kept.</summary>
    internal static bool IsOnTimerThread(Engine engine, CancelCause cause) =>
        cause.Kind == CancelKind.TimedOut && ReferenceEquals(engine.Provider, TimeProvider.System);

    // May call code of the user's: callbacks of tokens, and contexts to which plain code comes back.
    private static void Tell(ManagedTask task, CancellationTokenSource[]? sources, Stack<TiedSeat>? plain)
    {
        foreach (CancellationTokenSource source in sources ?? [])
        {
            CancelSource(task, source);
        }

        while (plain is not null && plain.TryPop(out TiedSeat? seat))
        {
            seat.Interrupt(task);
        }
    }

    /// <summary>Cancels a token of the task. Never throws: what its callbacks throw is told.</summary>
    internal static void CancelSource(ManagedTask task, CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (AggregateException error)
        {
            task.Engine.Publish(new RuntimeEvent(
                RuntimeEventKind.CancelCallbackFailed,
                $"A callback registered on the token of {task.Title} threw while the task was being canceled: {error.InnerException?.Message}",
                task.Id,
                error));
        }
    }

    /// <summary>What a canceled wait throws.</summary>
    internal static ManagedTaskCanceledException Error(ManagedTask task)
    {
        CancelCause cause = Deliver(task);
        return new ManagedTaskCanceledException($"{task.Title} was {cause}.", task.Id, cause, task.TokenSource?.Token ?? default);
    }

    /// <summary>What a wait of plain code throws that was ended by the cancellation of the task for which the code runs. From any thread.</summary>
    internal static ManagedTaskCanceledException ErrorInPlainCode(ManagedTask task)
    {
        CancelCause cause = task.CancelCause ?? Cause(CancelKind.Requested, task.Engine, null);
        return new ManagedTaskCanceledException($"{task.Title} was {cause}.", task.Id, cause, task.Token);
    }

    /// <summary>Throws what a canceled wait throws.</summary>
    [DoesNotReturn]
    internal static void Throw(ManagedTask task) => throw Error(task);

    /// <summary>Ends a frame whose wait was canceled, and its callers, as far as none of them can notice: nothing is thrown.</summary>
    /// <returns>The caller who has to see it, to be run next; null when the task has ended.</returns>
    internal static Frame? Drop(Frame frame, StepContext context)
    {
        ManagedTask task = frame.Owner!;
        (frame.Queue as IEndedQueue)?.EndWait();
        frame.Queue = null;
        frame.Signal = WaitSignal.Done;
        frame.Phase = FramePhase.Threw;
        Frame? caller = frame.PassOver();
        if (caller is not null || !task.IsCancelRequested)
        {
            context.Error = Error(task);
        }
        else
        {
            Deliver(task);
            context.Error = s_passed;
        }

        context.RootEnded = caller is null;
        return caller;
    }

    // The running task is told why it has to stop.
    private static CancelCause Deliver(ManagedTask task)
    {
        CancelCause cause = Find(task) ?? Cause(CancelKind.Requested, task.Engine, null);
        for (CancelRegion? region = task.Extras?.Regions; region is not null; region = region.Outer)
        {
            region.NoteDelivery(cause);
        }

        return cause;
    }

    private static CancelCause? FindLocked(ManagedTask task) =>
        task.HasCancelFlags ? FindFrom(task, task.Extras?.Regions) : null;
}
