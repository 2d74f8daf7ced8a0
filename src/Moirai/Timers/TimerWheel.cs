using System.Numerics;
using System.Runtime.CompilerServices;
using Moirai.Wakers;

namespace Moirai.Timers;

/// <summary>The nodes that a turn of the wheel took out, in the order in which they fire, linked by <see cref="WaitNode.Next"/>.</summary>
internal struct DueChain
{
    public WaitNode? Head;
    public WaitNode? Tail;

    public void Append(WaitNode node)
    {
        node.Next = null;
        if (Tail is null)
        {
            Head = node;
        }
        else
        {
            Tail.Next = node;
        }

        Tail = node;
    }
}

/// <summary>A hierarchical timing wheel: nine levels of 64 slots, a tick of one millisecond. No lock and no clock of its own.</summary>
/// <remarks>
/// <para>A deadline (<see cref="WaitNode.Due"/>, in units of 100 ns) belongs to the tick that it is rounded up to. Read a tick as a number
/// of nine digits in base 64: level 0 turns once in 64 ms, level 1 in 4 s, level 2 in 4 min, level 3 in 5 h, level 4 in 12 days, level 5 in
/// 2 years, and level 8 reaches past the largest <see cref="long"/>, so nothing overflows and no slot ever stands for two times.</para>
/// <para>The law: a node lies on the level of the highest digit in which its tick differs from <c>_elapsed</c>, in the slot named by that
/// digit. From that follows all the rest:</para>
/// <list type="number">
/// <item>all nodes of a level come before all nodes of the next one, so what comes first is in the lowest slot of the lowest level that has any;</item>
/// <item>moving <c>_elapsed</c> on is free until it reaches the start of that slot, and then exactly that one slot has to be dealt out
/// again to lower levels (it cascades);</item>
/// <item>nodes of one tick always share a slot, and cascading keeps their order: within a tick they fire in the order in which they came.
/// (Only a node that comes in while a cascade is interrupted by its budget may overtake.)</item>
/// </list>
/// <para>A deadline of <see cref="Never"/> lies in a list of its own, which no turn looks at.</para>
/// </remarks>
internal sealed class TimerWheel
{
    /// <summary>The deadline that never comes.</summary>
    internal const long Never = long.MaxValue;

    /// <summary>One tick of the wheel, in the 100 ns units of deadlines.</summary>
    internal const long TickLength = TimeSpan.TicksPerMillisecond;

    private const int DigitBits = 6;
    private const int SlotsPerLevel = 1 << DigitBits;
    private const int Levels = 9;
    private const int NeverSlot = Levels * SlotsPerLevel;
    private const int NoSlot = -1;

    // All fields: read and written by whoever holds the lock of the queue that owns the wheel; Count may be read by anyone.

    // The last slot is the list of those that never fire.
    private readonly Slot[] _slots = new Slot[NeverSlot + 1];

    // A bit for each slot of a level that has nodes.
    private readonly ulong[] _occupied = new ulong[Levels];

    // A bit for each level that has nodes.
    private uint _occupiedLevels;

    // The tick up to which everything has been yielded. Not later than the clock; when turned exactly, at most one tick later.
    private long _elapsed;

    // The slot which is being dealt out; it is finished before anything else moves.
    private int _cascading = NoSlot;

    private int _count;

    /// <summary>How many nodes are linked, those that never fire included.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Rounds a time up to the tick at which a wheel that is not turned exactly yields it.</summary>
    public static long RoundUp(long due) => due > Never - TickLength ? Never : (due + TickLength - 1) / TickLength * TickLength;

    /// <summary>Links a node by its <see cref="WaitNode.Due"/>, in O(1). A deadline in the past is yielded by the next turn.</summary>
    public void Insert(WaitNode node)
    {
        node.IsLinked = true;
        _count++;
        Place(node);
    }

    /// <summary>Takes a node out, in O(1).</summary>
    /// <returns>False when the node was not linked.</returns>
    public bool Remove(WaitNode node)
    {
        if (!node.IsLinked)
        {
            return false;
        }

        ref Slot slot = ref _slots[node.Slot];
        WaitNode? next = node.Next;
        WaitNode prev = node.Prev!;
        if (ReferenceEquals(slot.Head, node))
        {
            slot.Head = next;
            if (next is null)
            {
                MarkEmpty(node.Slot);
            }
            else
            {
                next.Prev = prev;
            }
        }
        else
        {
            prev.Next = next;
            (next ?? slot.Head!).Prev = prev;
        }

        node.IsLinked = false;
        node.Next = node.Prev = null;
        _count--;
        return true;
    }

    /// <summary>Turns the wheel to <paramref name="now"/> and takes out the nodes that are due, in order of their ticks.</summary>
    /// <param name="now">The time, in units of 100 ns.</param>
    /// <param name="exact">Whether nodes of the tick that has only begun are taken when their own deadline has come. The tick is
    /// looked through in one go.</param>
    /// <param name="budget">About how many nodes may be touched.</param>
    /// <param name="due">Receives the nodes, which are not linked any more.</param>
    /// <returns>False when the budget was used up: call again, there may be more.</returns>
    public bool Advance(long now, bool exact, int budget, ref DueChain due)
    {
        long nowTick = now / TickLength;
        long reach = exact ? nowTick + 1 : nowTick;
        while (true)
        {
            if (_cascading != NoSlot && !Cascade(ref budget))
            {
                return false;
            }

            if (!FindFirst(out int level, out int index, out long start) || start > reach)
            {
                break;
            }

            _elapsed = Math.Max(_elapsed, start);
            if (level > 0)
            {
                _cascading = index;
            }
            else if (start > nowTick)
            {
                TakeSome(index, now, ref due);
                break;
            }
            else if (!TakeAll(index, ref budget, ref due))
            {
                return false;
            }
        }

        _elapsed = Math.Max(_elapsed, nowTick);
        return true;
    }

    /// <summary>When a wheel that is not turned exactly has to be turned next: a tick in which something is due, or the start of a
    /// slot that cascades. <see cref="Never"/> when there is nothing to wait for.</summary>
    public long NextTurn()
    {
        if (_cascading != NoSlot)
        {
            return ToTime(_elapsed);
        }

        return FindFirst(out _, out _, out long start) ? ToTime(start) : Never;
    }

    /// <summary>The earliest deadline.</summary>
    /// <param name="scanLimit">How many nodes may be looked at: the earliest is somewhere in the first slot.</param>
    /// <param name="due">The earliest deadline; about the time of its slot, when the limit was too small; <see cref="Never"/>
    /// when nothing will ever be due.</param>
    /// <returns>Whether <paramref name="due"/> is exact.</returns>
    public bool TryEarliestDue(int scanLimit, out long due)
    {
        due = Never;
        bool exact = true;
        if (_cascading != NoSlot)
        {
            // Its nodes are on two levels for the moment; they are older than all the others.
            exact = Scan(_cascading, ref scanLimit, ref due);
        }

        if (FindFirst(out _, out int index, out long start) && index != _cascading)
        {
            exact &= Scan(index, ref scanLimit, ref due);
        }

        if (!exact)
        {
            due = Math.Min(due, Math.Max(0, ToTime(_cascading != NoSlot ? _elapsed : start) - TickLength));
        }

        return exact;
    }

    private static long ToTime(long tick) => tick > Never / TickLength ? Never : tick * TickLength;

    private void Place(WaitNode node)
    {
        int index = NeverSlot;
        if (node.Due != Never)
        {
            // Rounded up without overflow; what is overdue belongs to the current tick.
            long tick = Math.Max(_elapsed, (long)(((ulong)Math.Max(0, node.Due) + TickLength - 1) / TickLength));
            int level = (int)((uint)BitOperations.Log2((ulong)(_elapsed ^ tick) | 1) / DigitBits);
            int digit = (int)(tick >> (level * DigitBits)) & (SlotsPerLevel - 1);
            index = (level * SlotsPerLevel) + digit;
            _occupied[level] |= 1UL << digit;
            _occupiedLevels |= 1U << level;
        }

        node.Slot = (short)index;
        node.Next = null;
        ref Slot slot = ref _slots[index];
        if (slot.Head is { } head)
        {
            WaitNode tail = head.Prev!;
            tail.Next = node;
            node.Prev = tail;
            head.Prev = node;
        }
        else
        {
            slot.Head = node;
            node.Prev = node;
        }
    }

    private void MarkEmpty(int index)
    {
        if (index == NeverSlot)
        {
            return;
        }

        int level = index / SlotsPerLevel;
        if ((_occupied[level] &= ~(1UL << (index % SlotsPerLevel))) == 0)
        {
            _occupiedLevels &= ~(1U << level);
        }
    }

    // The first slot that has nodes, and the tick at which its time begins.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool FindFirst(out int level, out int index, out long start)
    {
        level = index = 0;
        start = 0;
        if (_occupiedLevels == 0)
        {
            return false;
        }

        level = BitOperations.TrailingZeroCount(_occupiedLevels);
        int digit = BitOperations.TrailingZeroCount(_occupied[level]);
        int shift = level * DigitBits;
        index = (level * SlotsPerLevel) + digit;
        start = (_elapsed >> (shift + DigitBits) << (shift + DigitBits)) | ((long)digit << shift);
        return true;
    }

    // Deals the nodes of one slot out to lower levels. False when the budget did not suffice.
    private bool Cascade(ref int budget)
    {
        int index = _cascading;
        while (_slots[index].Head is { } node)
        {
            if (budget-- <= 0)
            {
                return false;
            }

            PopHead(index, node);
            Place(node);
        }

        _cascading = NoSlot;
        return true;
    }

    // Takes out what lies in a slot whose time is over. False when the budget did not suffice.
    private bool TakeAll(int index, ref int budget, ref DueChain due)
    {
        while (_slots[index].Head is { } node)
        {
            if (budget-- <= 0)
            {
                return false;
            }

            PopHead(index, node);
            Forget(node);
            due.Append(node);
        }

        return true;
    }

    // Takes out what is due in a slot whose time has only begun.
    private void TakeSome(int index, long now, ref DueChain due)
    {
        WaitNode? node = _slots[index].Head;
        while (node is not null)
        {
            WaitNode? next = node.Next;
            if (node.Due <= now)
            {
                Remove(node);
                due.Append(node);
            }

            node = next;
        }
    }

    private void PopHead(int index, WaitNode node)
    {
        WaitNode? next = node.Next;
        _slots[index].Head = next;
        if (next is null)
        {
            MarkEmpty(index);
        }
        else
        {
            next.Prev = node.Prev;
        }
    }

    private void Forget(WaitNode node)
    {
        node.IsLinked = false;
        node.Next = node.Prev = null;
        _count--;
    }

    private bool Scan(int index, ref int limit, ref long due)
    {
        for (WaitNode? node = _slots[index].Head; node is not null; node = node.Next)
        {
            if (limit-- <= 0)
            {
                return false;
            }

            due = Math.Min(due, node.Due);
        }

        return true;
    }

    /// <summary>Adds all linked nodes with their deadlines to a list.</summary>
    internal void AddTo(List<(WaitNode, long)> entries)
    {
        foreach (Slot slot in _slots)
        {
            for (WaitNode? node = slot.Head; node is not null; node = node.Next)
            {
                entries.Add((node, node.Due));
            }
        }
    }

    // The head's Prev is the tail, the tail's Next is null. A struct around the reference, so that storing it needs no check of covariance.
    private struct Slot
    {
        public WaitNode? Head;
    }
}
