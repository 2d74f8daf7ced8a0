namespace Moirai.Ground;

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
