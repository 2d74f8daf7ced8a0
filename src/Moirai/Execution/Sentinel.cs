using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Moirai.Execution;

/// <summary>Who looks for tasks that nothing can wake. Declared here, implemented where leaks are judged.</summary>
internal interface ISuspicion
{
    /// <summary>The garbage collector has proved that nothing can reach the frames of the sentinel's task. Called by the finalizer's thread.</summary>
    void Proved(Sentinel sentinel);

    /// <summary>A suspect has turned out to live: what its group had let go of must not be collected while the group does not hold it.</summary>
    void Keep(GroupTies hold);
}

/// <summary>Stands guard over the frames of one suspect, and lives exactly as long as they can be reached.</summary>
/// <remarks>
/// It takes the seat of the root frame's caller, so whatever holds any frame of the task holds it; the task itself holds it weakly meanwhile. It holds what the task
/// had held: its innermost frame, those who wait for its end, its token and regions. So none of these is kept alive by somebody who merely knows of the task. When the collector finds that it cannot be reached, the
/// finalizer says so, and through it everything can be reached again and be resumed.
/// <para>Made by <see cref="ManagedTask.TrySuspect"/>, undone by the next who takes the task's lock, or by its next step.</para>
/// </remarks>
internal sealed class Sentinel(ISuspicion scan) : Frame, IDisposable
{
    // Written before the sentinel is seated, and not again.
    internal Frame Leaf = null!;
    internal object? Tail;
    internal object? Extras;

    // What the task's group had held, when the group has let go of it for this scan.
    internal GroupTies? Hold;

    ~Sentinel() => scan.Proved(this);

    /// <summary>Stands down: there is nothing to prove any more.</summary>
    public void Dispose() => GC.SuppressFinalize(this);

    internal override string Method => "a sentinel";

    internal ISuspicion Scan => scan;

    internal override void MoveNext() => throw new UnreachableException("A root frame returned to its sentinel: the task was resumed without a step. Please report this.");

    internal override void Release()
    {
        // It has no locals.
    }
}

/// <summary>What a suspect holds in place of its frame: the way back, which keeps nothing alive.</summary>
internal sealed class SentinelLink
{
    // Freed under the task's lock, by who restores the task; read under it.
    private GCHandle _sentinel;

    internal SentinelLink(Sentinel sentinel) => _sentinel = GCHandle.Alloc(sentinel, GCHandleType.WeakTrackResurrection);

    /// <summary>Never null while the link is in place: a sentinel that cannot be reached is in its scan's list before it can be collected.</summary>
    internal Sentinel Target => (Sentinel)_sentinel.Target!;

    internal void Free() => _sentinel.Free();
}
