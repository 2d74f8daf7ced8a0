using Moirai.Wakers;

namespace Moirai.Execution;

/// <content>What rings of waiting tasks are made of: whoever waits for the end of the tasks here waits for each of them.</content>
internal sealed partial class TaskGroup : IBlocking
{
    /// <summary>Whether anybody waits until nothing lives here. Seen by whoever looks after a full fence, if who waits does not see what was written before that fence.</summary>
    internal bool IsAwaited => Atomics.Read(ref _awaited);

    string IBlocking.WaitedFor => $"the end of the tasks of '{Name}'";

    ManagedTask? IBlocking.Blocker => null;

    bool IBlocking.HasManyBlockers => true;

    // Not those who live in scopes that were opened inside: who opened these waits for them, or they are canceled.
    bool IBlocking.IsBlockedBy(ManagedTask task, WaitNode waiter) => ReferenceEquals(task.Group, this) && !task.HasLeft;

    void IBlocking.AddBlockers(WaitNode waiter, List<ManagedTask> blockers)
    {
        // They may be a million; see DeadlockSearch.
    }

    void IBlocking.AddBlocked(List<ManagedTask> blocked)
    {
        if (!IsAwaited)
        {
            return;
        }

        _gate.Enter();
        for (WaitNode? node = PeekTies()?.Joiners.Head; node is not null; node = node.Next)
        {
            if (node is Frame { Owner: { } owner })
            {
                blocked.Add(owner);
            }
        }

        _gate.Exit();
    }
}
