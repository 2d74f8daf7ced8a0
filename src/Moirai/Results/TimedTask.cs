using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai;

/// <summary>A wait for a <see cref="Task"/> that has to end in time; await it, once. Made by <c>task.WithTimeout(…)</c>.</summary>
public readonly struct TimedTask : IEquatable<TimedTask>
{
    private readonly Task _task;
    private readonly TimeSpan _within;
    private readonly string _operation;

    internal TimedTask(Task task, TimeSpan within, string operation)
    {
        _task = task;
        _within = within;
        _operation = operation;
    }

    /// <summary>Called by the compiler.</summary>
    public Awaiter GetAwaiter() => new(_task ?? throw TimedTasks.IsDefault(), _within, _operation);

    /// <summary>The wait as a future, to be spawned, timed or collected.</summary>
    public Future AsFuture() => WithTimeout(this);

    /// <summary>The wait as a future, to be spawned, timed or collected.</summary>
    public static implicit operator Future(TimedTask wait) => wait.AsFuture();

    /// <summary>Whether both wait for the same task, equally long.</summary>
    public bool Equals(TimedTask other) => ReferenceEquals(_task, other._task) && _within == other._within;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TimedTask other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_task, _within);

    /// <summary>Whether both wait for the same task, equally long.</summary>
    public static bool operator ==(TimedTask left, TimedTask right) => left.Equals(right);

    /// <summary>Whether they are different waits.</summary>
    public static bool operator !=(TimedTask left, TimedTask right) => !left.Equals(right);

    private static async Future WithTimeout(TimedTask wait) => await wait;

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IForeignFrameAwaiter
    {
        private readonly Task _task;

        // Null when there was nothing to wait for.
        private readonly TaskWait? _wait;

        internal Awaiter(Task task, TimeSpan within, string operation)
        {
            _task = task;
            _wait = task.IsCompleted ? null : new TaskWait(task, within, operation);
        }

        /// <summary>Whether the task has ended, or there is no time to wait for it.</summary>
        public bool IsCompleted => _wait is null ? StepContext.MayGoOn() : _wait.IsOverAtOnce;

        /// <summary>Returns when the task completed in time; throws its failure.</summary>
        /// <exception cref="TaskTimeoutException">It did not end in time, and goes on.</exception>
        /// <exception cref="ManagedTaskCanceledException">The task that waits was canceled.</exception>
        public void GetResult()
        {
            TimedTasks.Finish(_wait);
            _task.GetAwaiter().GetResult();
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => TimedTasks.Detach(_wait, continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => TimedTasks.Detach(_wait, continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame) => TimedTasks.Suspend(_wait, frame);
    }
}

/// <summary>A wait for a <see cref="Task{TResult}"/> that has to end in time; await it, once. Made by <c>task.WithTimeout(…)</c>.</summary>
/// <typeparam name="T">What the task gives.</typeparam>
public readonly struct TimedTask<T> : IEquatable<TimedTask<T>>
{
    private readonly Task<T> _task;
    private readonly TimeSpan _within;
    private readonly string _operation;

    internal TimedTask(Task<T> task, TimeSpan within, string operation)
    {
        _task = task;
        _within = within;
        _operation = operation;
    }

    /// <summary>Called by the compiler.</summary>
    public Awaiter GetAwaiter() => new(_task ?? throw TimedTasks.IsDefault(), _within, _operation);

    /// <summary>The wait as a future, to be spawned, timed or collected.</summary>
    public Future<T> AsFuture() => WithTimeout(this);

    /// <summary>The wait as a future, to be spawned, timed or collected.</summary>
    public static implicit operator Future<T>(TimedTask<T> wait) => wait.AsFuture();

    /// <summary>The wait as a future whose result is left unread.</summary>
    public static implicit operator Future(TimedTask<T> wait) => wait.AsFuture();

    /// <summary>Whether both wait for the same task, equally long.</summary>
    public bool Equals(TimedTask<T> other) => ReferenceEquals(_task, other._task) && _within == other._within;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TimedTask<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_task, _within);

    /// <summary>Whether both wait for the same task, equally long.</summary>
    public static bool operator ==(TimedTask<T> left, TimedTask<T> right) => left.Equals(right);

    /// <summary>Whether they are different waits.</summary>
    public static bool operator !=(TimedTask<T> left, TimedTask<T> right) => !left.Equals(right);

    private static async Future<T> WithTimeout(TimedTask<T> wait) => await wait;

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IForeignFrameAwaiter
    {
        private readonly Task<T> _task;

        // Null when there was nothing to wait for.
        private readonly TaskWait? _wait;

        internal Awaiter(Task<T> task, TimeSpan within, string operation)
        {
            _task = task;
            _wait = task.IsCompleted ? null : new TaskWait(task, within, operation);
        }

        /// <summary>Whether the task has ended, or there is no time to wait for it.</summary>
        public bool IsCompleted => _wait is null ? StepContext.MayGoOn() : _wait.IsOverAtOnce;

        /// <summary>What the task gave; throws its failure.</summary>
        /// <exception cref="TaskTimeoutException">It did not end in time, and goes on.</exception>
        /// <exception cref="ManagedTaskCanceledException">The task that waits was canceled.</exception>
        public T GetResult()
        {
            TimedTasks.Finish(_wait);
            return _task.GetAwaiter().GetResult();
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => TimedTasks.Detach(_wait, continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => TimedTasks.Detach(_wait, continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame) => TimedTasks.Suspend(_wait, frame);
    }
}

/// <summary>What both do.</summary>
internal static class TimedTasks
{
    internal static InvalidOperationException IsDefault() => new("This is default(TimedTask), which no WithTimeout has made: there is nothing to wait for.");

    internal static void Finish(TaskWait? wait)
    {
        if (wait is null)
        {
            Park.TakeSignal();
        }
        else
        {
            wait.Finish();
        }
    }

    internal static void Suspend(TaskWait? wait, Frame frame)
    {
        if (wait is null)
        {
            Park.Yield(frame); // the task has ended, and it is the turn of others
        }
        else
        {
            wait.Suspend(frame);
        }
    }

    /// <summary>Plain code awaits: a detached task waits in its place.</summary>
    internal static void Detach(TaskWait? wait, Action continuation, bool flowContext)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        if (wait is null)
        {
            new CallbackNode(continuation, flowContext).GoOn();
            return;
        }

        ManagedTask waiter = FutureAwait.SpawnDetached(new TimedTask(wait.Task, wait.Within, wait.Operation).AsFuture().Frame);
        wait.Follow(waiter);
        Joining.RegisterFirm(waiter, continuation, flowContext);
    }
}
