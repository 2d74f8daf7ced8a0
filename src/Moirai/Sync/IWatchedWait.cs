using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>What stands between a frame and the primitive it waits in, as the frame's queue, so that somebody else can end the wait too: a token, or time.</summary>
/// <remarks>
/// The frame may park several times within the wait, when it is invited and comes in vain; who watches ends whichever park it finds. It reads the task's word, then whether the wait is over (written before the
/// frame can park elsewhere), then claims the word it has read: so it never claims a park that is not of this wait.
/// <para>Who is to end it while the frame is on its way finds nothing to claim; so whoever seats the frame looks afterwards whether that has happened.</para>
/// </remarks>
internal interface IWatchedWait : IPrimitiveQueue, IEndedQueue, IBlocking
{
    /// <summary>What is waited for.</summary>
    SynchronizationPrimitive Primitive { get; }

    private IBlocking Blocking => Primitive;

    Type IWaitQueue.Kind => Primitive.GetType();

    void IWaitQueue.Remove(WaitNode node) => Blocking.Remove(node);

    string IWaitQueue.DescribeWait(WaitNode node) => Blocking.DescribeWait(node);

    string IBlocking.WaitedFor => Blocking.WaitedFor;

    ManagedTask? IBlocking.Blocker => Blocking.Blocker;

    bool IBlocking.HasManyBlockers => Blocking.HasManyBlockers;

    bool IBlocking.IsBlockedBy(ManagedTask task, WaitNode waiter) => Blocking.IsBlockedBy(task, waiter);

    void IBlocking.AddBlockers(WaitNode waiter, List<ManagedTask> blockers) => Blocking.AddBlockers(waiter, blockers);

    void IBlocking.AddBlocked(List<ManagedTask> blocked) => Blocking.AddBlocked(blocked);

    string? IBlocking.AcquiredAt(ManagedTask holder) => Blocking.AcquiredAt(holder);

    /// <summary>Ends the wait if it is not over and the frame is parked. From any thread, under no gate.</summary>
    /// <param name="frame">Who waits.</param>
    /// <param name="ended">Set by the frame's thread when the wait is over.</param>
    /// <param name="signal">What the frame is told.</param>
    sealed void Fire(Frame frame, ref bool ended, WaitSignal signal)
    {
        var batch = default(WakeBatch);
        Fire(frame, ref ended, signal, ref batch);
        batch.Flush();
    }

    /// <inheritdoc cref="Fire(Frame, ref bool, WaitSignal)"/>
    /// <param name="frame">Who waits.</param>
    /// <param name="ended">Set by the frame's thread when the wait is over.</param>
    /// <param name="signal">What the frame is told.</param>
    /// <param name="batch">Takes the frame.</param>
    sealed void Fire(Frame frame, ref bool ended, WaitSignal signal, ref WakeBatch batch)
    {
        ManagedTask task = frame.Owner!;
        int armed = task.Word.Peek();
        if (!Atomics.Read(ref ended) && task.Word.TryWake(armed))
        {
            Blocking.Remove(frame);
            frame.Signal = signal;
            frame.Resume(ref batch);
        }
    }
}
