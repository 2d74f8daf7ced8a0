using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Results;

namespace Moirai;

/// <summary>Timeouts over operations that may not stop when they are told to.</summary>
/// <remarks>
/// The operation runs as a task of its own, a child of the caller's scope. When its time is over it is canceled, and has <c>abandonAfter</c> for its clean-up. If it has not ended then, the caller goes on with a <see cref="TaskTimeoutException"/>,
/// and the operation is <em>abandoned</em>: its name begins with <c>abandoned: </c>, it is in the census and in <see cref="TaskRuntime.ListAbandoned"/>, the end of the scope waits for it (no longer than
/// <see cref="TaskRuntimeOptions.AbandonTimeout"/>), after that the runtime does, and its failure is told to <see cref="TaskRuntimeOptions.OnEvent"/>. A caller that is canceled waits equally long before it gives the operation up.
/// <para>It costs a task an operation. Where operations stop when they are told, <see cref="FutureTimeouts.WithTimeout(Future, TimeSpan)"/> is enough: it waits for them, whatever they do.</para>
/// </remarks>
public static class AbandoningTimeouts
{
    /// <summary>Runs a future that has to end in time, and gives it up when it does not stop.</summary>
    /// <param name="future">The operation; cold.</param>
    /// <param name="within">The time allowed.</param>
    /// <param name="abandonAfter">How long after that it may take to stop; <see cref="Timeout.InfiniteTimeSpan"/> never gives it up.</param>
    /// <exception cref="TaskTimeoutException">From the await: it did not end in time.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="abandonAfter"/> is negative.</exception>
    public static Future WithTimeout(this Future future, TimeSpan within, TimeSpan abandonAfter)
    {
        Timeouts.ThrowIfBad(abandonAfter);
        return RunAsync<bool>(future.Frame, within, abandonAfter);
    }

    /// <inheritdoc cref="WithTimeout(Future, TimeSpan, TimeSpan)"/>
    public static Future<T> WithTimeout<T>(this Future<T> future, TimeSpan within, TimeSpan abandonAfter)
    {
        Timeouts.ThrowIfBad(abandonAfter);
        return RunAsync<T>(future.Frame, within, abandonAfter);
    }

    /// <summary>Waits for a <see cref="Task"/> that has to end in time; one that has not ended by then and goes on past <paramref name="abandonAfter"/> is accounted as an abandoned child of the scope.</summary>
    /// <inheritdoc cref="WithTimeout(Future, TimeSpan, TimeSpan)"/>
    /// <param name="task">The task. It is not canceled: it knows nothing of Moirai.</param>
    /// <param name="within">The time allowed.</param>
    /// <param name="abandonAfter">How long after that it is still waited for.</param>
    /// <param name="operation">Filled in by the compiler: what messages call it.</param>
    public static Future WithTimeout(this Task task, TimeSpan within, TimeSpan abandonAfter, [CallerArgumentExpression(nameof(task))] string operation = "")
    {
        ArgumentNullException.ThrowIfNull(task);
        Timeouts.ThrowIfBad(abandonAfter);
        return RunAsync<bool>(new TaskFrame<bool>(task, operation), within, abandonAfter);
    }

    /// <inheritdoc cref="WithTimeout(Task, TimeSpan, TimeSpan, string)"/>
    public static Future<T> WithTimeout<T>(this Task<T> task, TimeSpan within, TimeSpan abandonAfter, [CallerArgumentExpression(nameof(task))] string operation = "")
    {
        ArgumentNullException.ThrowIfNull(task);
        Timeouts.ThrowIfBad(abandonAfter);
        return RunAsync<T>(new TaskFrame<T>(task, operation), within, abandonAfter);
    }

    /// <inheritdoc cref="WithTimeout(Task, TimeSpan, TimeSpan, string)"/>
    public static Future WithTimeout(this ValueTask task, TimeSpan within, TimeSpan abandonAfter, [CallerArgumentExpression(nameof(task))] string operation = "") =>
        task.AsTask().WithTimeout(within, abandonAfter, operation);

    /// <inheritdoc cref="WithTimeout(Task, TimeSpan, TimeSpan, string)"/>
    public static Future<T> WithTimeout<T>(this ValueTask<T> task, TimeSpan within, TimeSpan abandonAfter, [CallerArgumentExpression(nameof(task))] string operation = "") =>
        task.AsTask().WithTimeout(within, abandonAfter, operation);

    private static async Future<T> RunAsync<T>(Frame operation, TimeSpan within, TimeSpan abandonAfter)
    {
        ManagedTask caller = ManagedTask.Current!;
        var timers = caller.Engine.Timers;
        string name = operation.Method;
        var task = (ManagedTask<T>)new TimeoutFrame<T>(operation, within)
            .SpawnInto(Abandonment.OperationsOf(caller.InnermostGroup), TaskLabel.Of(null, name, null, string.Empty, 0));
        task.CalledBy(caller);
        try
        {
            if (!await new EndWithin(task, timers.DueIn(Sum(within, abandonAfter))) && Abandonment.TryAbandon(task, name, abandonAfter))
            {
                throw Timeouts.Tell(caller, name, within, task.DescribeWait(), inner: null);
            }
        }
        catch (ManagedTaskCanceledException canceled)
        {
            Cancellation.Cancel(task, canceled.Cause);
            using CancelShield shield = ManagedTask.Shield();
            if (!await new EndWithin(task, timers.DueIn(abandonAfter)) && Abandonment.TryAbandon(task, name, abandonAfter))
            {
                throw;
            }
        }

        using (ManagedTask.Shield())
        {
            return await task; // it has ended, or is about to
        }
    }

    private static TimeSpan Sum(TimeSpan within, TimeSpan more)
    {
        if (within == Timeout.InfiniteTimeSpan || more == Timeout.InfiniteTimeSpan)
        {
            return Timeout.InfiniteTimeSpan;
        }

        TimeSpan first = within > TimeSpan.Zero ? within : TimeSpan.Zero;
        return more > TimeSpan.MaxValue - first ? TimeSpan.MaxValue : first + more;
    }
}
