using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>Looks, when a task has begun to wait, whether that closes a ring of tasks which wait for each other.</summary>
/// <remarks>
/// The way: a task arms its wait (a full fence), takes its seat, and only then looks, along the chain from what it waits for to who has that, to what that one waits for, and so on. Nothing is locked on the way, and most chains end
/// at the first link: whoever has the lock does not wait.
/// <para><b>None is missed.</b> A ring is closed by the last wait of it to be armed and seated, and whoever armed that looks afterwards, when all of the ring stands. Two that close it at once both see it, or one does. Who finds a ring that does not stand any more looks again: it may have been a detour of one that does.</para>
/// <para><b>None is made up.</b> What was seen was seen at different moments, so all of it is looked at once more, ticket by ticket (<see cref="WaitEdge.Stands"/>): what stood before and after stood, together with all else, at the moment between.</para>
/// <para><b>One throws.</b> The second look and the claim of the wait that is to throw are made under the gate of one engine, that of the oldest task of the ring, so whoever comes second finds the ring broken.</para>
/// </remarks>
internal static class DeadlockCheck
{
    // Longer chains are not followed: a wait may not cost more than some microseconds.
    private const int LongestChain = 256;

    // Each try in vain means that some other task has moved on meanwhile.
    private const int MostTries = 100;

    /// <summary>The task has armed a wait and taken its seat; it may run again by now, on any thread.</summary>
    internal static void AfterSeat(ManagedTask task)
    {
        DeadlockPolicy policy = task.Engine.Deadlocks;
        for (int tries = 0; tries < MostTries; tries++)
        {
            // A ring that did not stand at the second look hides none that does: who left it may have been a detour of another.
            if (policy == DeadlockPolicy.Off || !WaitEdge.TryRead(task, out WaitEdge own) || !MayClose(own) || DeadlockSearch.FindRing(own) is not { } ring || Conclude(ring, policy))
            {
                return;
            }
        }
    }

    /// <summary>Whether a chain leads back to who waits, or forks on its way.</summary>
    private static bool MayClose(in WaitEdge own)
    {
        IBlocking queue = own.Queue;
        for (int i = 0; i < LongestChain; i++)
        {
            if (queue.Blocker is not { } blocker)
            {
                return queue.HasManyBlockers;
            }

            if (ReferenceEquals(blocker, own.Task))
            {
                return true;
            }

            if (!WaitEdge.TryRead(blocker, out WaitEdge next))
            {
                return false;
            }

            queue = next.Queue;
        }

        return false;
    }

    /// <summary>Looks at a ring once more, and does about it what is to be done.</summary>
    /// <returns>Whether it stood.</returns>
    private static bool Conclude(List<WaitEdge> ring, DeadlockPolicy policy)
    {
        DeadlockException error = DeadlockStory.Of(ring);
        ref SpinGate gate = ref Oldest(ring).Engine.DeadlockGate;
        gate.Enter();
        int victim = -1;
        bool stands = Stands(ring);
        bool tell = stands;
        if (stands)
        {
            victim = policy == DeadlockPolicy.Throw ? FailOne(ring, error) : -1;
            tell = victim >= 0 || TryMarkTold(ring);
        }

        gate.Exit();
        if (victim >= 0)
        {
            ring[victim].Resume();
        }

        if (tell)
        {
            ring[0].Task.Engine.TellDeadlock(error, isBroken: victim >= 0);
        }

        return stands;
    }

    private static bool Stands(List<WaitEdge> ring)
    {
        for (int i = 0; i < ring.Count; i++)
        {
            if (!ring[i].Stands(ring[(i + 1) % ring.Count].Task))
            {
                return false;
            }
        }

        return ring[0].StillWaits; // again: what the first one has was looked at last
    }

    // The wait that closes the ring, unless it is one that has to go on: the end of a scope waits for its tasks whatever happens. Then the next of the ring.
    private static int FailOne(List<WaitEdge> ring, Exception error)
    {
        for (int i = 0; i < ring.Count; i++)
        {
            if (!ring[i].IsFirm && ring[i].TryFail(error))
            {
                return i;
            }
        }

        return -1;
    }

    private static bool TryMarkTold(List<WaitEdge> ring)
    {
        bool isNew = false;
        foreach (WaitEdge edge in ring)
        {
            isNew |= edge.TryMarkTold();
        }

        return isNew;
    }

    private static ManagedTask Oldest(List<WaitEdge> ring)
    {
        ManagedTask oldest = ring[0].Task;
        foreach (WaitEdge edge in ring)
        {
            oldest = edge.Task.Id.CompareTo(oldest.Id) < 0 ? edge.Task : oldest;
        }

        return oldest;
    }
}
