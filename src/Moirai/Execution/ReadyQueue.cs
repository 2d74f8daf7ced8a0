using System.Numerics;
using Moirai.Ground;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>Ready frames, first come first served, in a ring that grows.</summary>
/// <remarks>Any thread may push, pop or steal. Everything is written under the gate. A ring and not a list through the frames: to take a frame touches
/// no other frame, and to steal copies a few cache lines instead of walking memory that another processor has just written.</remarks>
internal sealed class ReadyQueue : Isolated
{
    private const int SmallestRing = 256;

    private SpinGate _gate;

    // The frames, from _head on, around the end of the array; the length is a power of two.
    private Entry[] _ring = new Entry[SmallestRing];
    private int _head;
    private int _count;

    // Whether somebody is bound to come and pop: a pump that runs, or one that was sent for. Changes together with what it depends on, so
    // that no frame can be left behind by a pump that goes to sleep.
    private bool _served;
#pragma warning disable CS0169, S1144, IDE0051 // keeps the neighbours away
    private CacheLine _after;
#pragma warning restore CS0169, S1144, IDE0051

    /// <summary>Whether somebody is bound to come and pop.</summary>
    internal bool IsServed => Atomics.Read(ref _served);

    /// <summary>How many wait here. Read by anyone; may be a moment old.</summary>
    internal int Count => Atomics.Read(ref _count);

    /// <summary>Appends one frame.</summary>
    /// <returns>True when nobody serves the queue: the caller must send for somebody, and nobody else will.</returns>
    internal bool Push(Frame frame)
    {
        _gate.Enter();
        int count = Atomics.ReadOwn(in _count);
        if (count == _ring.Length)
        {
            GrowLocked(count + 1);
        }

        Entry[] ring = _ring;
        ring[(_head + count) & (ring.Length - 1)].Frame = frame;
        Atomics.WriteOwn(ref _count, count + 1);
        return ServeAndExit();
    }

    /// <summary>Appends one frame, unless the caller can serve the queue and nothing is before it.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="serves">True when nobody serves the queue: the caller must, and nobody else will.</param>
    /// <returns>False when the frame was not appended, since the caller may run it at once.</returns>
    internal bool PushOrServe(Frame frame, out bool serves)
    {
        _gate.Enter();
        serves = !_served;
        _served = true;
        bool push = !serves || _count > 0;
        if (push)
        {
            if (_count == _ring.Length)
            {
                GrowLocked(_count + 1);
            }

            _ring[(_head + _count) & (_ring.Length - 1)].Frame = frame;
            _count++;
        }

        _gate.Exit();
        return push;
    }

    /// <summary>Appends a chain linked by <see cref="WaitNode.Next"/>.</summary>
    /// <inheritdoc cref="Push(Frame)"/>
    internal bool PushChain(WaitNode head, int count)
    {
        _gate.Enter();
        int before = Atomics.ReadOwn(in _count);
        if (before + count > _ring.Length)
        {
            GrowLocked(before + count);
        }

        Entry[] ring = _ring;
        int at = _head + before;
        for (WaitNode? node = head; node is not null;)
        {
            WaitNode? next = node.Next;
            node.Next = null;
            ring[at++ & (ring.Length - 1)].Frame = (Frame)node;
            node = next;
        }

        Atomics.WriteOwn(ref _count, before + count);
        return ServeAndExit();
    }

    /// <summary>Appends what was stolen elsewhere. The caller serves this queue.</summary>
    internal void PushStolen(ReadOnlySpan<Entry> stolen)
    {
        _gate.Enter();
        int count = Atomics.ReadOwn(in _count);
        if (count + stolen.Length > _ring.Length)
        {
            GrowLocked(count + stolen.Length);
        }

        Entry[] ring = _ring;
        foreach (Entry entry in stolen)
        {
            ring[(_head + count++) & (ring.Length - 1)] = entry;
        }

        Atomics.WriteOwn(ref _count, count);
        _gate.Exit();
    }

    /// <summary>Puts a pump on duty if none is.</summary>
    /// <returns>True when the caller must send it.</returns>
    internal bool TryServe()
    {
        _gate.Enter();
        return ServeAndExit();
    }

    /// <summary>Takes the first. When there is none and <paramref name="leaveIfEmpty"/>, the caller no longer serves the queue.</summary>
    internal Frame? Pop(bool leaveIfEmpty)
    {
        if (!leaveIfEmpty && Atomics.Read(ref _count) == 0)
        {
            return null;
        }

        Frame? frame = null;
        _gate.Enter();
        int count = Atomics.ReadOwn(in _count);
        if (count > 0)
        {
            ref Entry entry = ref _ring[_head];
            frame = entry.Frame;
            entry.Frame = null;
            _head = (_head + 1) & (_ring.Length - 1);
            Atomics.WriteOwn(ref _count, count - 1);
        }
        else if (leaveIfEmpty)
        {
            Atomics.WriteOwn(ref _served, false);
        }

        _gate.Exit();
        return frame;
    }

    /// <summary>Takes up to half of what waits, from the front, and no more than there is room for.</summary>
    /// <returns>How many were taken.</returns>
    internal int StealHalf(Span<Entry> into)
    {
        if (Atomics.Read(ref _count) == 0)
        {
            return 0;
        }

        _gate.Enter();
        int count = Atomics.ReadOwn(in _count);
        int take = Math.Min((count + 1) / 2, into.Length);
        for (int i = 0; i < take; i++)
        {
            ref Entry entry = ref _ring[_head];
            into[i] = entry;
            entry.Frame = null;
            _head = (_head + 1) & (_ring.Length - 1);
        }

        Atomics.WriteOwn(ref _count, count - take);
        _gate.Exit();
        return take;
    }

    // Somebody is bound to come from here on; whether it is the caller who has to send for them.
    private bool ServeAndExit()
    {
        bool send = !Atomics.ReadOwn(in _served);
        Atomics.WriteOwn(ref _served, true);
        _gate.Exit();
        return send;
    }

    private void GrowLocked(int needed)
    {
        var ring = new Entry[BitOperations.RoundUpToPowerOf2((uint)needed)];
        int count = Atomics.ReadOwn(in _count);
        for (int i = 0; i < count; i++)
        {
            ring[i] = _ring[(_head + i) & (_ring.Length - 1)];
        }

        _ring = ring;
        _head = 0;
    }

    /// <summary>A place in the ring. A struct, so that storing a frame needs no check of the array's element type.</summary>
    internal struct Entry
    {
        internal Frame? Frame;
    }
}
