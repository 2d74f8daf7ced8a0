using System.Text;

namespace Moirai.Tool.Views;

/// <summary>A table of plain text: words to the left, numbers to the right, and no wider than it may be.</summary>
/// <param name="columns">The heads. One that begins with <c>&gt;</c> stands over numbers, one that begins with <c>?&gt;</c> over numbers that are left out, the last first, where there is no room.</param>
internal sealed class TextTable(params string[] columns)
{
    private const string Gap = "  ";
    private const int NarrowestWords = 12;

    private readonly List<string[]> _rows = [];

    public int Rows => _rows.Count;

    public void Add(params string[] cells) => _rows.Add([.. cells.Select(Words.Plain)]);

    /// <summary>Writes it. When it is too wide, words are cut, the widest column first.</summary>
    public void Write(TextWriter to, int width)
    {
        int[] widths = [.. columns.Select((head, column) => Math.Max(Head(head).Length, _rows.Count == 0 ? 0 : _rows.Max(row => Words.Columns(row[column]))))];
        long over = widths.Sum() + (Gap.Length * (columns.Length - 1)) - (long)width;
        for (int i = columns.Length - 1; i >= 0 && over > 0; i--)
        {
            if (columns[i].StartsWith('?'))
            {
                over -= widths[i] + Gap.Length;
                widths[i] = 0;
            }
        }

        while (over > 0)
        {
            int widest = -1;
            for (int i = 0; i < widths.Length; i++)
            {
                if (!IsNumber(columns[i]) && widths[i] > NarrowestWords && (widest < 0 || widths[i] > widths[widest]))
                {
                    widest = i;
                }
            }

            if (widest < 0)
            {
                break; // it is as narrow as it can be read
            }

            widths[widest]--;
            over--;
        }

        WriteRow(to, [.. columns.Select(Head)], widths);
        foreach (string[] row in _rows)
        {
            WriteRow(to, row, widths);
        }
    }

    private void WriteRow(TextWriter to, string[] cells, int[] widths)
    {
        var line = new StringBuilder();
        for (int i = 0; i < cells.Length; i++)
        {
            if (widths[i] == 0)
            {
                continue;
            }

            string cell = Words.Fit(cells[i], widths[i]);
            line.Append(i == 0 ? string.Empty : Gap).Append(IsNumber(columns[i]) ? cell.PadLeft(widths[i]) : Words.Pad(cell, widths[i]));
        }

        to.WriteLine(line.ToString().TrimEnd());
    }

    private static bool IsNumber(string head) => head.StartsWith('>') || head.StartsWith('?');

    private static string Head(string head) => head.TrimStart('?', '>');
}
