using System.Diagnostics;

namespace Moirai.Execution;

/// <summary>Who looks for tasks that nothing can wake. Declared here, implemented where leaks are judged.</summary>
internal interface ISuspicion
{
    /// <summary>The garbage collector has proved that nothing can reach the frames of the sentinel's task. Called by the finalizer's thread.</summary>
    void Proved(Sentinel sentinel);

    /// <summary>A suspect has turned out to live: what its group had let go of must not be collected while the group does not hold it.</summary>
    void Keep(GroupTies hold);

    /// <summary>Whether all suspects hold on again. Read by the finalizer's thread.</summary>
    bool IsOver { get; }
}

/// <summary>What the suspects of one group have in common. Held by their sentinels, and by nobody who merely knows of the tasks.</summary>
/// <param name="Scan">Is told when nothing can wake one of them.</param>
/// <param name="Ties">What the group has let go of, for as long as the scan lasts; null when it holds on.</param>
internal sealed record SuspectGroup(ISuspicion Scan, GroupTies? Ties);

/// <summary>Stands guard over the frames of one suspect, and lives exactly as long as they can be reached.</summary>
/// <remarks>
/// It takes the seat of the root frame's caller, so whatever holds any frame of the task holds it; the task itself knows meanwhile only the page in which it stands. It holds what the task
/// had held: its innermost frame, those who wait for its end, its token and regions. So none of these is kept alive by somebody who merely knows of the task. When the collector finds that it cannot be reached, the
/// finalizer says so, and through it everything can be reached again and be resumed.
/// <para>Made by <see cref="ManagedTask.TrySuspect"/>, undone by the next who takes the task's lock, or by its next step.</para>
/// </remarks>
internal sealed class Sentinel(SuspectGroup group) : IDisposable
{
    // Written before the sentinel is seated, and not again.
    internal Frame Leaf = null!;
    internal object? Tail;
    internal object? Extras;

    ~Sentinel() => group.Scan.Proved(this);

    /// <summary>Stands down: there is nothing to prove any more.</summary>
    public void Dispose() => GC.SuppressFinalize(this);

    internal ManagedTask Owner => Leaf.Owner!;

    /// <summary>The suspect has turned out to live.</summary>
    internal void Keep()
    {
        if (group.Ties is { } ties)
        {
            group.Scan.Keep(ties);
        }
    }
}

/// <summary>What the suspects of a page of the register hold in place of their frames: the way back to their sentinels, by their seats. Keeps none of them alive.</summary>
/// <remarks>One weak reference for a page of tasks: one for each would cost more than all the rest of a search.</remarks>
internal sealed class SuspectPage
{
    private readonly WeakReference<Sentinel?[]> _sentinels;

    /// <param name="keeper">Keeps the way back open.</param>
    /// <param name="seats">How many seats the page has.</param>
    internal SuspectPage(SentinelKeeper keeper, int seats) =>
        _sentinels = new WeakReference<Sentinel?[]>(keeper.Add(seats), trackResurrection: true);

    /// <summary>The sentinel of who sits there. Read and written under the lock of that task; never null while this page is in the task's place.</summary>
    internal Sentinel? this[byte seat]
    {
        get => Sentinels[seat];
        set => Sentinels[seat] = value;
    }

    private Sentinel?[] Sentinels => _sentinels.TryGetTarget(out Sentinel?[]? sentinels)
        ? sentinels
        : throw new UnreachableException("A scan has lost its sentinels. Please report this.");
}

/// <summary>Keeps all sentinels of a scan from being collected, and none of them reachable: it can itself be reached by nobody while the collector looks, and comes back to life each time.</summary>
/// <remarks>The collector looks who is unreachable before it brings back those with finalizers, and what they hold. So this object hides no sentinel from it.</remarks>
internal sealed class SentinelKeeper(ISuspicion scan)
{
    // Written by the scan's thread while it holds the keeper.
    private readonly List<Sentinel?[]> _pages = [];

    ~SentinelKeeper()
    {
        if (!scan.IsOver)
        {
            GC.ReRegisterForFinalize(this);
        }
    }

    internal Sentinel?[] Add(int seats)
    {
        var page = new Sentinel?[seats];
        _pages.Add(page);
        return page;
    }
}
