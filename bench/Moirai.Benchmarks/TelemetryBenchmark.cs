using System.Diagnostics;
using System.Diagnostics.Metrics;
using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does telemetry add to a task that is spawned, run and joined, when nobody listens, when metrics are taken, and when each task is a span?</summary>
/// <remarks>By hand it is a counter, a histogram and a span around each task. Moirai counts every task too, but measures the length of a thousand lives a second, and of one in sixty-one beyond.</remarks>
public class TelemetryBenchmark : BenchRuntime
{
    private const string ByHandName = "ByHand";

    private static readonly Meter s_meter = new(ByHandName);
    private static readonly Counter<long> s_created = s_meter.CreateCounter<long>("created");
    private static readonly Histogram<double> s_lived = s_meter.CreateHistogram<double>("lived", "s");
    private static readonly ActivitySource s_source = new(ByHandName);

    private readonly Stack<IDisposable> _ears = [];

    /// <summary>Who listens.</summary>
    public enum Ear
    {
        Nobody,
        Metrics,
        MetricsAndSpans,
    }

    [Params(Ear.Nobody, Ear.Metrics, Ear.MetricsAndSpans)]
    public Ear Listening { get; set; }

    public override void SetUp()
    {
        if (Listening != Ear.Nobody)
        {
            var metrics = new MeterListener
            {
                InstrumentPublished = static (instrument, listener) =>
                {
                    if (instrument.Meter.Name is ByHandName or "Moirai")
                    {
                        listener.EnableMeasurementEvents(instrument);
                    }
                },
            };
            metrics.SetMeasurementEventCallback<double>(static (_, _, _, _) => { });
            metrics.SetMeasurementEventCallback<long>(static (_, _, _, _) => { });
            metrics.Start();
            _ears.Push(metrics);
        }

        if (Listening == Ear.MetricsAndSpans)
        {
            var spans = new ActivityListener
            {
                ShouldListenTo = static source => source.Name is ByHandName or "Moirai",
                Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            };
            ActivitySource.AddActivityListener(spans);
            _ears.Push(spans);
        }

        base.SetUp();
    }

    public override async Task CleanUp()
    {
        await base.CleanUp();
        while (_ears.TryPop(out IDisposable? ear))
        {
            ear.Dispose();
        }
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    public Task TaskRun() => Task.Run(static async () =>
    {
        for (int i = 0; i < Times; i++)
        {
            await Task.Run(static () =>
            {
                using Activity? span = s_source.StartActivity("one");
                long began = Stopwatch.GetTimestamp();
                s_created.Add(1);
                s_lived.Record(Stopwatch.GetElapsedTime(began).TotalSeconds);
                return 1;
            });
        }
    });

    [Benchmark(OperationsPerInvoke = Times)]
    public Task SpawnAndJoin() => InTask(SpawnAndJoinAsync());

    private async Future SpawnAndJoinAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await Runtime.SpawnDetached(OneAsync(), name: "one");
        }
    }

#pragma warning disable CS1998 // that it waits for nothing is the question
    private static async Future<int> OneAsync() => 1;
#pragma warning restore CS1998
}
