using Moirai.Execution;
using Moirai.Ground;
using Moirai.Wakers;

namespace Moirai;

/// <summary>At most N at a time: hands out slots, first come first served, and takes each back once.</summary>
/// <remarks>
/// Safe from any thread. A pool has one, whose slots its tasks hold from their admission to their end. By itself it bounds anything else:
/// <c>using SlotLease lease = await slots.AcquireAsync();</c>.
/// <para>Invariants: <c>InUse + free == MaxTasks</c>; nobody waits while a slot is free; a slot that is given back while somebody waits is handed to the first
/// in line and is never free in between, so nobody can overtake.</para>
/// </remarks>
public sealed class TaskSlotManager : IWaitQueue, ISlotReturn
{
    private SpinGate _gate;

    // All below: written under the gate.
    private WaitQueue _waiters;
    private int _free;
    private int _openings;
    private bool _closed;

    /// <summary>Makes a manager with all slots free.</summary>
    /// <param name="maxTasks">How many slots there are; at least 1.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one slot.</exception>
    public TaskSlotManager(int maxTasks, string name = "slots")
    {
        ArgumentNullException.ThrowIfNull(name);
        if (maxTasks < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(maxTasks), maxTasks, $"'{name}' needs at least one slot, or nothing could ever run in it.");
        }

        Name = name;
        MaxTasks = maxTasks;
        _free = maxTasks;
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>How many slots there are.</summary>
    public int MaxTasks { get; }

    /// <summary>How many slots are held now. Exact.</summary>
    public int InUse => MaxTasks - Volatile.Read(ref _free);

    /// <summary>How often a slot has become free when there was none. Wraps around. For who looks now and then, and asks whether there was one in between.</summary>
    internal int Openings => Volatile.Read(ref _openings);

    /// <summary>How many wait for a slot now.</summary>
    public int Waiting
    {
        get
        {
            _gate.Enter();
            int count = _waiters.Count;
            _gate.Exit();
            return count;
        }
    }

    /// <summary>Takes a slot if one is free and nobody waits for one.</summary>
    /// <param name="lease">The slot; dispose it to give it back.</param>
    public bool TryAcquire([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SlotLease? lease)
    {
        lease = TryTake() ? SlotLease.Make(this) : null;
        return lease is not null;
    }

    /// <summary>Waits for a slot, first come first served. A cancellation point; a canceled or timed-out wait takes no slot.</summary>
    public async Future<SlotLease> AcquireAsync()
    {
        await new SlotAwaitable(this);
        return SlotLease.Make(this);
    }

    internal bool TryTake()
    {
        _gate.Enter();
        bool taken = _free > 0 && !_closed;
        if (taken)
        {
            _free--;
        }

        _gate.Exit();
        return taken;
    }

    internal bool IsClosed => Atomics.Read(ref _closed);

    /// <summary>Seats a waiter, or gives it a slot at once.</summary>
    internal void Wait(WaitNode node, int armed)
    {
        _gate.Enter();
        if (!node.IsArmed(armed))
        {
            _gate.Exit();
            return;
        }

        if (_free == 0 && !_closed)
        {
            _waiters.Append(node);
            _gate.Exit();
            return;
        }

        bool claimed = node.TryClaim();
        if (claimed && !_closed)
        {
            _free--;
        }

        WaitSignal signal = _closed ? WaitSignal.Closed : WaitSignal.Done;
        _gate.Exit();
        if (claimed)
        {
            node.Signal = signal;
            node.GoOn();
        }
    }

    /// <summary>Gives a slot back: to the first in line, else it is free.</summary>
    internal void Return()
    {
        if (ReturnSlot() is { } next)
        {
            var batch = default(WakeBatch);
            next.Resume(ref batch);
            batch.Flush();
        }
    }

    internal WaitNode? ReturnSlot()
    {
        _gate.Enter();
        WaitNode? next = _waiters.Head is null ? null : _waiters.ClaimFirst();
        if (next is null)
        {
            System.Diagnostics.Debug.Assert(_free < MaxTasks, "a slot was given back twice");
            if (_free++ == 0)
            {
                _openings++;
            }
        }

        _gate.Exit();
        return next;
    }

    /// <inheritdoc cref="IPlainSeats.FindSeat"/>
    internal CallbackSeat? FindSeat(object method)
    {
        _gate.Enter();
        WaitNode? node = _waiters.Head;
        while (node is not null && !(node is CallbackSeat seat && seat.Continues(method)))
        {
            node = node.Next;
        }

        _gate.Exit();
        return node as CallbackSeat;
    }

    WaitNode? ISlotReturn.ReturnSlot() => ReturnSlot();

    void ISlotReturn.Count(ref long inUse, ref long waiting)
    {
        _gate.Enter();
        inUse += MaxTasks - _free;
        waiting += _waiters.Count;
        _gate.Exit();
    }

    /// <summary>Hands out no slot any more; those who wait are told.</summary>
    internal void Close()
    {
        var batch = default(WakeBatch);
        _gate.Enter();
        _closed = true;
        WaitNode? first = null;
        while (_waiters.ClaimFirst() is { } node)
        {
            node.Next = first;
            first = node;
        }

        _gate.Exit();
        while (first is not null)
        {
            WaitNode? next = first.Next;
            first.Next = null;
            first.Signal = WaitSignal.Closed;
            first.Resume(ref batch);
            first = next;
        }

        batch.Flush();
    }

    internal InvalidOperationException ClosedError() =>
        new($"'{Name}' takes no work any more: it is being drained or has been disposed. Nothing was spawned and no slot is held.");

    void IWaitQueue.Remove(WaitNode node)
    {
        _gate.Enter();
        _waiters.Remove(node);
        _gate.Exit();
    }

    string IWaitQueue.DescribeWait(WaitNode node) => $"a slot of '{Name}' ({InUse} of {MaxTasks} in use)";
}

/// <summary>The right to give one slot back, once. Disposing it again does nothing.</summary>
public sealed class SlotLease : IDisposable, IHeld
{
    private TaskSlotManager? _slots;

    private SlotLease(TaskSlotManager slots) => _slots = slots;

    /// <summary>The current task, if there is one, has got a slot: noted among what it holds, for who wants to know.</summary>
    internal static SlotLease Make(TaskSlotManager slots)
    {
        var lease = new SlotLease(slots);
        if (StepContext.Existing is { Frame: not null } context)
        {
            context.AddSharedHold(lease, ticket: 0);
        }

        return lease;
    }

    /// <summary>Whose slot it is.</summary>
    public override string ToString() => Volatile.Read(ref _slots) is { } slots ? $"a slot of '{slots.Name}'" : "a slot that was given back";

    bool IHeld.IsHeld(long ticket) => Volatile.Read(ref _slots) is not null;

    // A lease may be passed on; it is not broken by the end of who got it.
    void IHeld.HolderEnded(ManagedTask task, long ticket, Lifecycle.TaskEvent how)
    {
    }

    /// <summary>Gives the slot back.</summary>
    public void Dispose() => Atomics.Exchange(ref _slots, null)?.Return();
}

/// <summary>Waits for a slot inside a managed task. What resumes normally holds one.</summary>
internal readonly struct SlotAwaitable(TaskSlotManager slots) : System.Runtime.CompilerServices.ICriticalNotifyCompletion, IPassingAwaiter
{
    public bool IsCompleted => StepContext.MayGoOn() && slots.TryTake();

    public SlotAwaitable GetAwaiter() => this;

    public void GetResult()
    {
        if (Park.TakeSignal() == WaitSignal.Closed)
        {
            throw slots.ClosedError();
        }
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) =>
        throw new NotSupportedException("Slots are awaited inside futures only; TaskSlotManager.AcquireAsync and TaskPool.SpawnAsync serve plain code.");

    public void Suspend(Frame frame)
    {
        if (Park.Begin(frame, slots, out int armed))
        {
            slots.Wait(frame, armed);
        }
    }
}
