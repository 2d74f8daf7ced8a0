using System.Runtime.CompilerServices;

namespace Moirai.Ground;

/// <summary>A list that only grows, page by page: nothing is copied when it does, and no page is so large that the collector would count it among what is old. By one thread while it grows; then by any.</summary>
/// <remarks>Of values without references it is also memory that the collector does not look through.</remarks>
internal sealed class Pages<T>
{
    internal const int PageSize = 1 << Shift;

    private const int Shift = 10;
    private const int SmallestPage = 16;

    private T[][] _pages = [[]];

    internal int Count { get; private set; }

    internal ref readonly T this[int index] => ref _pages[index >> Shift][index & (PageSize - 1)];

    /// <summary>Adds a value.</summary>
    /// <returns>Its place.</returns>
    internal int Add(in T value)
    {
        int page = Count >> Shift;
        int place = Count & (PageSize - 1);
        if (page == _pages.Length || place == _pages[page].Length)
        {
            Grow(page);
        }

        _pages[page][place] = value;
        return Count++;
    }

    /// <summary>Empties it; the pages stay.</summary>
    internal void Clear()
    {
        for (int page = 0; RuntimeHelpers.IsReferenceOrContainsReferences<T>() && page << Shift < Count; page++)
        {
            Array.Clear(_pages[page]);
        }

        Count = 0;
    }

    /// <summary>For <c>foreach</c>.</summary>
    public Enumerator GetEnumerator() => new(this);

    private void Grow(int page)
    {
        if (page == 0)
        {
            Array.Resize(ref _pages[0], Math.Max(SmallestPage, _pages[0].Length * 2)); // most snapshots are small
            return;
        }

        if (page == _pages.Length)
        {
            Array.Resize(ref _pages, page * 2);
            Array.Fill(_pages, [], page, page);
        }

        _pages[page] = GC.AllocateUninitializedArray<T>(PageSize);
    }

    /// <summary>One value after the other.</summary>
    internal struct Enumerator(Pages<T> pages)
    {
        private int _index = -1;

        public readonly ref readonly T Current => ref pages[_index];

        public bool MoveNext() => ++_index < pages.Count;
    }
}
