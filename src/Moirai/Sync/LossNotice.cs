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
/// <para>Owner by owner: of the end that has it, which gives it back once, when it is the one that has kept its promise; then of the thread on whose shelf it lies; else of the collector's thread.</para>
/// </remarks>
internal sealed class LossNotice
{
    private const int MostOnShelf = 32;

    [ThreadStatic]
    private static LossNotice? t_shelf;

    // What is lost when this is found unreachable; null on a shelf. Written by the owner.
    private ILosable? _end;

    // The next on the shelf, and how many there are from here on. Written by the owner.
    private LossNotice? _next;
    private int _count;

    // The collector tells of an object once: an end that another finalizer has made reachable again and that still keeps its promise gives back what can serve no more. Written by the collector's thread.
    private bool _isSpent;

    ~LossNotice()
    {
        _isSpent = true;
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
            return new LossNotice { _end = end };
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
        if (_isSpent)
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
            return;
        }

        _next = shelf;
        t_shelf = this;
    }
}
