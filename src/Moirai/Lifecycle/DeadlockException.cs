namespace Moirai;

/// <summary>Thrown at the wait that closes a ring of tasks which wait for each other: none of them could ever go on.</summary>
/// <remarks>
/// It ends one wait and nothing else. Let it through: the <c>using</c> blocks on its way give back what the task holds, and the others of the ring go on. A task that catches it and asks again closes the
/// ring again. It tells of a flaw in the program (an order of locks, a wait while holding) and never of bad luck: what it says stood at one moment, all of it.
/// <para>What is seen and what is not is told in docs/deadlocks.md. Immutable.</para>
/// </remarks>
public sealed class DeadlockException : InvalidOperationException
{
    /// <summary>For the runtime; a test may make one too.</summary>
    /// <param name="message">The whole story.</param>
    /// <param name="task">Whose wait throws.</param>
    /// <param name="cycle">The ring.</param>
    public DeadlockException(string message, TaskId task, IReadOnlyList<DeadlockEdge> cycle)
        : base(message)
    {
        ArgumentNullException.ThrowIfNull(cycle);
        Task = task;
        Cycle = cycle;
    }

    /// <summary>The task whose wait closed the ring.</summary>
    public TaskId Task { get; }

    /// <summary>The ring, from the task that closed it: each waits for something that the next one has, or is, and the last for the first.</summary>
    public IReadOnlyList<DeadlockEdge> Cycle { get; }
}

/// <summary>One wait in a ring of tasks that wait for each other. Keeps nothing of the tasks alive.</summary>
/// <param name="Task">Who waits.</param>
/// <param name="TaskName">Its name.</param>
/// <param name="WaitsFor">What it waits for, such as <c>mutex 'stock'</c> or <c>the end of #18 'ship'</c>.</param>
/// <param name="WaitSite">Where: the methods it waits in, the innermost first.</param>
/// <param name="HeldBy">Whose move it would be: who holds what is waited for, who would have to end.</param>
/// <param name="HeldByName">Its name.</param>
/// <param name="AcquiredAt">Where that one took it, as <c>file:line</c> of the call; null when nothing was taken (the end of a task, of a scope) or the call did not say.</param>
public sealed record DeadlockEdge(
    TaskId Task,
    string TaskName,
    string WaitsFor,
    string WaitSite,
    TaskId HeldBy,
    string HeldByName,
    string? AcquiredAt);
