using System.Diagnostics.Metrics;
using System.Globalization;

namespace Moirai.Telemetry.Tests;

/// <summary>What was measured, of one runtime.</summary>
/// <param name="Name">The instrument.</param>
/// <param name="Value">What it showed.</param>
/// <param name="Tags">The other tags, as <c>key=value</c>, in the order of the keys.</param>
internal sealed record Measured(string Name, double Value, string Tags);

/// <summary>Listens to the meter <c>Moirai</c>, and writes down what it says of one runtime.</summary>
internal sealed class MeterBook : IDisposable
{
    private readonly string _runtime;
    private readonly MeterListener _listener = new();
    private readonly List<Measured> _recorded = [];

    public MeterBook(string runtime, Func<Instrument, bool>? only = null)
    {
        _runtime = runtime;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "Moirai" && (only?.Invoke(instrument) ?? true))
            {
                Instruments.Add(instrument);
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
    }

    public List<Instrument> Instruments { get; } = [];

    /// <summary>What was recorded since the last look, and what is read now.</summary>
    public IReadOnlyList<Measured> Collect()
    {
        _listener.RecordObservableInstruments();
        lock (_recorded)
        {
            Measured[] all = [.. _recorded];
            _recorded.Clear();
            return all;
        }
    }

    /// <summary>The values of one instrument, as <c>value key=value</c>, zeros left out.</summary>
    public string[] Of(string name) =>
    [
        .. Collect().Where(one => one.Name == name && one.Value != 0)
            .Select(static one => string.Create(CultureInfo.InvariantCulture, $"{one.Value} {one.Tags}").TrimEnd()),
    ];

    public void Dispose() => _listener.Dispose();

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string? runtime = null;
        List<string> others = [];
        foreach ((string key, object? tag) in tags)
        {
            if (key == "moirai.runtime.name")
            {
                runtime = (string?)tag;
            }
            else
            {
                others.Add($"{key["moirai.".Length..]}={tag}");
            }
        }

        if (runtime == _runtime)
        {
            others.Sort(StringComparer.Ordinal);
            lock (_recorded)
            {
                _recorded.Add(new Measured(instrument.Name, value, string.Join(' ', others)));
            }
        }
    }
}
