using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai;

/// <content>What rings of waiting tasks are made of: a task is what its joiners wait for, and its own wait can be ended.</content>
public partial class ManagedTask : IBlocking
{
    string IBlocking.WaitedFor => $"the end of {Title}";

    ManagedTask? IBlocking.Blocker => this;

    bool IBlocking.HasManyBlockers => false;

    bool IBlocking.IsBlockedBy(ManagedTask task, WaitNode waiter) => ReferenceEquals(task, this) && !IsEnded;

    void IBlocking.AddBlockers(WaitNode waiter, List<ManagedTask> blockers) => blockers.Add(this);

    void IBlocking.AddBlocked(List<ManagedTask> blocked)
    {
        Lock();
        if (_tail is WaitNode first)
        {
            WaitNode node = first;
            do
            {
                if (node is Frame { Owner: { } owner })
                {
                    blocked.Add(owner);
                }

                node = node.Next!;
            }
            while (!ReferenceEquals(node, first));
        }

        Unlock();
    }

    /// <summary>Whether any task may wait for this one, which waits: for its end, or for what it holds.</summary>
    internal bool HasWhatOthersWant
    {
        get
        {
            Lock();
            bool has = _tail is WaitNode || _extras is TaskExtras { Holds.Count: > 0 };
            Unlock();
            return has;
        }
    }

    /// <summary>Ends the wait that <paramref name="armed"/> names: its await will throw <paramref name="error"/>.</summary>
    internal bool TryFailWait(int armed, Exception error)
    {
        Lock();
        bool claimed = Word.TryWake(armed);
        if (claimed)
        {
            ExtrasLocked().Leak = error;
        }

        Unlock();
        return claimed;
    }

    /// <summary>Notes that the wait that <paramref name="armed"/> names was told of as a part of a ring.</summary>
    /// <returns>False when it was before.</returns>
    internal bool TryMarkDeadlocked(int armed)
    {
        Lock();
        TaskExtras extras = ExtrasLocked();
        bool isNew = extras.ToldWait != armed;
        extras.ToldWait = armed;
        Unlock();
        return isNew;
    }
}
