using System.Diagnostics;
using System.Diagnostics.Metrics;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>N tasks that wait: what one collection of all of Moirai's instruments costs.</summary>
internal sealed class MeterLooks() : Workload(
    "meter-look",
    "N tasks that wait, and all instruments of the meter collected",
    [new("sleep", 1_000_000)])
{
    private const int Looks = 9;

    public override bool HasPeer => false;

    public override string? Objection(LoadArgs args) => args.Peer == Peer.Dotnet ? "the base library counts no tasks: there is nothing to compare with" : null;

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        pass.Begin();
        TaskScope scope = pass.Runtime.OpenScope("crowd", ScopePolicy.Isolate);
        for (long i = 0; i < pass.N; i++)
        {
            _ = scope.Spawn(Future.Delay(TimeSpan.FromDays(1)));
        }

        while (pass.Runtime.TakeCensus().Ready > 0)
        {
            await Future.Delay(TimeSpan.FromMilliseconds(1));
        }

        pass.Phase("suspend");
        long blocked = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Moirai")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                blocked = instrument.Name == "moirai.task.live" && tag.Value is "blocked" ? Math.Max(blocked, value) : blocked;
            }
        });
        listener.Start();
        var times = new double[Looks];
        using var self = Process.GetCurrentProcess();
        TimeSpan before = self.TotalProcessorTime;
        for (int i = 0; i < Looks; i++)
        {
            long began = Stopwatch.GetTimestamp();
            listener.RecordObservableInstruments();
            times[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }

        self.Refresh();
        pass.Phase("looks");
        pass.Count(pass.N * Looks, "looks");
        Pass.Check(blocked >= pass.N, $"{blocked} of {pass.N} waiting tasks were counted");
        Array.Sort(times);
        pass.Extra("look_ms", times[Looks / 2]);
        pass.Extra("slowest_ms", times[^1]);
        pass.Extra("look_cpu_ms", (self.TotalProcessorTime - before).TotalMilliseconds / Looks);
        scope.Cancel();
        await scope.JoinAsync();
        pass.Phase("drain");
    }

    public override Task RunByHandAsync(Pass pass) => throw new NotSupportedException("The base library counts no tasks.");
}
