namespace Moirai.Ground;

/// <summary>Something that carries its own place in one list.</summary>
internal interface ILinked<T>
    where T : class, ILinked<T>
{
    /// <summary>Written by the list, under the lock of whoever embeds it.</summary>
    T? Next { get; set; }

    /// <inheritdoc cref="Next"/>
    T? Previous { get; set; }
}

/// <summary>A list whose links lie in its items: joining in front and leaving from anywhere are O(1) and allocate nothing.</summary>
/// <remarks>Not locked: every member is for whoever holds the lock of what embeds it. An item is in one such list at a time.</remarks>
internal struct IntrusiveList<T>
    where T : class, ILinked<T>
{
    /// <summary>The newest item; follow <see cref="ILinked{T}.Next"/>.</summary>
    public T? First { get; private set; }

    public void Push(T item)
    {
        item.Next = First;
        if (First is { } first)
        {
            first.Previous = item;
        }

        First = item;
    }

    public readonly bool Contains(T item) => item.Previous is not null || ReferenceEquals(First, item);

    /// <summary>Takes out an item that is in the list.</summary>
    public void Remove(T item)
    {
        if (item.Previous is { } previous)
        {
            previous.Next = item.Next;
        }
        else
        {
            First = item.Next;
        }

        if (item.Next is { } next)
        {
            next.Previous = item.Previous;
        }

        item.Next = item.Previous = null;
    }
}
