using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>Clean-up that a task's end waits for. Declared here, implemented by the guards of scopes.</summary>
internal abstract class TaskGuard : ILinked<TaskGuard>
{
    // The task's list. Written under the task's gate.
    TaskGuard? ILinked<TaskGuard>.Next { get; set; }

    TaskGuard? ILinked<TaskGuard>.Previous { get; set; }

    /// <summary>The clean-up, cold; null when it has run or somebody is running it. Its frame never throws.</summary>
    internal abstract Frame? TakeCleanUp();
}

/// <summary>What a body gave, kept while the clean-up of its task runs after it.</summary>
internal sealed record Epilogue(Frame Root, Exception? Error);
