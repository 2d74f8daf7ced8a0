using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Moirai.Load.Harness;

/// <summary>Who listens to what Moirai tells while a load runs.</summary>
internal enum Watcher
{
    /// <summary>Nobody.</summary>
    Nobody,

    /// <summary>OpenTelemetry's SDK, to every instrument; it collects each second.</summary>
    Metrics,

    /// <summary>The same, and every span is made and thrown away.</summary>
    Spans,

    /// <summary>The runtime looks for leaks after collections of the oldest generation (<see cref="TaskRuntimeOptions.LeakWatch"/>), as often as these come.</summary>
    Leaks,

    /// <summary>The runtime raises alarms.</summary>
    Alarms,
}

/// <summary>OpenTelemetry's SDK as a service sets it up, with exporters that send nothing.</summary>
internal sealed class Watch : IDisposable
{
    private const int Interval = 1_000;

    private readonly MeterProvider _meters;
    private readonly TracerProvider? _spans;
    private readonly Counting _exporter = new();

    private Watch(bool spans)
    {
        _meters = Sdk.CreateMeterProviderBuilder().AddMeter("Moirai").AddReader(new PeriodicExportingMetricReader(_exporter, Interval)).Build();
        _meters.ForceFlush(); // the first collection is mostly the JIT's
        _spans = spans ? Sdk.CreateTracerProviderBuilder().AddSource("Moirai").SetSampler(new AlwaysOnSampler()).Build() : null;
    }

    public static Watch? Begin(Watcher who) => who is not (Watcher.Metrics or Watcher.Spans) ? null : new Watch(who == Watcher.Spans);

    public void Dispose()
    {
        _meters.ForceFlush();
        _meters.Dispose();
        _spans?.Dispose();
        _exporter.Dispose();
        Pass.Check(_exporter.Seen > 0, "nothing was collected: the load was not watched");
    }

    private sealed class Counting : BaseExporter<Metric>
    {
        private long _seen;

        public long Seen => Interlocked.Read(ref _seen);

        public override ExportResult Export(in Batch<Metric> batch)
        {
            Interlocked.Add(ref _seen, batch.Count);
            return ExportResult.Success;
        }
    }
}
