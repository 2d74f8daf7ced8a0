using System.Diagnostics.Metrics;

namespace Moirai.Telemetry.Tests;

/// <summary>Issue 7: docs/telemetry.md lists the instruments that there are, and the words of spans that there are.</summary>
[Trait("Issue", "7")]
public sealed class DocumentTests
{
    private static readonly string s_page = ReadPage();

    [Fact]
    public void The_page_lists_every_instrument_with_its_kind_and_unit() => Rows(s_page).ShouldBe(Instruments(), ignoreOrder: true);

    [Fact]
    public void Twin_a_row_that_says_another_unit_is_caught_and_so_is_one_that_is_missing()
    {
        Should.Throw<ShouldAssertException>(static () => Rows(s_page.Replace("histogram | `s`", "histogram | `ms`", StringComparison.Ordinal)).ShouldBe(Instruments(), ignoreOrder: true));
        Should.Throw<ShouldAssertException>(static () => Rows(s_page.Replace("| `moirai.timer.lag` |", "| timer lag |", StringComparison.Ordinal)).ShouldBe(Instruments(), ignoreOrder: true));
    }

    [Fact]
    public void The_page_tells_every_key_and_event_of_the_vocabulary()
    {
        string[] words =
        [
            .. typeof(Vocabulary).GetFields(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)
                .Where(static field => field.IsLiteral).Select(static field => (string)field.GetRawConstantValue()!),
        ];
        words.Length.ShouldBeGreaterThan(15);
        foreach (string word in words)
        {
            bool told = s_page.Contains($"`{word}`", StringComparison.Ordinal)
                || (word.StartsWith("moirai.timeout.", StringComparison.Ordinal) && s_page.Contains($"`{word["moirai.timeout".Length..]}`", StringComparison.Ordinal));
            told.ShouldBeTrue($"docs/telemetry.md does not tell {word}");
        }
    }

    // As "name kind unit".
    private static string[] Rows(string page) =>
    [
        .. page.Split('\n').Where(static line => line.StartsWith("| `moirai.", StringComparison.Ordinal))
            .Select(static line => line.Split('|', StringSplitOptions.TrimEntries)).Where(static cells => cells.Length == 7)
            .Select(static cells => $"{cells[1].Trim('`')} {cells[2]} {cells[3].Trim('`')}"),
    ];

    private static string[] Instruments()
    {
        using var runtime = new World("listed");
        using var book = new MeterBook("listed");
        return [.. book.Instruments.Select(static one => $"{one.Name} {Kind(one)} {one.Unit}")];
    }

    private static string Kind(Instrument instrument) => instrument switch
    {
        Counter<long> or ObservableCounter<long> => "counter",
        ObservableUpDownCounter<long> => "level",
        ObservableGauge<double> => "gauge",
        Histogram<double> => "histogram",
        _ => instrument.GetType().Name,
    };

    private static string ReadPage()
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(here.FullName, "Moirai.slnx")))
        {
            here = here.Parent ?? throw new InvalidOperationException("Moirai.slnx was not found above the tests' own folder.");
        }

        return File.ReadAllText(Path.Combine(here.FullName, "docs", "telemetry.md"));
    }
}
