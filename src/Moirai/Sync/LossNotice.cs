using System.Runtime.InteropServices;

namespace Moirai.Sync;

/// <summary>Who owes something to somebody at the other end, and can be lost.</summary>
internal interface ILosable
{
    /// <summary>Whether the loss matters: what is owed has neither come nor been given up. Takes a gate for a few instructions.</summary>
    bool Owes { get; }

    /// <summary>Nobody can reach the end that owes: nothing will ever come. By a thread of the pool.</summary>
    void WasLost();
}

/// <summary>Tells when the garbage collector has found an end lost: the end alone refers to it. Serves one end after the other.</summary>
/// <remarks>
/// An object with a finalizer costs the allocator a slow way and a lock, and each collection a look. So the ends themselves have none: an end that has come to its end gives its notice back to the thread it is on, and the next one takes it from there.
/// <para>The collector tells of an object once, and some time after it has found it: meanwhile another finalizer may have made the end reachable again, which then keeps its promise, and what it would give back would tell of the next end that it serves.
/// So each knows itself weakly: what the collector has found it does not find by that any more, and serves no more.</para>
/// <para>Owner by owner: of the end that has it, which gives it back once, when it is the one that has kept its promise; then of the thread on whose shelf it lies; else of the collector's thread.</para>
/// </remarks>
internal sealed class LossNotice
{
    private const int MostOnShelf = 32;

    [ThreadStatic]
    private static LossNotice? t_shelf;

    private readonly GCHandle _self;

    // What is lost when this is found unreachable; null on a shelf. Written by the owner.
    private ILosable? _end;

    // The next on the shelf, and how many there are from here on. Written by the owner.
    private LossNotice? _next;
    private int _count;

    // It has told, or would have. Written by the collector's thread.
    private bool _isSpent;

    private LossNotice(ILosable end)
    {
        _end = end;
        _self = GCHandle.Alloc(this, GCHandleType.Weak);
    }

    ~LossNotice()
    {
        if (_isSpent)
        {
            _self.Free(); // only now: until here somebody may give it back
            return;
        }

        _isSpent = true;
        GC.ReRegisterForFinalize(this);
        if (_end is { Owes: true } end)
        {
            LostEnds.Note();
            ThreadPool.UnsafeQueueUserWorkItem(static end => end.WasLost(), end, preferLocal: false); // what goes on then is not for the collector's thread
        }
    }

    /// <summary>A notice for an end that has just been made.</summary>
    internal static LossNotice Take(ILosable end)
    {
        LossNotice? notice = t_shelf;
        if (notice is null)
        {
            return new LossNotice(end);
        }

        t_shelf = notice._next;
        notice._next = null;
        notice._end = end;
        return notice;
    }

    /// <summary>The end has kept its promise: by its thread, which has cut the way from the end to here.</summary>
    internal void GiveBack()
    {
        _end = null;
        if (_isSpent || !ReferenceEquals(_self.Target, this))
        {
            return;
        }

        LossNotice? shelf = t_shelf;
        _count = shelf is null ? 1 : shelf._count + 1;
        if (_count > MostOnShelf)
        {
#pragma warning disable CA1816 // nothing is disposed of: the shelf is full, and the collector need not look at what is dropped
            GC.SuppressFinalize(this);
#pragma warning restore CA1816
            _self.Free();
            return;
        }

        _next = shelf;
        t_shelf = this;
    }
}
