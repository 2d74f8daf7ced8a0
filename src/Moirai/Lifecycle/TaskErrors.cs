namespace Moirai;

/// <summary>Thrown inside a canceled task at its waits, and at whoever awaits a task that ended canceled.</summary>
/// <remarks>Inside the canceled task it ends the task as <see cref="TaskState.Canceled"/>. Anywhere else it is an exception like
/// any other: a task that awaits a canceled one and lets this through has failed, it has not been canceled.</remarks>
public sealed class ManagedTaskCanceledException : OperationCanceledException
{
    /// <summary>For the runtime; a test may make one too.</summary>
    public ManagedTaskCanceledException(string message, TaskId task, CancelCause cause, CancellationToken token = default)
        : base(message, cause?.Error, token)
    {
        Task = task;
        Cause = cause ?? throw new ArgumentNullException(nameof(cause));
    }

    /// <summary>The task that was canceled.</summary>
    public TaskId Task { get; }

    /// <summary>Who asked for it, why, and when.</summary>
    public CancelCause Cause { get; }
}

/// <summary>An operation was not done within its time. Says which, and what it was waiting for at that moment.</summary>
public sealed class TaskTimeoutException : TimeoutException
{
    /// <summary>For the runtime; a test may make one too.</summary>
    public TaskTimeoutException(string operation, TimeSpan within, string waitingFor, TaskId task, Exception? inner = null)
        : base($"{operation} was not done within {Describe(within)}; it was waiting for {waitingFor}.", inner)
    {
        Operation = operation;
        Within = within;
        WaitingFor = waitingFor;
        Task = task;
    }

    /// <summary>What timed out, such as <c>PriceAsync in #17 'order'</c>.</summary>
    public string Operation { get; }

    /// <summary>The time that was allowed.</summary>
    public TimeSpan Within { get; }

    /// <summary>What it was waiting for when the time was over, such as <c>a slot of pool 'requests'</c>.</summary>
    public string WaitingFor { get; }

    /// <summary>The task in which the operation ran; 0 outside managed tasks.</summary>
    public TaskId Task { get; }

    private static string Describe(TimeSpan time) => time <= TimeSpan.Zero
        ? "no time at all"
        : time.TotalSeconds >= 1
        ? FormattableString.Invariant($"{time.TotalSeconds:0.###} s")
        : FormattableString.Invariant($"{time.TotalMilliseconds:0.###} ms");
}

/// <summary>More than one thing failed in a scope: the first failure is the inner exception, the others are attached.</summary>
/// <remarks>A scope in which only one thing failed throws that failure itself, so that one fault looks like one fault.</remarks>
public sealed class TaskScopeException : AggregateException
{
    /// <summary>For the runtime; a test may make one too.</summary>
    public TaskScopeException(string scope, IReadOnlyList<Exception> failures)
        : base($"Scope '{scope}' failed {failures?.Count} times; the first failure is the inner exception, InnerExceptions has all in the order in which they came", failures ?? [])
    {
        Scope = scope;
    }

    /// <summary>The name of the scope.</summary>
    public string Scope { get; }
}

/// <summary>Thrown in a task at a wait which nothing can ever end: the garbage collector has proved that whatever could wake the task is gone.</summary>
/// <remarks>It lets the clean-up of the task run and gives back what the task held. It says what is broken, and so is not for catching: mend the code that lost
/// what was waited for.</remarks>
public sealed class LeakedTaskException : InvalidOperationException
{
    /// <summary>For the runtime; a test may make one too.</summary>
    public LeakedTaskException(string message, TaskId task)
        : base(message) => Task = task;

    /// <summary>The task that could never have gone on.</summary>
    public TaskId Task { get; }
}
