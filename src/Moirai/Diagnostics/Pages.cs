namespace Moirai.Diagnostics;

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
}

/// <summary>Rows of numbers, one after the other in pages.</summary>
internal sealed class NumberRows
{
    private const int Shift = 13;
    private const int PageSize = 1 << Shift;
    private const int SmallestPage = 128;

    private readonly List<int[]> _pages = [];
    private int _used = PageSize;

    /// <summary>Makes room for a row, which lies in one piece.</summary>
    /// <param name="length">How long it is; less than a page.</param>
    /// <param name="row">To be written.</param>
    /// <returns>Where it is.</returns>
    internal int Add(int length, out Span<int> row)
    {
        if (_pages.Count == 0 || _used + length > PageSize)
        {
            _pages.Add(_pages.Count == 0 ? new int[SmallestPage] : GC.AllocateUninitializedArray<int>(PageSize));
            _used = 0;
        }

        int page = _pages.Count - 1;
        if (_used + length > _pages[page].Length)
        {
            int[] grown = _pages[page];
            Array.Resize(ref grown, Math.Max(_used + length, grown.Length * 2)); // the first
            _pages[page] = grown;
        }

        row = _pages[page].AsSpan(_used, length);
        int at = (page << Shift) | _used;
        _used += length;
        return at;
    }

    /// <summary>The row that is there.</summary>
    internal ArraySegment<int> Row(int at, int length) => new(_pages[at >> Shift], at & (PageSize - 1), length);
}
