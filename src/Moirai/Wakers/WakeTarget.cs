namespace Moirai.Wakers;

/// <summary>Behind every waker of a task: its identity for ever, and the way to it as long as it lives.</summary>
/// <remarks>One for each task, however many wakers are made of it. Declared here, implemented by the engine.</remarks>
internal abstract class WakeTarget
{
    protected WakeTarget(TaskId task) => Task = task;

    internal TaskId Task { get; }

    /// <summary>Lets the task look again. From any thread, at any time, under any lock: it runs no user code and takes none of the wakers' locks.</summary>
    internal abstract void Wake();
}
