using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>Clean-up that a task's end waits for. Declared here, implemented by the guards of scopes.</summary>
internal abstract class TaskGuard : ILinked<TaskGuard>
{
    /// <summary>Neighbours in the task's list. Written under the task's gate.</summary>
    public TaskGuard? Next { get; set; }

    /// <inheritdoc cref="Next"/>
    public TaskGuard? Previous { get; set; }

    /// <summary>Whether it has run, or somebody runs it.</summary>
    internal abstract bool IsTaken { get; }

    /// <summary>The clean-up, cold; null when it has run or somebody is running it. Its frame never throws.</summary>
    internal abstract Frame? TakeCleanUp();

    /// <summary>The task has ended, and was given the guard when its end had run the others: runs the clean-up beside it. Under no lock.</summary>
    internal abstract void RunAfterEnd();

    /// <summary>What it guards, and whether that is being given back, for messages. Runs no code of the user's.</summary>
    internal abstract string Describe();
}

/// <summary>What a body gave, kept while the clean-up of its task runs after it.</summary>
internal sealed record Epilogue(Frame Root, Exception? Error);
