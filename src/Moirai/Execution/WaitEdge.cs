using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>One wait of one task, as it stood at a moment: the ticket tells whether it still stands.</summary>
internal readonly struct WaitEdge
{
    /// <summary>In <see cref="WaitNode.Due"/> of a frame that waits for a task or a scope: the wait has to go on whatever happens, and nothing can be thrown there.</summary>
    internal const long Firm = 1;

    internal readonly ManagedTask Task;
    internal readonly IBlocking Queue;
    internal readonly Frame Leaf;
    private readonly int _armed;

    private WaitEdge(ManagedTask task, IBlocking queue, Frame leaf, int armed)
    {
        Task = task;
        Queue = queue;
        Leaf = leaf;
        _armed = armed;
    }

    /// <summary>Whether the wait may not be ended.</summary>
    internal bool IsFirm => Queue is TaskGroup or ManagedTask && Leaf.Due == Firm;

    /// <summary>Looks what a task waits for. From any thread.</summary>
    /// <returns>False when it does not wait, or for nothing that any task could be named for.</returns>
    internal static bool TryRead(ManagedTask task, out WaitEdge edge)
    {
        // The frame and its queue were written before the wait was armed and stay until it has been claimed: so they belong to this ticket if it stands before and after.
        int armed = task.Word.Peek();
        if (LifecycleWord.IsWait(armed) && task.Leaf is { } leaf && Atomics.Read(ref leaf.Queue) is IBlocking queue && task.Word.IsArmed(armed))
        {
            edge = new WaitEdge(task, queue, leaf, armed);
            return true;
        }

        edge = default;
        return false;
    }

    /// <summary>Whether the wait has gone on until now, and <paramref name="by"/> is in its way.</summary>
    /// <remarks>In this order: who waits takes nothing, so what it is said to have before it is seen to wait still, it has had since it was first seen to wait.</remarks>
    internal bool Stands(ManagedTask by) => Queue.IsBlockedBy(by, Leaf) && StillWaits;

    internal bool StillWaits => Task.Word.IsArmed(_armed);

    /// <summary>Ends the wait: its await throws.</summary>
    /// <returns>False when somebody else has ended it. Else the caller calls <see cref="Resume"/>, under no gate.</returns>
    internal bool TryFail(Exception error) => Task.TryFailWait(_armed, error);

    /// <summary>Lets the task go on to its exception.</summary>
    internal void Resume()
    {
        Queue.Remove(Leaf);
        Leaf.Signal = WaitSignal.Leaked;
        Task.Engine.Executor.Enqueue(Leaf);
    }

    /// <summary>Notes that this wait was told of as a part of a ring.</summary>
    /// <returns>False when it was before.</returns>
    internal bool TryMarkTold() => Task.TryMarkDeadlocked(_armed);
}
