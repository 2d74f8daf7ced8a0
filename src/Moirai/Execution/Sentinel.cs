using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Moirai.Execution;

/// <summary>Who looks for tasks that nothing can wake. Declared here, implemented where leaks are judged.</summary>
internal interface ISuspicion
{
    /// <summary>A suspect has turned out to live: what its group had let go of must not be collected while the group does not hold it.</summary>
    void Keep(GroupTies hold);

    /// <summary>Whether the collector has been here since the suspects were made. Read by whoever makes one hold on again.</summary>
    bool HasCollected { get; }

    /// <summary>Whether all suspects hold on again. Read by the finalizer's thread.</summary>
    bool IsOver { get; }
}

/// <summary>What the suspects of one group have in common. Held by their sentinels, and by nobody who merely knows of the tasks.</summary>
/// <param name="Scan">Is told when one of them lives.</param>
/// <param name="Ties">What the group has let go of, for as long as the scan lasts; null when it holds on.</param>
internal sealed record SuspectGroup(ISuspicion Scan, GroupTies? Ties)
{
    /// <summary>One of the suspects has turned out to live.</summary>
    internal void Keep()
    {
        if (Ties is { } ties)
        {
            Scan.Keep(ties);
        }
    }
}

/// <summary>Stands guard over the frames of one suspect, and can be reached exactly as long as they can.</summary>
/// <remarks>
/// It takes the seat of the root frame's caller, so whatever holds any frame of the task holds it; the task itself knows meanwhile only the page in which it stands. It holds what the task
/// had held: its innermost frame, those who wait for its end, its token and regions. So none of these is kept alive by somebody who merely knows of the task. Whether the collector has reached it says its witness, in the
/// page; and through the keeper everything can be reached again and be resumed.
/// <para>A task that waits in a single frame, and has nothing else to let go of, needs none: the frame is its own sentinel, and what its group has let go of takes the seat of its caller.</para>
/// <para>Made by <see cref="ManagedTask.TrySuspect"/>, undone by the next who takes the task's lock, or by its next step.</para>
/// </remarks>
internal sealed class Sentinel(SuspectGroup group)
{
    // Written before the sentinel is seated, and not again.
    internal Frame Leaf = null!;
    internal object? Tail;
    internal object? Extras;

    internal ManagedTask Owner => Leaf.Owner!;

    internal SuspectGroup Group => group;
}

/// <summary>What the suspects of a page of the register hold in place of their frames: the way back to their sentinels, by their seats. Keeps none of them alive.</summary>
/// <remarks>One weak reference for a page of tasks leads back to all of them. Which of them the collector has reached is told by a weak handle each, which is cleared as soon as it has not, although the keeper brings the sentinel back then: a handle
/// costs a scan less than a finalizer, for which the runtime enters each object in a list when it is made, and looks through that at each collection.</remarks>
internal sealed class SuspectPage : IDisposable
{
    // In the seat of who was made to hold on again when the collector had been there.
    private static readonly object s_late = new();

    private readonly WeakReference<object?[]> _seated;

    // By seats. Made, read and freed by the scan alone.
    private readonly GCHandle[] _witnesses;

    /// <param name="keeper">Keeps the way back open.</param>
    /// <param name="seats">How many seats the page has.</param>
    internal SuspectPage(SentinelKeeper keeper, int seats)
    {
        _seated = new WeakReference<object?[]>(keeper.Add(seats), trackResurrection: true);
        _witnesses = new GCHandle[seats];
    }

    /// <summary>The sentinel of who sits there, or the frame that is its own. Read and written under the lock of that task; never null while this page is in the task's place.</summary>
    internal object? this[byte seat]
    {
        get => Seated[seat];
        set => Seated[seat] = value;
    }

    private object?[] Seated => _seated.TryGetTarget(out object?[]? seated)
        ? seated
        : throw new UnreachableException("A scan has lost its sentinels. Please report this.");

    /// <summary>Who sits there holds on again. Under the lock of that task.</summary>
    /// <param name="seat">The seat.</param>
    /// <param name="late">Whether the collector had been there by then.</param>
    internal void Clear(byte seat, bool late) => Seated[seat] = late ? s_late : null;

    /// <summary>Whether somebody has woken who sits there after the collector had been there.</summary>
    internal bool WasWokenLate(byte seat) => ReferenceEquals(Seated[seat], s_late);

    /// <summary>The frame in which who sits there waits. Under the lock of that task.</summary>
    internal Frame LeafOf(byte seat) => this[seat] is Sentinel sentinel ? sentinel.Leaf : (Frame)this[seat]!;

    /// <summary>The token and the regions of who sits there, or its extras. Under the lock of that task.</summary>
    internal object? ExtrasOf(byte seat) => (this[seat] as Sentinel)?.Extras;

    /// <summary>From here on it is noted whether the collector reaches what is seated there.</summary>
    internal void Witness(byte seat, object seated) => _witnesses[seat] = GCHandle.Alloc(seated, GCHandleType.Weak);

    /// <summary>Whether there was a collection that did not reach what was seated there, and proved so that nothing can reach the frames of its task.</summary>
    internal bool IsUnreached(byte seat) => _witnesses[seat] is { IsAllocated: true, Target: null };

    /// <summary>Lets the witnesses go.</summary>
    public void Dispose()
    {
        for (int i = 0; i < _witnesses.Length; i++)
        {
            if (_witnesses[i].IsAllocated)
            {
                _witnesses[i].Free();
            }
        }
    }
}

/// <summary>Keeps all sentinels of a scan from being collected, and none of them reachable: it can itself be reached by nobody while the collector looks, and comes back to life each time.</summary>
/// <remarks>The collector clears the handles of what is unreachable before it brings back those with finalizers, and what they hold. So this object hides no sentinel from it.</remarks>
internal sealed class SentinelKeeper(ISuspicion scan)
{
    // Written by the scan's thread while it holds the keeper.
    private readonly List<object?[]> _pages = [];

    ~SentinelKeeper()
    {
        if (!scan.IsOver)
        {
            GC.ReRegisterForFinalize(this);
        }
    }

    internal object?[] Add(int seats)
    {
        var page = new object?[seats];
        _pages.Add(page);
        return page;
    }
}
