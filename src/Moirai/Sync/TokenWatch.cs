using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>Lets a token end one wait of a frame in a primitive. Stands between the two as the frame's queue.</summary>
/// <remarks>
/// The frame may park several times within the wait, when it is invited and comes in vain; the token ends whichever park it finds. It reads the task's word, then whether the wait
/// is over (<see cref="_ended"/>, written before the frame can park elsewhere), then claims the word it has read: so it never claims a park that is not of this wait.
/// <para>A token that is canceled while the frame is on its way finds nothing to claim; so whoever seats the frame looks at the token afterwards.</para>
/// </remarks>
internal sealed class TokenWatch : IPrimitiveQueue, IEndedQueue, IBlocking
{
    private readonly Frame _frame;
    private readonly CancellationToken _token;

    // Written before the frame parks.
    private CancellationTokenRegistration _registration;

    // Set by the frame's thread when the wait is over.
    private bool _ended;

    private TokenWatch(Frame frame, SynchronizationPrimitive primitive, CancellationToken token)
    {
        _frame = frame;
        Primitive = primitive;
        _token = token;
    }

    internal SynchronizationPrimitive Primitive { get; }

    internal static void Suspend(Frame frame, SynchronizationPrimitive primitive, CancellationToken token)
    {
        ManagedTask task = frame.Owner!;
        var watch = new TokenWatch(frame, primitive, token);
        watch._registration = token.UnsafeRegister(static watch => ((TokenWatch)watch!).Fire(), watch);
        if (StepContext.Current.HasToGiveWay)
        {
            Park.YieldBefore(frame, watch);
        }
        else if (Park.Begin(frame, watch, out int armed))
        {
            primitive.Seat(frame, armed);
            watch.FireIfCanceled();
            DeadlockCheck.AfterSeat(task);
        }
    }

    /// <summary>The wait of a frame is over. Harmless when no token watched it.</summary>
    internal static void End(Frame frame) => (frame.Queue as TokenWatch)?.EndWait();

    public void EndWait()
    {
        Atomics.Write(ref _ended, true);
        _registration.Unregister();
    }

    public bool Accept(WaitNode node)
    {
        if (Primitive.Accept(node))
        {
            return true;
        }

        FireIfCanceled();
        return false;
    }

    public void Remove(WaitNode node) => ((IWaitQueue)Primitive).Remove(node);

    public string DescribeWait(WaitNode node) => ((IWaitQueue)Primitive).DescribeWait(node);

    string IBlocking.WaitedFor => Blocking.WaitedFor;

    ManagedTask? IBlocking.Blocker => Blocking.Blocker;

    bool IBlocking.HasManyBlockers => Blocking.HasManyBlockers;

    private IBlocking Blocking => Primitive;

    bool IBlocking.IsBlockedBy(ManagedTask task, WaitNode waiter) => Blocking.IsBlockedBy(task, waiter);

    void IBlocking.AddBlockers(WaitNode waiter, List<ManagedTask> blockers) => Blocking.AddBlockers(waiter, blockers);

    void IBlocking.AddBlocked(List<ManagedTask> blocked) => Blocking.AddBlocked(blocked);

    string? IBlocking.AcquiredAt(ManagedTask holder) => Blocking.AcquiredAt(holder);

    private void FireIfCanceled()
    {
        if (_token.IsCancellationRequested)
        {
            Fire();
        }
    }

    private void Fire()
    {
        ManagedTask task = _frame.Owner!;
        int armed = task.Word.Peek();
        if (!Atomics.Read(ref _ended) && task.Word.TryWake(armed))
        {
            Remove(_frame);
            _frame.Signal = WaitSignal.Abandoned;
            task.Engine.Executor.Enqueue(_frame);
        }
    }
}
