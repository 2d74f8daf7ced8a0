namespace Moirai;

/// <summary>What a <see cref="RuntimeEvent"/> tells of. The numbers are stable.</summary>
public enum RuntimeEventKind
{
    /// <summary>An operation was not done within its time.</summary>
    TimedOut = 1,

    /// <summary>Something failed and nobody has looked, or could: a task whose handle was lost or whose runtime stopped before anybody awaited it or read its exception, a scope that was left without a join,
    /// a branch of a race that was no longer needed, an awaiter that had let its task go on before, a timer for a wait that goes on without it.</summary>
    UnobservedFailure = 2,

    /// <summary>A callback that was registered on a task's cancellation token threw, or what unregisters a callback that nobody waits for any more.</summary>
    CancelCallbackFailed = 3,

    /// <summary>The runtime was stopped and some tasks had not ended when the time for it was over.</summary>
    StopIncomplete = 4,

    /// <summary>A task was proved to wait for something that can never come.</summary>
    Leaked = 5,

    /// <summary>A clean-up threw.</summary>
    CleanUpFailed = 6,

    /// <summary>A clean-up was not done within its time; it goes on, and nobody waits for it any more.</summary>
    CleanUpLate = 7,

    /// <summary>A guard was lost, with the code that owned it, before its clean-up had run; it was run then.</summary>
    GuardLost = 8,

    /// <summary>A task ended without giving back what it held together with others: permits of a semaphore, a read lease. They were given back for it.</summary>
    PermitsReturned = 9,

    /// <summary>An operation did not stop when its time was over and was given up, or a scope ended while such a one still ran.</summary>
    Abandoned = 10,

    /// <summary>A runtime was never disposed, and the garbage collector has found that neither it nor anything that could wake one of its tasks can be reached: its tasks are canceled now.</summary>
    RuntimeLost = 11,

    /// <summary>A task gave a result, and its handle was lost or its runtime stopped before anybody looked at it. Only where <see cref="TaskRuntimeOptions.ReportUnseenResults"/> says so.</summary>
    UnobservedResult = 12,

    /// <summary>Tasks wait for each other in a ring. The error is a <see cref="DeadlockException"/>, which one of them is thrown unless <see cref="TaskRuntimeOptions.Deadlocks"/> says otherwise.</summary>
    Deadlock = 13,

    /// <summary>Something has gone on for longer than its limit, or still does: see <see cref="Moirai.Alarm"/>.</summary>
    Alarm = 14,

    /// <summary>What an alarm was about is over.</summary>
    AlarmCleared = 15,
}

/// <summary>Something that an operator should know. Delivered to <see cref="TaskRuntimeOptions.OnEvent"/> and to the event source <c>Moirai</c>.</summary>
/// <param name="Kind">What it tells of.</param>
/// <param name="Message">The whole story in a sentence or two, for a human.</param>
/// <param name="Task">The task concerned; 0 when there is none.</param>
/// <param name="Error">The exception concerned, if there is one.</param>
public sealed record RuntimeEvent(RuntimeEventKind Kind, string Message, TaskId Task, Exception? Error = null)
{
    /// <summary>The name of the task concerned, where the event is about the task itself (<see cref="RuntimeEventKind.UnobservedFailure"/> and <see cref="RuntimeEventKind.UnobservedResult"/> of a task, <see cref="RuntimeEventKind.Leaked"/>); else null.</summary>
    public string? TaskName { get; init; }

    /// <summary>Where that task was spawned, as <c>file:line</c>; null where <see cref="TaskName"/> is.</summary>
    public string? SpawnSite { get; init; }

    /// <summary>The <c>Alarm</c> or the <c>LeakedTask</c> that it tells of, for who counts them by kind.</summary>
    internal object? Subject { get; init; }
}
