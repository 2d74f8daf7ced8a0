using System.Diagnostics;
using Moirai.Execution;
using Moirai.Futures;

namespace Moirai;

/// <summary>At most N tasks at a time, under one name: slots, a scope for the tasks that hold them, and an exact account.</summary>
/// <remarks>
/// A task holds its slot from its admission until it has ended, whichever way it ends. Admission and removal take constant time. A failing task touches no other: whoever
/// awaits its handle sees the failure. Safe from any thread.
/// <para><see cref="DrainAsync"/> leaves in peace; disposing without it cancels what still runs and waits for it.</para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed partial class TaskPool : IAsyncDisposable, IPlainSeats
{
    private readonly TaskGroup _group;
    private readonly TaskSlotManager _slots;

    internal TaskPool(TaskGroup parent, string name, int maxTasks, ManagedTask? opener)
    {
        ArgumentNullException.ThrowIfNull(name);
        _slots = new TaskSlotManager(maxTasks, name);
        _group = TaskGroup.Open(parent, name, opener);
        _group.Slots = _slots;
    }

    /// <summary>The name, for messages and dumps.</summary>
    public string Name => _group.Name;

    /// <summary>How many tasks may live at once.</summary>
    public int MaxTasks => _slots.MaxTasks;

    /// <summary>How many tasks live now. Exact, and never above <see cref="MaxTasks"/>.</summary>
    public long ActiveCount => _slots.InUse;

    /// <summary>How many wait to be admitted.</summary>
    public int WaitingCount => _slots.Waiting;

    /// <summary>How many tasks were ever admitted, and how they ended.</summary>
    public PoolCounts Counts
    {
        get
        {
            GroupCounts counts = _group.Counts;
            return new PoolCounts(counts.Created, counts.Live, counts.Completed, counts.Failed, counts.Canceled);
        }
    }

    /// <summary>How long a task of the pool may wait before an alarm is raised (<c>AlarmKind.BlockedTooLong</c>); null: as long as what is around it allows, in the end the runtime. It may be changed at any time.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? BlockedLimit
    {
        get => _group.BlockedLimit;
        set => _group.BlockedLimit = Timeouts.Positive(value);
    }

    /// <summary>Asks every task of the pool to stop, and takes no more. Returns at once.</summary>
    /// <param name="reason">Why, for whoever looks at a cause later.</param>
    /// <returns>False when it had been canceled, or had closed.</returns>
    public bool Cancel(string? reason = null)
    {
        bool first = _group.Cancel(Cancellation.Cause(CancelKind.Requested, _group.Engine, reason));
        _slots.Close();
        return first;
    }

    /// <summary>Takes no more work, waits until every task has ended, and closes the pool. Those who wait for a slot are refused.</summary>
    /// <remarks>When the task that waits is canceled, or timed (<c>.WithTimeout(…)</c>), the wait ends and the pool goes on draining.</remarks>
    /// <exception cref="InvalidOperationException">A task of the pool itself waits here: it would wait for its own end.</exception>
    public Future DrainAsync() => Homed.In(_group.Engine.Housekeeping, DrainCoreAsync(TaskIdentity.Task), "drain of pool", Name);

    private async Future DrainCoreAsync(ManagedTask? plainCaller)
    {
        ThrowIfInside("drains", plainCaller);
        _slots.Close();
        await Abandonment.CloseAsync(_group, "pool");
    }

    /// <summary>Cancels what still runs, waits until all has ended, and closes the pool. After a drain there is nothing left to do, nor after the stop of the runtime, which has reported what did not end and for which nobody waits any more.</summary>
    /// <exception cref="InvalidOperationException">A task of the pool itself disposes it. The pool is unchanged.</exception>
    public Future DisposeAsync() => Homed.Disposal(_group.Engine.Housekeeping, DisposeCoreAsync(TaskIdentity.Task), "disposal of pool", Name);

    private async Future DisposeCoreAsync(ManagedTask? plainCaller)
    {
        ThrowIfInside("disposes", plainCaller);
        _slots.Close();
        if (!_group.TryClose(out _)) // not "if it is empty": somebody may spawn before it is closed
        {
            if (_group.Engine.IsReported)
            {
                return; // what is left in it was canceled, given its time, and reported
            }

            _group.Cancel(Cancellation.Cause(CancelKind.ScopeLeft, _group.Engine, null, $"pool '{Name}'"));
        }

        using var shield = new CancelShield(ManagedTask.Stepped);
        await DrainCoreAsync(plainCaller);
    }

    /// <inheritdoc/>
    ValueTask IAsyncDisposable.DisposeAsync() => new(DisposeAsync().AsTask());

    /// <summary>Name and occupation.</summary>
    public override string ToString() => $"pool '{Name}' ({ActiveCount} of {MaxTasks} active, {WaitingCount} waiting)";

    internal TaskSlotManager Slots => _slots;

    /// <summary>Where a wait for a slot runs when plain code began it: as a task of the runtime, which is counted and stopped.</summary>
    internal TaskGroup Home => _group.Engine.Root;

    internal ManagedTask SpawnHolding(in Body body)
    {
        try
        {
            return Spawning.Spawn(_group, body);
        }
        catch (InvalidOperationException)
        {
            _slots.Return(); // nothing was entered, so nothing will give it back
            throw;
        }
    }

    internal ManagedTask<T> SpawnHolding<T>(in Body<T> body)
    {
        try
        {
            return Spawning.Spawn(_group, body);
        }
        catch (InvalidOperationException)
        {
            _slots.Return();
            throw;
        }
    }

    // Looks at what is to be spawned first: a mistake there must not depend on whether a slot is free.
    private bool TryTakeSlotFor(Future future)
    {
        Spawning.ThrowIfNotCold(future.Frame);
        return TryTakeSlot();
    }

    private bool TryTakeSlotFor(Delegate body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return TryTakeSlot();
    }

    CallbackSeat? IPlainSeats.FindSeat(object method) => _slots.FindSeat(method);

    private bool TryTakeSlot()
    {
        if (_slots.TryTake())
        {
            return true;
        }

        return _slots.IsClosed ? throw _slots.ClosedError() : false;
    }

    private void ThrowIfInside(string verb, ManagedTask? plainCaller)
    {
        if ((plainCaller ?? ManagedTask.Stepped) is { } task && task.Group.IsInside(_group))
        {
            throw new InvalidOperationException(
                $"{task.Title} {verb} pool '{Name}', in which it runs itself, and would wait for its own end. Cancel the pool instead, and leave the waiting to whoever owns it.");
        }
    }
}

/// <summary>The account of a pool: <c>Created == Live + Completed + Failed + Canceled</c>.</summary>
/// <param name="Created">Tasks admitted so far.</param>
/// <param name="Live">Tasks that have not ended.</param>
/// <param name="Completed">Tasks that ended with a result.</param>
/// <param name="Failed">Tasks that ended with an exception.</param>
/// <param name="Canceled">Tasks that ended because they were asked to.</param>
public readonly record struct PoolCounts(long Created, long Live, long Completed, long Failed, long Canceled);
