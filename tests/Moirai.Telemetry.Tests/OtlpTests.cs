using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Moirai.Telemetry.Tests;

/// <summary>Issue 7: what OpenTelemetry's SDK and its OTLP exporter send of it to a collector, as it comes over the wire.</summary>
[Trait("Issue", "7")]
public sealed class OtlpTests
{
    [Fact]
    public async Task Metrics_arrive_at_a_collector_with_their_kinds_units_tags_and_buckets()
    {
        using var faults = new Faults();
        await using Collector collector = await Collector.StartAsync();
        using MeterProvider meters = Sdk.CreateMeterProviderBuilder().AddMeter("Moirai")
            .AddOtlpExporter(options => (options.Protocol, options.Endpoint) = (OtlpExportProtocol.HttpProtobuf, collector.Endpoint("metrics"))).Build();
        using var world = new World("otlp");
        TaskPool pool = world.Runtime.CreatePool("db", 3);
        pool.TrySpawn(static async _ => await Future.Delay(TimeSpan.FromSeconds(2)), out _, "query").ShouldBeTrue();
        world.Run();
        world.Advance(2);
        _ = world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)), "sleeper");
        world.Run();

        meters.ForceFlush().ShouldBeTrue();
        faults.Told.ShouldBeEmpty();

        collector.Types.ShouldAllBe(static type => type == "application/x-protobuf");
        IReadOnlyDictionary<string, Message> metrics = collector.Metrics;

        Message created = metrics["moirai.task.created"];
        created.Text(3).ShouldBe("{task}");
        Message sum = created.One(7);
        sum.Scalar(3).ShouldBe(1UL, "a counter is monotonic");
        Point(sum, "moirai.runtime.name=otlp").Scalar(6).ShouldBe(2UL);

        Message live = metrics["moirai.task.live"].One(7);
        live.Scalar(3).ShouldBe(0UL, "a level goes up and down");
        Point(live, "moirai.runtime.name=otlp", "moirai.task.state=blocked").Scalar(6).ShouldBe(1UL);

        Message lag = metrics["moirai.timer.lag"];
        lag.Text(3).ShouldBe("s");
        Point(lag.One(5), "moirai.runtime.name=otlp").Double(4).ShouldBe(0);

        Message life = metrics["moirai.task.duration"];
        life.Text(3).ShouldBe("s");
        Message histogram = life.One(9).All(1).Single(static point => Collector.Attributes(point, 9).SequenceEqual(
            ["moirai.pool.name=db", "moirai.runtime.name=otlp", "moirai.task.name=query", "moirai.task.outcome=completed"]));
        histogram.Scalar(4).ShouldBe(1UL);
        histogram.Double(5).ShouldBe(2);
        double[] bounds = [.. histogram.Packed(7).Select(BitConverter.UInt64BitsToDouble)];
        bounds.ShouldBe([0.00001, 0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300], "the advised buckets");
        histogram.Packed(6)[Array.IndexOf(bounds, 2.5)].ShouldBe(1UL);

        Point(metrics["moirai.pool.slot.limit"].One(7), "moirai.pool.name=db", "moirai.runtime.name=otlp").Scalar(6).ShouldBe(3UL);
    }

    [Fact]
    public async Task Spans_arrive_at_a_collector_with_parent_link_events_and_status()
    {
        using var faults = new Faults();
        await using Collector collector = await Collector.StartAsync();
        using TracerProvider tracer = Sdk.CreateTracerProviderBuilder().AddSource("Moirai").SetSampler(new AlwaysOnSampler())
            .AddOtlpExporter(options => (options.Protocol, options.Endpoint) = (OtlpExportProtocol.HttpProtobuf, collector.Endpoint("traces"))).Build();
        using var world = new World("otlp");
        ManagedTask task = world.Runtime.SpawnDetached(
            async ct =>
            {
                _ = world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "detached");
                await world.Runtime.RunScopeAsync("import", static async scope =>
                {
                    _ = scope.Spawn(static async ct => await Future.Yield(), "child");
                    await Future.Yield();
                });
                await Future.Delay(TimeSpan.FromHours(1)).WithTimeout(TimeSpan.FromSeconds(5));
            },
            "parent");
        world.Run();
        world.Advance(5);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();

        tracer.ForceFlush().ShouldBeTrue();
        faults.Told.ShouldBeEmpty();

        IReadOnlyDictionary<string, Message> spans = collector.Spans;
        spans.Keys.ShouldBe(["parent", "child", "detached"], ignoreOrder: true);
        Message parent = spans["parent"];
        spans["child"].Bytes(4).ShouldBe(parent.Bytes(2));
        spans["child"].Bytes(1).ShouldBe(parent.Bytes(1));
        spans["detached"].Bytes(4).ShouldBeEmpty();
        spans["detached"].One(13).Bytes(2).ShouldBe(parent.Bytes(2));
        (parent.Scalar(8) - parent.Scalar(7)).ShouldBe(5_000_000_000UL);
        parent.All(11).Select(static one => one.Text(2)).ShouldBe(["moirai.timeout", "exception"]);
        parent.One(15).Scalar(3).ShouldBe(2UL, "an error");
        Collector.Attributes(parent, 9).ShouldContain("moirai.task.outcome=failed");
        Collector.Attributes(parent, 9).ShouldContain($"moirai.task.id={task.Id.Value}");
    }

    // A data point of a sum or a gauge.
    private static Message Point(Message data, params string[] attributes) => data.All(1).Single(point => Collector.Attributes(point, 7).SequenceEqual(attributes));
}
