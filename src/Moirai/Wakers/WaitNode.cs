namespace Moirai.Wakers;

/// <summary>How a wait ended. Written by the party that claimed the wait, before it makes the waiter ready.</summary>
internal enum WaitSignal : byte
{
    /// <summary>What was waited for is there.</summary>
    Done = 0,

    /// <summary>The task, or a part of it, was canceled: the await throws.</summary>
    Canceled = 1,

    /// <summary>What was waited for will never be there: it was closed or disposed.</summary>
    Closed = 2,

    /// <summary>What was waited for may be there, and was not set aside: the waiter asks for it when its turn comes (<see cref="IPrimitiveQueue.Accept"/>), and
    /// may have to wait anew. Never seen by an awaiter.</summary>
    Invited = 3,

    /// <summary>The token that was given to this one wait was canceled.</summary>
    Abandoned = 4,

    /// <summary>It was proved that nothing can ever end the wait: the await throws.</summary>
    Leaked = 5,

    /// <summary>The primitive does not let this wait begin: too many wait already, or the waiter would wait for itself.</summary>
    Refused = 6,

    /// <summary>The time allowed for the wait was over first.</summary>
    Late = 7,
}

/// <summary>A place in which a wait node can be linked, and from which it can be taken out.</summary>
internal interface IWaitQueue
{
    /// <summary>Takes the node out, in O(1). Harmless when it is not, or no longer, linked. After it returns, nobody who works under the
    /// queue's lock knows the node any more. The caller has claimed the node's wait and passes it on to be resumed.</summary>
    void Remove(WaitNode node);

    /// <summary>What accounts say was waited for last.</summary>
    Type Kind => GetType();

    /// <summary>What a waiter here waits for, for messages: <c>a slot of pool 'requests'</c>. Calls no user code, keeps nothing alive.</summary>
    string DescribeWait(WaitNode node);
}

/// <summary>A queue that has more to undo when a wait is over than <see cref="IWaitQueue.Remove"/> does. The awaiter does it; for a waiter that is dropped, who drops it.</summary>
internal interface IEndedQueue : IWaitQueue
{
    /// <summary>The wait is over. By the thread that runs the waiter.</summary>
    void EndWait();
}

/// <summary>The queue of a synchronization primitive: who waits in it is counted by the census.</summary>
internal interface IPrimitiveQueue : IWaitQueue
{
    /// <summary>A waiter that was made ready with <see cref="WaitSignal.Invited"/> has come. By the thread that runs the waiter, outside its wait.</summary>
    /// <returns>True: its wait has ended, with <see cref="WaitNode.Signal"/>. False: it waits anew, or goes on by the usual ways; the caller touches it no more.</returns>
    bool Accept(WaitNode node);
}

/// <summary>One waiter's seat in one queue, timer wheels included. It lives in the frame of who waits, so waiting allocates nothing.</summary>
/// <remarks>
/// The protocol, which every queue keeps:
/// <list type="number">
/// <item>The waiter sets <see cref="Queue"/>, arms its wait (<see cref="Lifecycle.LifecycleWord.Park"/>), and only then calls the queue,
/// which takes its lock and links the node if <see cref="IsArmed"/> still holds. The waiter touches nothing after that.</item>
/// <item>Whoever completes a wait does so under the lock of the queue in which the node is linked: unlink, then
/// <see cref="TryClaim"/>. If the claim fails, another party has won and the node is forgotten.</item>
/// <item>Whoever wins elsewhere (cancellation) calls <see cref="IWaitQueue.Remove"/> before the node is resumed.</item>
/// </list>
/// So a linked node is always armed, or claimed by somebody who is about to remove it; it can never be armed for another wait
/// while it is linked, and no queue ever follows a link of a node that has moved on.
/// </remarks>
internal abstract class WaitNode
{
    // Written under the lock of the queue in which the node is linked; by the owner of the task while it is in none
    // (Next then links ready queues and batches).
    internal WaitNode? Next;
    internal WaitNode? Prev;

    // Where the wait takes place: an IWaitQueue, or the cached continuation of a foreign wait. Written by the waiter before it arms.
    internal object? Queue;

    // For a queue to use: a timer's deadline, a semaphore's number of permits. Written by the waiter before it arms.
    internal long Due;

    // Set and cleared under the queue's lock.
    internal bool IsLinked;

    // Written by whoever claimed the wait; read and reset by the waiter when it runs.
    internal WaitSignal Signal;

    // For a queue to use while the node is linked: the wheel keeps the slot here.
    internal short Slot;

    // For whoever derives: frames keep their phase here, and how often they were used.
    private protected byte Life;

    // When the last wait began, or the last call of another method, in seconds since the timer queue did, modulo 2²⁴: three bytes that would else be padding. Written by the waiter before it arms.
    private byte _sinceHigh;
    private ushort _sinceLow;

    /// <summary>Notes when a wait begins, or a call. By the waiter, before it arms.</summary>
    /// <param name="seconds">Seconds since the timer queue began.</param>
    internal void WaitsSince(int seconds)
    {
        _sinceLow = (ushort)seconds;
        _sinceHigh = (byte)(seconds >> 16);
    }

    /// <summary>How long the wait has gone on by <paramref name="now"/>, which is the timer queue's time; to the second, modulo 194 days.</summary>
    internal TimeSpan WaitedUntil(long now) => Between(Since, now);

    /// <summary>The time from <paramref name="since"/> to <paramref name="now"/>, as for <see cref="WaitedUntil"/>.</summary>
    internal static TimeSpan Between(int since, long now) => TimeSpan.FromSeconds(((int)(now / TimeSpan.TicksPerSecond) - since) & 0xFF_FFFF);

    /// <summary>When the wait began, in seconds since the timer queue did, modulo 2²⁴.</summary>
    internal int Since => _sinceLow | (_sinceHigh << 16);

    /// <summary>Whether the wait that <paramref name="armed"/> names has not been claimed. Asked under the queue's lock before linking.</summary>
    internal abstract bool IsArmed(int armed);

    /// <summary>Claims the wait. True for exactly one caller a wait.</summary>
    internal abstract bool TryClaim();

    /// <summary>Lets the waiter go on at once. Called by the waiter's own thread from within its registration, when it found there what
    /// it was to wait for and claimed its wait itself.</summary>
    internal abstract void GoOn();

    /// <summary>Begins the wait in <see cref="Queue"/> anew, for a waiter that came in vain. By the thread that runs the waiter.</summary>
    /// <returns>False when there is nothing to register: the waiter is being canceled, and goes on or was already taken over.</returns>
    internal virtual bool Rearm(out int armed) => throw new NotSupportedException($"{GetType().Name} does not compete for what it waits for.");

    /// <summary>Makes the waiter ready. Called once, by who claimed, under no lock that the waiter might take.</summary>
    internal abstract void Resume(ref WakeBatch batch);
}

/// <summary>Where woken frames go. Declared here, implemented by the executors.</summary>
internal interface IReadySink
{
    /// <summary>Takes a chain of <paramref name="count"/> nodes linked by <see cref="WaitNode.Next"/>.</summary>
    void EnqueueChain(WaitNode head, int count);
}

/// <summary>Collects what one event wakes, so that a ready queue is locked once for many.</summary>
internal ref struct WakeBatch
{
    private IReadySink? _sink;
    private WaitNode? _head;
    private WaitNode? _tail;
    private int _count;

    public void Add(IReadySink sink, WaitNode node)
    {
        if (!ReferenceEquals(_sink, sink))
        {
            Flush();
            _sink = sink;
        }

        node.Next = null;
        if (_tail is null)
        {
            _head = node;
        }
        else
        {
            _tail.Next = node;
        }

        _tail = node;
        _count++;
    }

    /// <summary>Hands over what is left. Whoever makes a batch flushes it.</summary>
    public void Flush()
    {
        if (_head is { } head)
        {
            int count = _count;
            _head = _tail = null;
            _count = 0;
            _sink!.EnqueueChain(head, count);
        }
    }
}
