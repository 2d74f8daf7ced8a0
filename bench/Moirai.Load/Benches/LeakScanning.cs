using System.Diagnostics;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>N suspended tasks, of which one in a thousand can never go on: how long it takes to prove and to heal that.</summary>
internal sealed class LeakScanning() : Workload(
    "leak-scan",
    "N tasks suspended at promises, of which one in a thousand is lost; one search proves and heals those",
    new Variant("promises", 1_000_000))
{
    private const int OneIn = 1_000;

    public override bool HasPeer => false;

    public override string? Objection(LoadArgs args) => args.Peer == Peer.Dotnet ? "the base library has no search for leaks: there is nothing to compare with" : null;

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        long lost = (pass.N + OneIn - 1) / OneIn;
        var held = new TaskCompletionSource[pass.N];
        pass.Begin();
        TaskScope scope = pass.Runtime.OpenScope("crowd", ScopePolicy.Isolate);
        for (long i = 0; i < pass.N; i++)
        {
            var promise = new TaskCompletionSource();
            held[i] = i % OneIn == 0 ? null! : promise;
            _ = scope.Spawn(WaitAsync(promise.Task));
        }

        while (pass.Runtime.TakeCensus().Ready > 0)
        {
            await Future.Delay(TimeSpan.FromMilliseconds(1));
        }

        pass.Phase("suspend");
        TimeSpan busy = Environment.CpuUsage.TotalTime;
        LeakReport report = await pass.Runtime.FindLeaksAsync();
        pass.Extra("search_cpu_ms", (Environment.CpuUsage.TotalTime - busy).TotalMilliseconds);
        pass.Phase("search");
        Pass.Check(report.Leaks.Count == lost, $"{report.Leaks.Count} of {lost} leaks were found");
        pass.Count(pass.N, "search");
        pass.Extra("search_ms", report.Duration.TotalMilliseconds);
        pass.Extra("collecting_ms", report.Collecting.TotalMilliseconds);
        pass.Extra("found", report.Leaks.Count);
        long began = Stopwatch.GetTimestamp();
        busy = Environment.CpuUsage.TotalTime;
        GC.Collect();
        pass.Extra("one_collection_cpu_ms", (Environment.CpuUsage.TotalTime - busy).TotalMilliseconds);
        pass.Extra("one_collection_ms", Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        foreach (TaskCompletionSource? promise in held)
        {
            promise?.SetResult();
        }

        await scope.JoinAsync();
        pass.Phase("drain");
    }

    public override Task RunByHandAsync(Pass pass) => throw new NotSupportedException("The base library has no search for leaks.");

    private static async Future WaitAsync(Task promise) => await promise;
}
