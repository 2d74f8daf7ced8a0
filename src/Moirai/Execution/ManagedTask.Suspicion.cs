using System.Diagnostics;
using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai;

/// <content>Letting go of the frames for a moment, so that the garbage collector can tell whether anybody else holds them.</content>
public partial class ManagedTask
{
    /// <summary>Takes the gate of the task, whose links are whole afterwards. For whoever cancels, joins or looks at what the task holds.</summary>
    internal void Lock()
    {
        _core.Gate.Enter();
        if ((_core.Flags & TaskFlags.Suspected) != 0)
        {
            RestoreLocked();
        }
    }

    /// <summary>Gives the gate back.</summary>
    internal void Unlock() => _core.Gate.Exit();

    /// <summary>Lets go of the frames of a waiting task: from here on it is held by what can wake it, and by nothing else of ours.</summary>
    /// <param name="page">Where its sentinel stands.</param>
    /// <param name="group">What it has in common with the other suspects of its group.</param>
    /// <param name="onlyIfDeaf">Somebody will cancel what its group does: it is a suspect only when that will not reach it. It was canceled before, and waits in foreign code that did not heed it or under a shield.</param>
    /// <returns>Its sentinel, or the frame that is its own: what can be reached as long as something can wake the task. Null when the task does not wait now.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)] // no frame may linger in a caller's stack
    internal object? TrySuspect(SuspectPage page, SuspectGroup group, bool onlyIfDeaf = false)
    {
        // Made before the wait is held: whoever wakes the task must not wait for an allocation.
        Sentinel? sentinel = _tail is null && _extras is null && Place is Frame { IsRoot: true } ? null : new Sentinel(group);
        object? seated = TrySeat(page, group, sentinel, onlyIfDeaf, out bool isMissing);
        return isMissing ? TrySeat(page, group, new Sentinel(group), onlyIfDeaf, out _) : seated;
    }

    // Without a sentinel only one who has nothing to give it: whether that has changed since somebody looked is told.
    private object? TrySeat(SuspectPage page, SuspectGroup group, Sentinel? sentinel, bool onlyIfDeaf, out bool isMissing)
    {
        object? seated = null;
        isMissing = false;
        _core.Gate.Enter();
        if ((_core.Flags & TaskFlags.Suspected) == 0 && Word.TryHold())
        {
            if (Place is Frame leaf && (!onlyIfDeaf || IsDeafLocked(leaf)))
            {
                isMissing = sentinel is null && !(_tail is null && _extras is null && leaf.IsRoot);
                if (!isMissing)
                {
                    seated = SeatLocked(leaf, sentinel, group);
                    Cell?.ForgetContexts();
                    _core.Flags |= TaskFlags.Suspected;
                    page[_core.Seat] = seated;
                    Atomics.Write(ref Place, page);
                }
            }

            Word.LetGo();
        }

        _core.Gate.Exit();
        return seated;
    }

    private object SeatLocked(Frame leaf, Sentinel? sentinel, SuspectGroup group)
    {
        if (sentinel is null)
        {
            leaf.Seat(group);
            return leaf;
        }

        if (IsCancelRequested)
        {
            SilenceLocked(isForeign: leaf.Queue is not Wakers.IWaitQueue);
        }

        sentinel.Leaf = leaf;
        sentinel.Tail = _tail;
        sentinel.Extras = _extras;
        if (_extras is TaskExtras { Links: { } links })
        {
            links.HoldAll(sentinel); // a token from outside can wake the task
        }

        if (ReferenceEquals(leaf.Queue, leaf))
        {
            WakingIn(_extras)?.Hold(sentinel); // it polls: whoever has a waker can wake it
        }

        _tail = _extras = null;
        leaf.Seat(sentinel);
        return sentinel;
    }

    /// <summary>Undoes <see cref="TrySuspect"/> if nobody has yet. Afterwards the task holds what it held before.</summary>
    internal void Restore()
    {
        Lock();
        Unlock();
    }

    /// <summary>Undoes <see cref="TrySuspect"/> for a task whose sentinel was not reached, if nobody has yet.</summary>
    /// <returns>False when somebody else has: then the task is none of the finder's business any more.</returns>
    internal bool TryTakeProved(SuspectPage page)
    {
        _core.Gate.Enter();
        bool proved = (_core.Flags & TaskFlags.Suspected) != 0 && ReferenceEquals(Place, page);
        if (proved)
        {
            RestoreLocked();
        }

        _core.Gate.Exit();
        return proved;
    }

    /// <summary>Resumes a task that waits for ever in a wait of ours: its await throws.</summary>
    /// <returns>False when the wait is over, or is one on foreign code.</returns>
    internal bool TryHeal(Exception leak)
    {
        Lock();
        bool healed = Place is Frame { Queue: Wakers.IWaitQueue } && Word.TryInterrupt();
        var leaf = Place as Frame;
        if (healed)
        {
            ExtrasLocked().Leak = leak;
        }

        Unlock();
        if (healed)
        {
            ((Wakers.IWaitQueue)leaf!.Queue!).Remove(leaf);
            leaf.Signal = Wakers.WaitSignal.Leaked;
            Engine.Executor.Enqueue(leaf);
        }

        return healed;
    }

    /// <summary>Keeps what the await of a wait that could not begin throws.</summary>
    internal void KeepForAwait(Exception refused)
    {
        Lock();
        ExtrasLocked().Leak = refused;
        Unlock();
    }

    /// <summary>What the wait that was ended by <see cref="TryHeal"/> throws, or one that could not begin.</summary>
    internal Exception TakeLeak()
    {
        Lock();
        TaskExtras extras = ExtrasLocked();
        Exception leak = extras.Leak ?? new UnreachableException($"{Title} was resumed as leaked without a reason. Please report this.");
        extras.Leak = null;
        Unlock();
        return leak;
    }

    /// <summary>Whether a timeout that runs now will end what the task does. Leaves a suspect as it is.</summary>
    internal bool IsTimed
    {
        get
        {
            _core.Gate.Enter();
            object? extras = Place is SuspectPage page ? page.ExtrasOf(_core.Seat) : _extras;
            bool timed = false;
            for (CancelRegion? region = (extras as TaskExtras)?.Regions; region is not null; region = region.Outer)
            {
                timed |= region.WillExpire;
            }

            _core.Gate.Exit();
            return timed;
        }
    }

    /// <summary>Whether it was not canceled yet and follows a token from outside. Leaves a suspect as it is.</summary>
    internal bool FollowsTokens => !IsCancelRequested && LookAtExtras() is { Links.IsAnyFromOutside: true };

    /// <summary>The task whose plain code called this one and waits for it. Leaves a suspect as it is.</summary>
    internal ManagedTask? Caller => LookAtExtras()?.Caller;

    // Links are added to a list and never taken out of it while the task lives, so it is enough that its first was read under the gate.
    private TaskExtras? LookAtExtras()
    {
        _core.Gate.Enter();
        object? extras = Place is SuspectPage page ? page.ExtrasOf(_core.Seat) : _extras;
        _core.Gate.Exit();
        return extras as TaskExtras;
    }

    /// <summary>Whether the task may wait for ever without being taken for leaked: a listener that is to be there as long as the process, a guard that
    /// only ever ends by cancellation. False by default. Set by anybody, at any time.</summary>
    public bool IsResident
    {
        get => (_core.Flags & TaskFlags.Resident) != 0;
        set
        {
            _core.Gate.Enter();
            _core.Flags = value ? _core.Flags | TaskFlags.Resident : _core.Flags & ~TaskFlags.Resident;
            _core.Gate.Exit();
        }
    }

    /// <summary>How long the task may wait before an alarm is raised (<c>AlarmKind.BlockedTooLong</c>); null: as long as its scope or pool allows, in the end the runtime. It may be changed at any time, by anybody.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? BlockedLimit
    {
        get => LookAtBlockedLimit();
        set
        {
            TimeSpan? limit = Timeouts.Positive(value);
            Lock();
            ExtrasLocked().BlockedLimit = limit;
            Unlock();
        }
    }

    /// <summary>Called by the first step after a wait in which the task was suspected.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void RestoreBeforeStep()
    {
        Restore();
        Group.Regain();
    }

    /// <summary>The frame that waits or goes on; null while the task runs, and after its end.</summary>
    internal Frame? Leaf
    {
        get
        {
            object? place = Atomics.Read(ref Place);
            return place is SuspectPage ? LeafOfSuspect() : place as Frame;
        }
    }

    private Frame? LeafOfSuspect()
    {
        _core.Gate.Enter();
        Frame? leaf = Place is SuspectPage page ? page.LeafOf(_core.Seat) : Place as Frame;
        _core.Gate.Exit();
        return leaf;
    }

    // It was canceled, and no other cancellation from outside can reach its wait.
    private bool IsDeafLocked(Frame leaf) => IsCancelRequested && (leaf.Queue is not Wakers.IWaitQueue || Extras is { Shields: > 0 });

    // The wheel holds what is timed; in vain, where the end of the time reaches nobody.
    private void SilenceLocked(bool isForeign)
    {
        bool reaches = !isForeign;
        for (CancelRegion? region = Extras?.Regions; region is not null; region = region.Outer)
        {
            if (!reaches)
            {
                region.Silence();
            }

            reaches &= !region.IsShield;
        }
    }

    private void RestoreLocked()
    {
        var page = (SuspectPage)Place!;
        object seated = page[_core.Seat]!;
        Frame leaf;
        SuspectGroup group;
        if (seated is Sentinel sentinel)
        {
            leaf = sentinel.Leaf;
            group = sentinel.Group;
            leaf.Unseat(sentinel);
            _tail = sentinel.Tail;
            _extras = sentinel.Extras;
            if (_extras is TaskExtras extras)
            {
                extras.Links?.HoldAll(null);
                for (CancelRegion? region = extras.Regions; region is not null; region = region.Outer)
                {
                    region.Unsilence(leaf);
                }
            }

            WakingIn(_extras)?.LetGo(this);
        }
        else
        {
            leaf = (Frame)seated;
            group = leaf.Unseat();
        }

        page.Clear(_core.Seat, late: group.Scan.HasCollected);
        group.Keep();
        _core.Flags &= ~TaskFlags.Suspected;
        Atomics.Exchange(ref Place, leaf); // a fence: the owner writes there without any
    }
}
