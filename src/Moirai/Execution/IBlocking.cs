using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>A queue that can say which tasks keep its waiters waiting: a lock that somebody has, a task, a scope. Declared here for those who look for rings; implemented where the queues are.</summary>
/// <remarks>
/// Only what is certain counts: a task blocks a waiter when the waiter cannot go on, by the normal way, before that task has done something. Of several who have permits any one may give back, so none of
/// them blocks; all readers of a lock block a writer.
/// <para>Asked from any thread, under no lock but the gate of a deadlock.</para>
/// </remarks>
internal interface IBlocking : IWaitQueue
{
    /// <summary>What is waited for, for messages: <c>mutex 'cache'</c>.</summary>
    string WaitedFor { get; }

    /// <summary>The one task that keeps all who wait here waiting; null when there is none, or several. Looks at a few words and takes no lock.</summary>
    ManagedTask? Blocker { get; }

    /// <summary>Whether several tasks may block a waiter, each of them.</summary>
    bool HasManyBlockers { get; }

    /// <summary>Whether <paramref name="task"/> keeps <paramref name="waiter"/> waiting.</summary>
    bool IsBlockedBy(ManagedTask task, WaitNode waiter);

    /// <summary>Adds those who keep <paramref name="waiter"/> waiting, each of them. Nobody when they are too many to name, as those who live in a scope.</summary>
    void AddBlockers(WaitNode waiter, List<ManagedTask> blockers);

    /// <summary>Adds the tasks that wait here and are kept waiting by whoever has it.</summary>
    void AddBlocked(List<ManagedTask> blocked);

    /// <summary>Where the task that has it took it, as <c>file:line</c>; null when that is not known, or nothing was taken.</summary>
    /// <remarks>Asked between the two looks at a ring: of one that stood both times, whoever has it has had it all the while, and nobody has written another place. What is read of one that did not stand is told to nobody.</remarks>
    string? AcquiredAt(ManagedTask holder) => null;
}
