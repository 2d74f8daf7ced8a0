namespace Moirai;

/// <summary>Where a managed task is in its life.</summary>
/// <remarks><c>Created → Ready → Running ⇄ Blocked → Completed / Failed / Canceled</c>. The legal moves are the rows of the
/// transition table, printed in docs/lifecycle.md.</remarks>
public enum TaskState
{
    /// <summary>Registered, not yet handed to its executor.</summary>
    Created = 0,

    /// <summary>Spawned or woken; waits for a thread.</summary>
    Ready = 1,

    /// <summary>A thread executes it now.</summary>
    Running = 2,

    /// <summary>Waits for something: time, another task, a slot, a foreign awaitable.</summary>
    Blocked = 3,

    /// <summary>Ended with its result.</summary>
    Completed = 4,

    /// <summary>Ended with an exception.</summary>
    Failed = 5,

    /// <summary>Ended because it was asked to. <see cref="ManagedTask.CancelCause"/> says by whom and why.</summary>
    Canceled = 6,
}
