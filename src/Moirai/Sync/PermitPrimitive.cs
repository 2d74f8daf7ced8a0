using Moirai.Execution;
using Moirai.Lifecycle;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>What primitives have in common that several can have at a time: so many permits, who has them, and a line that nobody jumps.</summary>
/// <remarks>
/// Strictly first come first served. Permits that are given back go to the head of the line, for as long as there are enough for it: who asks for many is not overtaken by those who ask
/// for few. While anybody waits, nobody gets a permit in passing. Invariants: what is free and what is leased make up all permits there are, and the head of the line asks for more than what is free.
/// <para>Not for derivation outside Moirai.</para>
/// </remarks>
public abstract partial class PermitPrimitive : SynchronizationPrimitive, IHeld
{
    // A request, in WaitNode.Due: the number of permits above these flags and ILeased.Owned. What gets its permits finds the ticket there instead.
    private const long Exclusive = 2;
    private const long HoldsSome = 4;
    private const int CountShift = 3;

    private readonly int _maxWaiting;

    // All below: written under the gate.
    private LeaseTable _leases = new();
    private int _free;
    private int _total;
    private bool _isTakenAlone;

    // Who has it alone: the writer of a lock, the holder of a semaphore's one permit.
    private ManagedTask? _onlyHolder;

    private protected PermitPrimitive(string name, int permits, int maxWaiting)
        : base(name)
    {
        _free = _total = permits;
        _maxWaiting = maxWaiting;
    }

    internal sealed override ManagedTask? Holder => Atomics.Read(ref _onlyHolder);

    /// <summary>Permits that nobody has. Some may wait all the same, for more than these.</summary>
    private protected int Free => Atomics.Read(ref _free);

    /// <summary>All permits there are, leased or not.</summary>
    private protected int Total => Atomics.Read(ref _total);

    /// <summary>Whether somebody has it to itself.</summary>
    private protected bool IsTakenAlone => Atomics.Read(ref _isTakenAlone);

    /// <summary>Whether a task that has a lease already may not wait for another: it could wait for itself.</summary>
    private protected abstract bool RefusesHolders { get; }

    /// <summary>Whether there is, and can ever be, one permit.</summary>
    private protected virtual bool HasOnePermit => false;

    /// <summary>The error of a wait that ended with <see cref="WaitSignal.Refused"/>.</summary>
    private protected abstract Exception RefusedError();

    internal static long RequestFor(int count, bool isOwned, bool isExclusive = false) =>
        ((long)count << CountShift) | (isOwned ? ILeased.Owned : 0) | (isExclusive ? Exclusive : 0);

    /// <summary>Takes permits, if there are enough and nobody waits.</summary>
    /// <param name="context">The context of the current thread, if it has one.</param>
    /// <param name="request">How many, and for whom.</param>
    /// <param name="file">Where.</param>
    /// <param name="line">Where.</param>
    /// <param name="ticket">Names the lease.</param>
    internal bool TryTake(StepContext? context, long request, string file, int line, out long ticket)
    {
        ManagedTask? task = context?.Task;
        Gate.Enter();
        ticket = CanTakeLocked(request) ? TakeLocked(request, task, file, line) : 0;
        Gate.Exit();
        if (ticket == 0)
        {
            return false;
        }

        NoteHold(context, request, ticket);
        return true;
    }

    /// <inheritdoc cref="TryTake"/>
    private protected bool TryTakeNow(long request, string file, int line, out long ticket)
    {
        if (TryTake(StepContext.Existing, request, file, line, out ticket))
        {
            return true;
        }

        return IsClosed ? throw ClosedError() : false;
    }

    internal int PermitsOf(long ticket)
    {
        Gate.Enter();
        int permits = _leases.PermitsOf(ticket);
        Gate.Exit();
        return permits;
    }

    /// <summary>Gives a lease back. Does nothing when it was given back before, or has changed its kind.</summary>
    /// <returns>How many permits came back.</returns>
    internal int Return(long ticket, bool isExclusive)
    {
        Gate.Enter();
        int count = _leases.IsExclusive(ticket) == isExclusive ? _leases.PermitsOf(ticket) : 0;
        WaitNode? next = count == 0 ? null : ReturnLocked(ticket, count, left: 0, isForgotten: false);
        Gate.Exit();
        WakeGranted(next);
        return count;
    }

    /// <summary>Gives back some permits of a lease that is held with others; or they are gone for good.</summary>
    /// <returns>False when it has fewer.</returns>
    internal bool TryReturnSome(long ticket, int count, bool isForgotten)
    {
        Gate.Enter();
        int left = _leases.PermitsOf(ticket) - count;
        WaitNode? next = left < 0 ? null : ReturnLocked(ticket, count, left, isForgotten);
        Gate.Exit();
        WakeGranted(next);
        return left >= 0;
    }

    /// <summary>Turns an exclusive lease into one of one permit, under the same ticket.</summary>
    internal bool TryShare(long ticket)
    {
        Gate.Enter();
        bool shared = _leases.IsExclusive(ticket);
        WaitNode? next = null;
        if (shared)
        {
            next = ReturnLocked(ticket, _leases.PermitsOf(ticket) - 1, left: 1, isForgotten: false);
        }

        Gate.Exit();
        WakeGranted(next);
        return shared;
    }

    /// <summary>Gives a lease a new ticket, for which no task answers.</summary>
    /// <returns>0 when it was given back.</returns>
    internal long Detach(long ticket)
    {
        Gate.Enter();
        int permits = _leases.PermitsOf(ticket);
        if (permits > 0)
        {
            _leases.Remove(ticket);
            Atomics.Write(ref _onlyHolder, null);
            ticket = _leases.Add(permits, isExclusive: false, holder: null);
        }

        Gate.Exit();
        return permits > 0 ? ticket : 0;
    }

    internal sealed override void Seat(WaitNode node, int armed)
    {
        Gate.Enter();
        if (!node.IsArmed(armed))
        {
            Gate.Exit();
            return;
        }

        long request = node.Due;
        WaitSignal signal = WaitSignal.Done;
        if (IsClosed)
        {
            signal = WaitSignal.Closed;
        }
        else if (!CanTakeLocked(request))
        {
            if (Queue.Count < _maxWaiting && (request & HoldsSome) == 0)
            {
                Queue.Append(node);
                Gate.Exit();
                return;
            }

            signal = WaitSignal.Refused;
        }

        bool claimed = node.TryClaim();
        if (claimed && signal == WaitSignal.Done)
        {
            node.Due = TakeLocked(request, (node as Frame)?.Owner);
        }

        Gate.Exit();
        if (claimed)
        {
            node.Signal = signal;
            node.GoOn();
        }
    }

    /// <summary>Adds permits for good, if that makes no more than <paramref name="maximum"/>.</summary>
    private protected bool TryAdd(int count, int maximum)
    {
        Gate.Enter();
        bool added = count <= maximum - _total;
        WaitNode? next = null;
        if (added)
        {
            Atomics.Write(ref _total, Atomics.ReadOwn(in _total) + count);
            Atomics.Write(ref _free, Atomics.ReadOwn(in _free) + count);
            next = GrantLocked();
        }

        Gate.Exit();
        WakeGranted(next);
        return added;
    }

    /// <summary>Takes free permits away for good.</summary>
    /// <returns>How many; there may be fewer free.</returns>
    private protected int ForgetFree(int count)
    {
        Gate.Enter();
        int forgotten = Math.Min(count, _free);
        Atomics.Write(ref _free, Atomics.ReadOwn(in _free) - forgotten);
        Atomics.Write(ref _total, Atomics.ReadOwn(in _total) - forgotten);
        Gate.Exit();
        return forgotten;
    }

    /// <summary>Who has it, for messages: <c>held by #5 'a' (2) and #6 'b'</c>; empty when nobody has.</summary>
    private protected string DescribeHolders()
    {
        var first = new (ManagedTask? Holder, int Permits)[4];
        Gate.Enter();
        int count = _leases.CopyTo(first);
        int rest = _total - _free;
        Gate.Exit();
        if (rest == 0)
        {
            return string.Empty;
        }

        string all = string.Empty;
        for (int i = 0; i < Math.Min(count, 3); i++)
        {
            (ManagedTask? holder, int permits) = first[i];
            rest -= permits;
            all += (i == 0 ? "held by " : ", ") + (holder?.Title ?? "plain code") + (permits > 1 && !IsTakenAlone ? $" ({permits})" : string.Empty);
        }

        return count == 0 ? $"{rest} held" : rest > 0 ? $"{all} and others ({rest})" : all;
    }

    private protected sealed override bool TryCloseLocked(long ticket) => ticket == 0 || _leases.IsExclusive(ticket);

    private protected sealed override WaitNode? LeftLocked() => GrantLocked();

    bool IHeld.IsHeld(long ticket) => _leases.IsHeld(ticket);

    void IHeld.HolderEnded(ManagedTask task, long ticket, TaskEvent how)
    {
        Break(task, ticket, how); // if it had it to itself
        if (Return(ticket, isExclusive: true) > 0)
        {
            return;
        }

        int count = Return(ticket, isExclusive: false);
        if (count > 0)
        {
            task.Engine.Publish(new RuntimeEvent(
                RuntimeEventKind.PermitsReturned,
                $"{task.Title} ended without giving back {count} of {Title}, so Moirai gave it back. Give back with a using block; "
                + "if something that outlives the task still needs it, detach the lease before handing it over (SemaphoreLease.Detach), or take it with a token (no task answers for it then).",
                task.Id));
        }
    }

    private bool CanTakeLocked(long request) =>
        Queue.Count == 0 && Atomics.ReadOwn(in _free) >= request >> CountShift && !IsClosed && !_leases.IsFull;

    private long TakeLocked(long request, ManagedTask? task, string file = "", int line = 0)
    {
        var count = (int)(request >> CountShift);
        ManagedTask? holder = (request & ILeased.Owned) != 0 ? task : null;
        bool isExclusive = (request & Exclusive) != 0;
        if (isExclusive)
        {
            Atomics.Write(ref _isTakenAlone, true);
        }

        if (isExclusive || HasOnePermit)
        {
            Atomics.Write(ref _onlyHolder, holder);
        }

        Atomics.Write(ref _free, Atomics.ReadOwn(in _free) - count);
        return _leases.Add(count, isExclusive, holder, file, line);
    }

    /// <summary>Takes permits out of a lease, and the lease off the table when none is left.</summary>
    /// <returns>Who can go on because of that, claimed.</returns>
    private WaitNode? ReturnLocked(long ticket, int count, int left, bool isForgotten)
    {
        if (_leases.IsExclusive(ticket))
        {
            Atomics.Write(ref _isTakenAlone, false);
        }

        if (HasOnePermit || _leases.IsExclusive(ticket))
        {
            Atomics.Write(ref _onlyHolder, null);
        }

        if (left == 0)
        {
            _leases.Remove(ticket);
        }
        else
        {
            _leases.Change(ticket, left, isExclusive: false);
        }

        if (isForgotten)
        {
            Atomics.Write(ref _total, Atomics.ReadOwn(in _total) - count);
            return null;
        }

        Atomics.Write(ref _free, Atomics.ReadOwn(in _free) + count);
        return GrantLocked();
    }

    /// <summary>Hands free permits to the head of the line, for as long as there are enough for it.</summary>
    /// <returns>Who got some, claimed, linked by <see cref="WaitNode.Next"/>.</returns>
    private WaitNode? GrantLocked()
    {
        WaitNode? first = null;
        WaitNode? last = null;
        while (Queue.Head is { } node && Atomics.ReadOwn(in _free) >= node.Due >> CountShift && !_leases.IsFull)
        {
            Queue.Remove(node);
            if (!node.TryClaim())
            {
                continue; // canceled; whoever canceled it finds it gone
            }

            node.Due = TakeLocked(node.Due, (node as Frame)?.Owner);
            if (last is null)
            {
                first = node;
            }
            else
            {
                last.Next = node;
            }

            last = node;
        }

        return first;
    }

    private static void WakeGranted(WaitNode? first)
    {
        if (first is not null)
        {
            WakeAll(first, WaitSignal.Done);
        }
    }
}
