using System.Globalization;
using System.Text;

namespace Moirai.Tool.Views;

/// <summary>Numbers, times and long lines as people like to read them.</summary>
internal static class Words
{
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

    /// <summary>Cuts what is too long, and shows that it was cut.</summary>
    public static string Fit(string text, int width) => text.Length <= width ? text : width < 2 ? text[..Math.Max(0, width)] : $"{text.AsSpan(0, width - 1)}…";

    /// <summary>Breaks a line between words; what follows is indented by as much more as <paramref name="hang"/> says.</summary>
    public static string Wrap(string line, int width, int hang = 2)
    {
        if (line.Length <= width)
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
                column = indent + word.Length;
            }
            else if (column + 1 + word.Length > width)
            {
                text.Append('\n').Append(further).Append(word);
                column = further.Length + word.Length;
            }
            else
            {
                text.Append(' ').Append(word);
                column += 1 + word.Length;
            }
        }

        return text.ToString();
    }
}
