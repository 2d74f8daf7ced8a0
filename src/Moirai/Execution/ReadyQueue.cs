using Moirai.Ground;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>Ready frames, first come first served, linked through the frames themselves.</summary>
/// <remarks>Any thread may push or pop. Everything is written under the gate.</remarks>
internal sealed class ReadyQueue
{
    private SpinGate _gate;
    private WaitNode? _head;
    private WaitNode? _tail;
    private int _count;

    // Whether somebody is bound to come and pop: a pump that runs, or one that was sent for. Changes together with what it depends on, so
    // that no frame can be left behind by a pump that goes to sleep.
    private bool _served;

    /// <summary>Whether somebody is bound to come and pop.</summary>
    internal bool IsServed => Volatile.Read(ref _served);

    /// <summary>How many wait here. Read by anyone; may be a moment old.</summary>
    internal int Count => Volatile.Read(ref _count);

    /// <summary>Appends a chain.</summary>
    /// <returns>True when nobody serves the queue: the caller must send for somebody, and nobody else will.</returns>
    internal bool Push(WaitNode head, WaitNode tail, int count)
    {
        tail.Next = null;
        _gate.Enter();
        if (_tail is null)
        {
            _head = head;
        }
        else
        {
            _tail.Next = head;
        }

        _tail = tail;
        _count += count;
        bool send = !_served;
        _served = true;
        _gate.Exit();
        return send;
    }

    /// <summary>Puts a pump on duty if none is.</summary>
    /// <returns>True when the caller must send it.</returns>
    internal bool TryServe()
    {
        _gate.Enter();
        bool send = !_served;
        _served = true;
        _gate.Exit();
        return send;
    }

    /// <summary>Takes the first. When there is none and <paramref name="leaveIfEmpty"/>, the caller no longer serves the queue.</summary>
    internal Frame? Pop(bool leaveIfEmpty)
    {
        if (!leaveIfEmpty && Volatile.Read(ref _count) == 0)
        {
            return null;
        }

        _gate.Enter();
        WaitNode? node = _head;
        if (node is null)
        {
            if (leaveIfEmpty)
            {
                _served = false;
            }
        }
        else
        {
            _head = node.Next;
            if (_head is null)
            {
                _tail = null;
            }

            node.Next = null;
            _count--;
        }

        _gate.Exit();
        return (Frame?)node;
    }

    /// <summary>Takes up to half of what waits, at most <paramref name="most"/>, as a chain from the front.</summary>
    internal int StealHalf(int most, out WaitNode? head, out WaitNode? tail)
    {
        head = tail = null;
        if (Volatile.Read(ref _count) == 0)
        {
            return 0;
        }

        _gate.Enter();
        int take = Math.Min((_count + 1) / 2, most);
        if (take > 0)
        {
            head = _head;
            tail = head;
            for (int i = 1; i < take; i++)
            {
                tail = tail!.Next;
            }

            _head = tail!.Next;
            if (_head is null)
            {
                _tail = null;
            }

            tail.Next = null;
            _count -= take;
        }

        _gate.Exit();
        return take;
    }
}
