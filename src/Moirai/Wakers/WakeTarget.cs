namespace Moirai.Wakers;

/// <summary>Behind a waker: knows the task's identity for ever, and the way to its frame as long as that waits.</summary>
internal abstract class WakeTarget
{
    protected WakeTarget(TaskId task) => Task = task;

    internal TaskId Task { get; }

    internal abstract void Wake();
}
