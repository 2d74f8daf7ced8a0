using System.Runtime.CompilerServices;
using Moirai.Results;

namespace Moirai;

/// <summary>Timeouts over anything awaitable.</summary>
/// <remarks>
/// A timed operation that is not done in time fails with <see cref="TaskTimeoutException"/>, and <see cref="TaskRuntimeOptions.OnEvent"/> is told. An operation that ends before leaves nothing in the timer
/// queue, from that moment on. A time of zero or less is over at the operation's first wait; <see cref="Timeout.InfiniteTimeSpan"/> never ends; there is no upper limit.
/// <para>A future runs on as a part of its task: at the deadline its wait throws, and its clean-up runs before the timeout is thrown. Foreign code inside
/// it is reached by <see cref="ManagedTask.CurrentToken"/>; foreign code that does not heed that token (the token of the task's body is another one) is waited for, and then the timeout is thrown. A <see cref="Task"/> that is timed is not stopped: only
/// the wait for it ends, and a few bytes stay with the task until it has ended.</para>
/// </remarks>
public static class FutureTimeouts
{
    /// <summary>Runs a future that has to end in time.</summary>
    /// <param name="future">The operation; cold.</param>
    /// <param name="within">The time allowed.</param>
    /// <exception cref="TaskTimeoutException">From the await: it did not end in time.</exception>
    public static Future WithTimeout(this Future future, TimeSpan within) => new(new TimeoutFrame<bool>(future.Frame, within));

    /// <inheritdoc cref="WithTimeout(Future, TimeSpan)"/>
    public static Future<T> WithTimeout<T>(this Future<T> future, TimeSpan within) => new(new TimeoutFrame<T>(future.Frame, within));

    /// <summary>Waits for a delay that has to end in time.</summary>
    /// <inheritdoc cref="WithTimeout(Future, TimeSpan)"/>
    public static Future WithTimeout(this DelayAwaitable future, TimeSpan within) => future.AsFuture().WithTimeout(within);

    /// <summary>Waits for a slot that has to be free in time; otherwise nothing is spawned.</summary>
    /// <param name="spawn">The spawn.</param>
    /// <param name="within">The time allowed; zero or less looks once.</param>
    /// <exception cref="TaskTimeoutException">From the await: no slot was free in time.</exception>
    public static Future<ManagedTask> WithTimeout(this PoolSpawn spawn, TimeSpan within) => spawn.AsFuture().WithTimeout(within);

    /// <inheritdoc cref="WithTimeout(PoolSpawn, TimeSpan)"/>
    public static Future<ManagedTask<T>> WithTimeout<T>(this PoolSpawn<T> spawn, TimeSpan within) => spawn.AsFuture().WithTimeout(within);

    /// <summary>Waits for a task that has to end in time. When it does not, the task runs on; only this wait ends.</summary>
    /// <param name="task">The task.</param>
    /// <param name="within">The time allowed.</param>
    /// <exception cref="TaskTimeoutException">From the await: it did not end in time.</exception>
    public static Future WithTimeout(this ManagedTask task, TimeSpan within)
    {
        ArgumentNullException.ThrowIfNull(task);
        return new(new TimeoutFrame<bool>(JoinAsync(task).Frame, within, task));
    }

    /// <inheritdoc cref="WithTimeout(ManagedTask, TimeSpan)"/>
    public static Future<T> WithTimeout<T>(this ManagedTask<T> task, TimeSpan within)
    {
        ArgumentNullException.ThrowIfNull(task);
        return new(new TimeoutFrame<T>(JoinAsync(task).Frame, within, task));
    }

    /// <summary>Waits for a <see cref="Task"/> that has to end in time. When it does not, it goes on; only this wait ends, and the runtime keeps account of the <see cref="Task"/> until it has ended.</summary>
    /// <remarks>The end of the scope or pool around waits for a <see cref="Task"/> that was given up, no longer than <see cref="TaskRuntimeOptions.AbandonTimeout"/>; until it has ended it is in <see cref="TaskRuntime.ListAbandoned"/>.</remarks>
    /// <param name="task">The task.</param>
    /// <param name="within">The time allowed.</param>
    /// <param name="operation">Filled in by the compiler: what messages call it.</param>
    /// <exception cref="TaskTimeoutException">From the await: it did not end in time.</exception>
    public static TimedTask WithTimeout(this Task task, TimeSpan within, [CallerArgumentExpression(nameof(task))] string operation = "")
    {
        ArgumentNullException.ThrowIfNull(task);
        return new(task, within, operation);
    }

    /// <inheritdoc cref="WithTimeout(Task, TimeSpan, string)"/>
    public static TimedTask<T> WithTimeout<T>(this Task<T> task, TimeSpan within, [CallerArgumentExpression(nameof(task))] string operation = "")
    {
        ArgumentNullException.ThrowIfNull(task);
        return new(task, within, operation);
    }

    /// <inheritdoc cref="WithTimeout(Task, TimeSpan, string)"/>
    public static TimedTask WithTimeout(this ValueTask task, TimeSpan within, [CallerArgumentExpression(nameof(task))] string operation = "") =>
        new(task.AsTask(), within, operation);

    /// <inheritdoc cref="WithTimeout(Task, TimeSpan, string)"/>
    public static TimedTask<T> WithTimeout<T>(this ValueTask<T> task, TimeSpan within, [CallerArgumentExpression(nameof(task))] string operation = "") =>
        new(task.AsTask(), within, operation);

    /// <summary>Runs a wait that has a limit of its own under another one.</summary>
    /// <inheritdoc cref="WithTimeout(Future, TimeSpan)"/>
    public static Future WithTimeout(this TimedTask future, TimeSpan within) => future.AsFuture().WithTimeout(within);

    /// <inheritdoc cref="WithTimeout(TimedTask, TimeSpan)"/>
    public static Future<T> WithTimeout<T>(this TimedTask<T> future, TimeSpan within) => future.AsFuture().WithTimeout(within);

    private static async Future JoinAsync(ManagedTask task) => await task;

    private static async Future<T> JoinAsync<T>(ManagedTask<T> task) => await task;
}
