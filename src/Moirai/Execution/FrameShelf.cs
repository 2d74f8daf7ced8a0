using System.Diagnostics;
using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>Frames of one method that one thread has for its next calls of it.</summary>
/// <remarks>
/// Only frames that nobody can know any more come here: see <see cref="Frame.TryRetire"/>. They are chained through <see cref="Wakers.WaitNode.Next"/>, so that a shelf takes no memory but theirs.
/// <para>Two chains, of which one is full or empty (after the magazines of Bonwick and Adams, <i>Magazines and Vmem</i>, USENIX 2001): a thread that only begins tasks which others
/// end goes to the depot once in <see cref="Chain"/> frames, and so does the other; one that does both does not go there at all.</para>
/// <para>Used by its thread alone.</para>
/// </remarks>
internal sealed class FrameShelf(FrameDepot depot)
{
    /// <summary>How many frames make a chain: what is handed to the depot, and taken from it, at once.</summary>
    internal const int Chain = 16;

    private Frame? _loaded;
    private Frame? _spare;
    private int _count;

    /// <summary>A frame in which nothing of its last life is left; null when there is none.</summary>
    internal Frame? TryTake()
    {
        Frame? frame = _loaded;
        if (frame is null && (frame = Reload()) is null)
        {
            return null;
        }

        _loaded = (Frame?)frame.Next;
        frame.Next = null;
        _count--;
        return frame;
    }

    /// <summary>Puts a frame here, in which nothing of its life is left. When there are enough, the collector gets it.</summary>
    internal void Put(Frame frame)
    {
        if (_count == Chain)
        {
            if (_spare is { } full && !depot.TryPut(full))
            {
                return;
            }

            _spare = _loaded;
            _loaded = null;
            _count = 0;
        }

        Debug.Assert(frame is { Owner: null, Caller: null, Next: null, Queue: null }, "Something of its life is left in a frame.");
        frame.Next = _loaded;
        _loaded = frame;
        _count++;
    }

    private Frame? Reload()
    {
        Frame? chain = _spare ?? depot.TryTake();
        _spare = null;
        _count = chain is null ? 0 : Chain;
        return chain;
    }
}

/// <summary>Where the shelves of all threads for one method exchange full chains.</summary>
/// <remarks>Any thread may put and take. What is here at most stays here, for the life of the process: the frames hold nothing.</remarks>
internal sealed class FrameDepot
{
    // Half a thousand frames, some 50 kB: what one thread ends of those that another has begun, while that other loses its processor for a moment.
    internal const int MostChains = 32;

    private readonly Frame?[] _chains = new Frame?[MostChains];
    private SpinGate _gate;

    // Written under the gate; read by anyone, to keep away from the gate when there is nothing to get.
    private int _count;

    internal Frame? TryTake()
    {
        if (Atomics.Read(ref _count) == 0)
        {
            return null;
        }

        Frame? chain = null;
        _gate.Enter();
        int count = Atomics.ReadOwn(in _count);
        if (count > 0)
        {
            chain = _chains[count - 1];
            _chains[count - 1] = null;
            Atomics.WriteOwn(ref _count, count - 1);
        }

        _gate.Exit();
        return chain;
    }

    /// <returns>False when there are enough.</returns>
    internal bool TryPut(Frame chain)
    {
        if (Atomics.Read(ref _count) == MostChains)
        {
            return false;
        }

        _gate.Enter();
        int count = Atomics.ReadOwn(in _count);
        bool room = count < MostChains;
        if (room)
        {
            _chains[count] = chain;
            Atomics.WriteOwn(ref _count, count + 1);
        }

        _gate.Exit();
        return room;
    }
}
