using System.Numerics;
using System.Runtime.CompilerServices;

namespace Moirai.Sync;

/// <summary>Elements in order, in a ring that grows. Under the gate of the channel that embeds it.</summary>
internal struct ElementRing<T>
{
    private const int SmallestRing = 4;

    // The elements, from _head on, around the end; the length is a power of two.
    private T[] _items;
    private int _head;

    public ElementRing() => _items = new T[SmallestRing];

    public int Count { get; private set; }

    public void Append(T element)
    {
        if (Count == _items.Length)
        {
            Grow();
        }

        _items[(_head + Count) & (_items.Length - 1)] = element;
        Count++;
    }

    public T TakeFirst()
    {
        ref T place = ref _items[_head];
        T element = place;
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            place = default!;
        }

        _head = (_head + 1) & (_items.Length - 1);
        Count--;
        return element;
    }

    public T[] TakeAll()
    {
        T[] all = Count == 0 ? [] : new T[Count];
        for (int i = 0; i < all.Length; i++)
        {
            all[i] = TakeFirst();
        }

        return all;
    }

    private void Grow()
    {
        var items = new T[BitOperations.RoundUpToPowerOf2((uint)Count + 1)];
        for (int i = 0; i < Count; i++)
        {
            items[i] = _items[(_head + i) & (_items.Length - 1)];
        }

        _items = items;
        _head = 0;
    }
}

/// <summary>The elements of those who wait to send: a wait node belongs to a frame, which has no place for them. Under the gate of the channel that embeds it.</summary>
/// <remarks>Who parks an element owns its slot until it knows how its wait ended. A wait that ended with <c>Done</c> has lost the slot to whoever took the element; any other wait
/// forgets it. So an element is either taken or undelivered, and exactly one party knows.</remarks>
internal struct ParkedElements<T>
{
    // As many as are kept when nobody waits.
    private const int FewSlots = 16;

    private Slot[] _slots = [];

    // The first free slot, or -1; the free ones are a list.
    private int _free = -1;

    public ParkedElements()
    {
    }

    /// <summary>How many are parked.</summary>
    public int Count { get; private set; }

    public int Park(T element)
    {
        if (_free < 0)
        {
            Grow();
        }

        int at = _free;
        ref Slot slot = ref _slots[at];
        _free = slot.NextFree;
        slot.Element = element;
        Count++;
        return at;
    }

    /// <summary>Takes the element out of its slot, which is free then.</summary>
    public T Take(int at)
    {
        ref Slot slot = ref _slots[at];
        T element = slot.Element;
        slot.Element = default!;
        slot.NextFree = _free;
        _free = at;
        if (--Count == 0 && _slots.Length > FewSlots)
        {
            _slots = []; // a storm is over
            _free = -1;
        }

        return element;
    }

    private void Grow()
    {
        int length = _slots.Length;
        Array.Resize(ref _slots, Math.Max(4, length * 2));
        for (int i = _slots.Length - 1; i >= length; i--)
        {
            _slots[i].NextFree = _free;
            _free = i;
        }
    }

    private struct Slot
    {
        internal T Element;
        internal int NextFree;
    }
}

/// <summary>Waiters that one event has claimed, linked by <see cref="Wakers.WaitNode.Next"/>, to be made ready outside the gate.</summary>
internal struct ClaimedChain
{
    private Wakers.WaitNode? _last;

    internal Wakers.WaitNode? First { get; private set; }

    internal void Add(Wakers.WaitNode node)
    {
        if (_last is null)
        {
            First = node;
        }
        else
        {
            _last.Next = node;
        }

        _last = node;
    }

    internal void AddAll(ref Wakers.WaitQueue queue)
    {
        while (queue.ClaimFirst() is { } node)
        {
            Add(node);
        }
    }
}
