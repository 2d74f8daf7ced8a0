using Moirai.Timers;

namespace Moirai.Execution;

/// <summary>A stretch of a task's life that can be canceled by itself (a timeout, the body of a scope), or that shields what runs
/// inside it from cancellation that comes from outside.</summary>
/// <remarks>The regions of a task form a stack, innermost first, through <see cref="Outer"/>. Only the task's own thread enters and leaves
/// them; both happen under the task's gate, and so does <see cref="Expire"/>: once a region is left, its expiry can no longer touch the
/// task. Cancellation is level-triggered: every wait inside an expired region throws, until the region is left.</remarks>
internal abstract class CancelRegion
{
    private readonly ManagedTask _task;

    // All below: written under the task's gate.
    private bool _active;
    private CancellationTokenSource? _source;

    private protected CancelRegion(ManagedTask task, bool isShield)
    {
        _task = task;
        IsShield = isShield;
    }

    internal bool IsShield { get; }

    internal ManagedTask Task => _task;

    /// <summary>The group whose body runs inside, if it is one's body.</summary>
    internal virtual TaskGroup? Scope => null;

    /// <summary>The time by which what runs inside has to be over, as the timer queue counts; never by default.</summary>
    internal virtual long Due => TimerWheel.Never;

    /// <summary>The enclosing region. Written under the gate.</summary>
    internal CancelRegion? Outer { get; private set; }

    /// <summary>Whether a timer that runs now will make it expire. Asked under the gate.</summary>
    internal virtual bool WillExpire => false;

    /// <summary>For the time of a search: takes out of the timer queue what makes the region expire, if nobody would notice that it does. Under the gate of a task that was canceled and whose wait the expiry cannot end.</summary>
    internal virtual void Silence()
    {
    }

    /// <summary>Undoes <see cref="Silence"/>. Under the gate.</summary>
    /// <param name="leaf">The innermost of the task's frames.</param>
    internal virtual void Unsilence(Frame leaf)
    {
    }

    /// <summary>Whether code inside has asked for the region's token, and the token was not canceled yet. Asked under the gate.</summary>
    private protected bool HasListeners => _source is { IsCancellationRequested: false };

    /// <summary>Why it expired; null while it has not. Written under the gate, once.</summary>
    internal CancelCause? Cause { get; private set; }

    /// <summary>Whether what runs inside has been told that the region expired: a wait threw, or a token was canceled.</summary>
    internal bool WasDelivered { get; private set; }

    internal void Enter()
    {
        _task.Lock();
        TaskExtras extras = _task.ExtrasLocked();
        Outer = extras.Regions;
        extras.Regions = this;
        if (IsShield)
        {
            extras.Shields++;
        }

        _active = true;
        _task.Unlock();
    }

    /// <summary>Leaves the region. Harmless when it was left before.</summary>
    internal void Leave()
    {
        _task.Lock();
        if (_active)
        {
            _active = false;
            TaskExtras extras = _task.ExtrasLocked();
            if (IsShield)
            {
                extras.Shields--;
            }

            if (ReferenceEquals(extras.Regions, this))
            {
                extras.Regions = Outer;
            }
            else
            {
                TakeOut(extras.Regions);
            }

            if (_task.HasExpiredRegion && !IsAnyExpired(extras.Regions))
            {
                _task.ClearFlagLocked(TaskFlags.RegionExpired);
            }
        }

        _task.Unlock();
    }

    /// <summary>Cancels what runs inside. Harmless when the region was left.</summary>
    /// <param name="cause">Why.</param>
    /// <returns>False when the region was left or had expired.</returns>
    internal bool Expire(CancelCause cause)
    {
        _task.Lock();
        if (!_active || Cause is not null)
        {
            _task.Unlock();
            return false;
        }

        Cause = cause;
        _task.SetFlagLocked(TaskFlags.RegionExpired);
        Atomics.Fence(); // the flag before the look at the word; Park does the same the other way round
        bool reached = IsReachedFrom(_task.ExtrasLocked().Regions);
        Frame? leaf = reached ? Cancellation.ClaimLocked(_task) : null;
        CancellationTokenSource[]? sources = Cancellation.SourcesLocked(_task, outermost: this);
        WasDelivered |= sources is not null || (reached && leaf is null && _task.State == TaskState.Blocked); // in foreign code: not ready, whatever comes of it
        _task.Unlock();
        Cancellation.Deliver(_task, leaf, sources, cause);
        return true;
    }

    /// <summary>A wait is about to throw <paramref name="cause"/>. By the task's own thread.</summary>
    internal void NoteDelivery(CancelCause cause) => WasDelivered |= ReferenceEquals(Cause, cause);

    /// <summary>The task has ended inside the region: takes back whatever the region still has elsewhere, such as a timer entry.</summary>
    internal virtual void Abandon()
    {
    }

    /// <summary>The token of what runs inside; canceled when the region expires, or when something outside cancels and no shield is in between.</summary>
    internal CancellationToken Token
    {
        get
        {
            _task.Lock();
            _source ??= new CancellationTokenSource();
            CancellationTokenSource source = _source;
            bool canceled = _active && Cancellation.FindFrom(_task, this) is not null;
            _task.Unlock();
            if (canceled)
            {
                Cancellation.CancelSource(_task, source); // an earlier asker may have registered a callback
            }

            return source.Token;
        }
    }

    internal CancellationTokenSource? Source => _source;

    // A shield that is disposed out of order is taken out from where it is.
    private void TakeOut(CancelRegion? innermost)
    {
        for (CancelRegion? region = innermost; region is not null; region = region.Outer)
        {
            if (ReferenceEquals(region.Outer, this))
            {
                region.Outer = Outer;
                return;
            }
        }
    }

    private static bool IsAnyExpired(CancelRegion? innermost)
    {
        CancelRegion? region = innermost;
        while (region is { Cause: null })
        {
            region = region.Outer;
        }

        return region is not null;
    }

    private bool IsReachedFrom(CancelRegion? innermost)
    {
        for (CancelRegion? region = innermost; region is not null; region = region.Outer)
        {
            if (ReferenceEquals(region, this))
            {
                return true;
            }

            if (region.IsShield)
            {
                return false;
            }
        }

        return false;
    }
}

/// <summary>What a shield puts around the code inside it.</summary>
internal sealed class ShieldRegion(ManagedTask task) : CancelRegion(task, isShield: true);
