using System.Buffers;
using System.Globalization;
using System.Text;

namespace Moirai.Tool.Views;

/// <summary>Numbers, times and long lines as people like to read them.</summary>
internal static class Words
{
    // Controls, and the signs of Unicode that part lines or turn the way of writing.
    private static readonly SearchValues<char> Unsafe = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7F, 0x21)).Concat([0x200E, 0x200F, 0x2028, 0x2029]).Concat(Enumerable.Range(0x202A, 5)).Concat(Enumerable.Range(0x2066, 4)).Select(static code => (char)code)]);

    /// <summary>A time, as exact as it matters.</summary>
    public static string Time(TimeSpan time) => time switch
    {
        { TotalMilliseconds: < 1 } => "< 1 ms",
        { TotalSeconds: < 1 } => $"{time.TotalMilliseconds:0} ms",
        { TotalSeconds: < 10 } => $"{time.TotalSeconds:0.#} s",
        { TotalMinutes: < 2 } => $"{time.TotalSeconds:0} s",
        { TotalHours: < 2 } => $"{time.TotalMinutes:0} min",
        { TotalDays: < 2 } => $"{time.TotalHours:0} h",
        _ => $"{time.TotalDays:0} days",
    };

    public static string Count(double count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>One or many.</summary>
    public static string Some(long count, string one, string? many = null) => $"{Count(count)} {(count == 1 ? one : many ?? $"{one}s")}";

    /// <summary>A name of the program in words: <c>UnobservedFailure</c> is an unobserved failure.</summary>
    public static string OfName(string name) => string.Concat(name.Select(static (letter, place) => char.IsUpper(letter) ? $"{(place > 0 ? " " : string.Empty)}{char.ToLowerInvariant(letter)}" : $"{letter}"));

    /// <summary>Names are the program's, and may hold anything. What would move the cursor, change colors, break the line or turn the way of writing round is shown as a sign instead.</summary>
    public static string Plain(string text) => text.AsSpan().IndexOfAny(Unsafe) < 0 ? text : string.Create(text.Length, text, static (plain, text) =>
    {
        for (int i = 0; i < text.Length; i++)
        {
            plain[i] = Unsafe.Contains(text[i]) ? text[i] < ' ' ? (char)('\u2400' + text[i]) : '\uFFFD' : text[i];
        }
    });

    /// <summary>Cuts what is too long, and shows that it was cut.</summary>
    public static string Fit(string text, int width) => FitPlain(Plain(text), width);

    /// <summary>How many columns of a terminal a text takes: signs of East Asia and pictures two, what is set upon another sign none.</summary>
    public static int Columns(ReadOnlySpan<char> text)
    {
        int columns = 0;
        foreach (Rune sign in text.EnumerateRunes())
        {
            columns += ColumnsOf(sign);
        }

        return columns;
    }

    /// <summary>Fills up with spaces to the right.</summary>
    public static string Pad(string text, int width) => text + new string(' ', Math.Max(0, width - Columns(text)));

    private static string FitPlain(string text, int width)
    {
        if (text.Length <= width / 2 || Columns(text) <= width)
        {
            return text;
        }

        int columns = 0;
        int length = 0;
        foreach (Rune sign in text.EnumerateRunes())
        {
            columns += ColumnsOf(sign);
            if (columns > Math.Max(0, width < 2 ? width : width - 1))
            {
                break;
            }

            length += sign.Utf16SequenceLength;
        }

        return width < 2 ? text[..length] : $"{text.AsSpan(0, length)}…";
    }

    private static int ColumnsOf(Rune sign) => sign.Value switch
    {
        < 0x300 => 1,
        (>= 0x1100 and <= 0x115F) or (>= 0x2E80 and <= 0x303E) or (>= 0x3041 and <= 0xA4CF) or (>= 0xAC00 and <= 0xD7A3) or (>= 0xF900 and <= 0xFAFF) or (>= 0xFE30 and <= 0xFE6F)
            or (>= 0xFF00 and <= 0xFF60) or (>= 0xFFE0 and <= 0xFFE6) or (>= 0x1F300 and <= 0x1F64F) or (>= 0x1F680 and <= 0x1F6FF) or (>= 0x1F900 and <= 0x1FAFF) or (>= 0x20000 and <= 0x3FFFD) => 2,
        _ => Rune.GetUnicodeCategory(sign) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format ? 0 : 1,
    };

    /// <summary>Breaks a line between words; what follows is indented by as much more as <paramref name="hang"/> says.</summary>
    public static string Wrap(string line, int width, int hang = 2)
    {
        // A story may have lines of its own: those are indented too, so that none looks like one of ours.
        string[] lines = line.Split('\n');
        return lines.Length == 1 ? WrapOne(Plain(line), width, hang) : string.Join(
            '\n', lines.Select((one, place) => WrapOne(Plain(place == 0 ? one.TrimEnd('\r') : $"{new string(' ', hang)}{one.TrimEnd('\r')}"), width, hang)));
    }

    private static string WrapOne(string line, int width, int hang)
    {
        if (line.Length <= width / 2 || Columns(line) <= width)
        {
            return line;
        }

        int indent = line.Length - line.AsSpan().TrimStart(' ').Length;
        string further = new(' ', Math.Min(indent + hang, width / 2));
        var text = new StringBuilder();
        int column = 0;
        foreach (string word in line[indent..].Split(' '))
        {
            if (text.Length == 0)
            {
                text.Append(' ', indent).Append(word);
                column = indent + Columns(word);
            }
            else if (column + 1 + Columns(word) > width)
            {
                text.Append('\n').Append(further).Append(word);
                column = further.Length + Columns(word);
            }
            else
            {
                text.Append(' ').Append(word);
                column += 1 + Columns(word);
            }
        }

        return text.ToString();
    }
}
