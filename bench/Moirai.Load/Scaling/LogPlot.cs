using System.Globalization;
using System.Text;

namespace Moirai.Load.Scaling;

/// <summary>One line of a plot.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="IsDashed">Drawn in dashes: the peer.</param>
/// <param name="Color">As SVG has it.</param>
/// <param name="Points">From left to right, all greater than zero.</param>
internal sealed record PlotLine(string Name, bool IsDashed, string Color, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Draws lines over two logarithmic axes, as an SVG image of some kilobytes.</summary>
internal static class LogPlot
{
    private const int Width = 820;
    private const int Height = 470;
    private const int Left = 70;
    private const int Right = 230;
    private const int Top = 40;
    private const int Bottom = 50;
    private const int LegendStep = 22;

    /// <param name="title">Above the plot.</param>
    /// <param name="xTitle">What the axis to the right counts.</param>
    /// <param name="yTitle">What the axis upwards counts.</param>
    /// <param name="lines">At least one with at least one point.</param>
    public static string Draw(string title, string xTitle, string yTitle, IReadOnlyList<PlotLine> lines)
    {
        (double Low, double High) x = Decades(lines, static point => point.X);
        (double Low, double High) y = Decades(lines, static point => point.Y);
        double ToX(double value) => Left + ((Width - Left - Right) * Share(value, x));
        double ToY(double value) => Height - Bottom - ((Height - Top - Bottom) * Share(value, y));

        var svg = new StringBuilder();
        Add(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"12\">");
        Add(svg, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>");
        Add(svg, $"<text x=\"{Left}\" y=\"24\" font-size=\"15\">{Escape(title)}</text>");
        foreach (double decade in Powers(x))
        {
            Add(svg, $"<line x1=\"{ToX(decade):0.#}\" y1=\"{Top}\" x2=\"{ToX(decade):0.#}\" y2=\"{Height - Bottom}\" stroke=\"#ddd\"/>");
            Add(svg, $"<text x=\"{ToX(decade):0.#}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{Label(decade)}</text>");
        }

        foreach (double decade in Powers(y))
        {
            Add(svg, $"<line x1=\"{Left}\" y1=\"{ToY(decade):0.#}\" x2=\"{Width - Right}\" y2=\"{ToY(decade):0.#}\" stroke=\"#ddd\"/>");
            Add(svg, $"<text x=\"{Left - 8}\" y=\"{ToY(decade) + 4:0.#}\" text-anchor=\"end\">{Label(decade)}</text>");
        }

        Add(svg, $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 10}\" text-anchor=\"middle\">{Escape(xTitle)}</text>");
        Add(svg, $"<text transform=\"translate(18 {(Top + Height - Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\">{Escape(yTitle)}</text>");
        for (int i = 0; i < lines.Count; i++)
        {
            PlotLine line = lines[i];
            string dashes = line.IsDashed ? " stroke-dasharray=\"6 4\"" : string.Empty;
            string way = string.Join(' ', line.Points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{ToX(point.X):0.#},{ToY(point.Y):0.#}")));
            int legend = Top + (i * LegendStep);
            Add(svg, $"<polyline points=\"{way}\" fill=\"none\" stroke=\"{line.Color}\" stroke-width=\"2\"{dashes}/>");
            Add(svg, $"<line x1=\"{Width - Right + 16}\" y1=\"{legend}\" x2=\"{Width - Right + 48}\" y2=\"{legend}\" stroke=\"{line.Color}\" stroke-width=\"2\"{dashes}/>");
            Add(svg, $"<text x=\"{Width - Right + 54}\" y=\"{legend + 4}\">{Escape(line.Name)}</text>");
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static void Add(StringBuilder svg, FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

    private static (double Low, double High) Decades(IReadOnlyList<PlotLine> lines, Func<(double X, double Y), double> of)
    {
        double[] values = [.. lines.SelectMany(static line => line.Points).Select(of)];
        double low = Math.Pow(10, Math.Floor(Math.Log10(values.Min())));
        double high = Math.Pow(10, Math.Ceiling(Math.Log10(values.Max())));
        return (low, high > low ? high : low * 10);
    }

    private static double Share(double value, (double Low, double High) axis) => Math.Log10(value / axis.Low) / Math.Log10(axis.High / axis.Low);

    private static IEnumerable<double> Powers((double Low, double High) axis)
    {
        for (double power = axis.Low; power <= axis.High * 1.001; power *= 10)
        {
            yield return power;
        }
    }

    private static string Label(double value) => value switch
    {
        >= 1e6 => $"{value / 1e6:0.#} M",
        >= 1e3 => $"{value / 1e3:0.#} k",
        _ => $"{value:0.##}",
    };

    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);
}
