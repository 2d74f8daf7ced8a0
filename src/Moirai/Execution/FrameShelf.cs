using System.Diagnostics;
using System.Runtime.CompilerServices;
using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>Frames of one method that one thread has for its next calls of it.</summary>
/// <remarks>
/// Only frames that nobody can know any more come here: see <see cref="Frame.TryRetire"/>. They are chained through <see cref="Wakers.WaitNode.Next"/>.
/// <para>They stay with the thread that ended them, whose processor has them at hand. To give them back to the thread that begins was tried, singly and by the sixteen, and costs more than new ones: each has to be fetched from the
/// other processor, twice.</para>
/// <para>Used by its thread alone.</para>
/// </remarks>
internal sealed class FrameShelf(FrameFlow flow) : Isolated
{
    /// <summary>How many frames a thread keeps for one method.</summary>
    internal const int Most = 32;

    private Frame? _first;
    private int _count;
#pragma warning disable CS0169, S1144, IDE0051 // keeps the neighbours away
    private CacheLine _after;
#pragma warning restore CS0169, S1144, IDE0051

    /// <summary>How many frames are to be made when there is none.</summary>
    internal int RunLength => flow.CrossesThreads ? FrameFlow.Run : 1;

    /// <summary>A frame in which nothing of its last life is left; null when there is none.</summary>
    internal Frame? TryTake()
    {
        Frame? frame = _first;
        if (frame is not null)
        {
            _first = Unsafe.As<Frame?>(frame.Next);
            frame.Next = null;
            _count--;
        }

        return frame;
    }

    /// <summary>Puts a frame here, in which nothing of its life is left. When there are enough, the collector gets it.</summary>
    internal void Put(Frame frame)
    {
        if (_count >= Most)
        {
            flow.CrossesThreads = true;
            return;
        }

        Add(frame);
    }

    /// <summary>Puts a frame here that has not served.</summary>
    internal void Add(Frame frame)
    {
        Debug.Assert(frame is { Owner: null, Caller: null, Next: null, Queue: null }, "Something of its life is left in a frame.");
        frame.Next = _first;
        _first = frame;
        _count++;
    }
}

/// <summary>Where the calls of one method end, as far as the making of frames goes by it.</summary>
/// <remarks>
/// Calls that begin on one thread and end on another by the hundred, as those of a spawner do, leave each frame to the collector. New ones are then made by the run, so that what is kept of the tasks lies side by side in
/// memory, and what has ended does: a collection copies runs, where it would have to pick one task after the other from between two dead frames.
/// </remarks>
internal sealed class FrameFlow
{
    /// <summary>How many frames are made at once; some 6 kB.</summary>
    internal const int Run = 64;

    /// <summary>Whether more of them ended on some thread than it can use. Written by any thread, once; read by all.</summary>
    internal bool CrossesThreads
    {
        get => field;
        set
        {
            if (!field)
            {
                field = value;
            }
        }
    }
}
