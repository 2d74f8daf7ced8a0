namespace Moirai.Wakers;

/// <summary>An intrusive list of wait nodes, first come first served. Join at the end (or, coming back, at the head), leave from anywhere, in O(1), without allocation.</summary>
/// <remarks>Not locked: every member is for whoever holds the lock of the primitive that embeds it. Invariant:
/// <c>Count == 0 ⇔ Head is null ⇔ Tail is null</c>, and exactly the nodes between them are linked.</remarks>
internal struct WaitQueue
{
    private WaitNode? _head;
    private WaitNode? _tail;

    public int Count { get; private set; }

    public readonly WaitNode? Head => _head;

    public void Append(WaitNode node)
    {
        node.IsLinked = true;
        node.Next = null;
        node.Prev = _tail;
        if (_tail is null)
        {
            _head = node;
        }
        else
        {
            _tail.Next = node;
        }

        _tail = node;
        Count++;
    }

    /// <summary>Puts a node before all others: one that was first already, and came in vain.</summary>
    public void Prepend(WaitNode node)
    {
        node.IsLinked = true;
        node.Prev = null;
        node.Next = _head;
        if (_head is null)
        {
            _tail = node;
        }
        else
        {
            _head.Prev = node;
        }

        _head = node;
        Count++;
    }

    /// <summary>Takes a node out from wherever it is.</summary>
    /// <returns>False when the node was not linked.</returns>
    public bool Remove(WaitNode node)
    {
        if (!node.IsLinked)
        {
            return false;
        }

        if (node.Prev is null)
        {
            _head = node.Next;
        }
        else
        {
            node.Prev.Next = node.Next;
        }

        if (node.Next is null)
        {
            _tail = node.Prev;
        }
        else
        {
            node.Next.Prev = node.Prev;
        }

        node.IsLinked = false;
        node.Next = node.Prev = null;
        Count--;
        return true;
    }

    /// <summary>Takes out the first node whose wait can still be claimed, and claims it.</summary>
    public WaitNode? ClaimFirst()
    {
        while (_head is { } node)
        {
            Remove(node);
            if (node.TryClaim())
            {
                return node;
            }
        }

        return null;
    }
}
