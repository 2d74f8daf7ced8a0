using System.Text;

namespace Moirai.Tool.Views;

/// <summary>How a piece of a line looks.</summary>
internal enum Look
{
    Plain,
    Faint,
    Strong,
    Good,
    Bad,
    Head,
    Bar,
}

/// <summary>A line of a screen, piece by piece.</summary>
internal sealed class ScreenLine
{
    private readonly List<(string Text, Look Look)> _pieces = [];

    /// <summary>How many columns it takes.</summary>
    public int Length { get; private set; }

    public ScreenLine Add(string text, Look look = Look.Plain)
    {
        text = Words.Plain(text);
        _pieces.Add((text, look));
        Length += Words.Columns(text);
        return this;
    }

    /// <summary>Adds spaces up to a column.</summary>
    public ScreenLine To(int column) => Length < column ? Add(new string(' ', column - Length)) : this;

    /// <summary>The line without looks.</summary>
    public override string ToString() => string.Concat(_pieces.Select(static piece => piece.Text)).TrimEnd();

    /// <summary>The line for a terminal, no wider than that.</summary>
    public void AppendTo(StringBuilder to, int width, bool colors)
    {
        int left = width;
        foreach ((string text, Look look) in _pieces)
        {
            string fitted = Words.Fit(text, left);
            string code = !colors ? string.Empty : look switch
            {
                Look.Faint => "\e[90m",
                Look.Strong => "\e[1m",
                Look.Good => "\e[32m",
                Look.Bad => "\e[1;31m",
                Look.Head => "\e[1;36m",
                Look.Bar => "\e[36m",
                _ => string.Empty,
            };
            to.Append(code).Append(fitted).Append(code.Length > 0 ? "\e[0m" : string.Empty);
            left -= Words.Columns(fitted);
            if (left <= 0)
            {
                return;
            }
        }
    }
}
