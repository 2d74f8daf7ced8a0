using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>Told when tasks of a group end. Declared here, implemented by scopes and pools.</summary>
internal interface IEndListener
{
    /// <summary>Called once for each task, when its outcome is settled and before it is published and the group lets the task go; by the thread
    /// that ended it. Must not throw and not block.</summary>
    void TaskEnding(ManagedTask task, TaskEvent how, Exception? error);
}

/// <summary>Where the slot of a pool's task goes back to. Declared here, implemented by the slot manager.</summary>
internal interface ISlotReturn
{
    /// <summary>Called under the group's gate in the moment in which the task leaves, so that nobody sees the one without the other.</summary>
    /// <returns>The waiter that got the slot, already claimed, to be resumed when no lock is held.</returns>
    WaitNode? ReturnSlot();

    /// <summary>Adds to the census how many slots are held and how many wait for one.</summary>
    void Count(ref long inUse, ref long waiting);
}
