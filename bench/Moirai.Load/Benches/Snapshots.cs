using System.Diagnostics;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>N suspended tasks, told by snapshots: how long one takes, and what it takes from the program beside it.</summary>
/// <remarks>A half of the tasks are three <c>async Future</c> methods deep, the other half three plain <c>async</c> methods below one.</remarks>
internal sealed class Snapshots() : Workload(
    "snapshot",
    "N suspended tasks, told by snapshots: all one by one with their chains; counted in groups; and what that takes from tasks that yield all the time, on all processors but one (load, load-plain) or on all (full)",
    new Variant("chains", 100_000),
    new Variant("plain", 1_000_000),
    new Variant("load", 100_000),
    new Variant("load-plain", 1_000_000),
    new Variant("full", 100_000))
{
    private const int Rounds = 9;

    public override bool HasPeer => false;

    public override string? Objection(LoadArgs args) => args.Peer == Peer.Dotnet ? "the base library has no snapshot of its tasks: there is nothing to compare with" : null;

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        pass.Begin();
        var promise = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskScope scope = pass.Runtime.OpenScope("crowd", ScopePolicy.Isolate);
        for (long i = 0; i < pass.N; i += 2)
        {
            _ = scope.Spawn(OuterAsync(promise.Task));
            if (i + 1 < pass.N)
            {
                _ = scope.Spawn(_ => PlainOuterAsync(promise.Task));
            }
        }

        while (pass.Runtime.TakeCensus().Ready > 0)
        {
            await Future.Delay(TimeSpan.FromMilliseconds(1));
        }

        pass.Phase("suspend");
        if (pass.Variant is "load" or "load-plain" or "full")
        {
            await SnapshotLoad.MeasureAsync(pass, OptionsOf(pass));
        }
        else
        {
            Measure(pass);
        }

        promise.SetResult();
        await scope.JoinAsync();
        pass.Phase("drain");
    }

    public override Task RunByHandAsync(Pass pass) => throw new NotSupportedException("The base library has no snapshot of its tasks.");

    private static SnapshotOptions OptionsOf(Pass pass) => pass.Variant.EndsWith("plain", StringComparison.Ordinal)
        ? new SnapshotOptions { Chains = false, MaxTasks = 0 }
        : new SnapshotOptions { MaxTasks = (int)Math.Min(int.MaxValue, pass.N + 1_000) };

    private static void Measure(Pass pass)
    {
        var times = new List<double>();
        RuntimeSnapshot snapshot = pass.Runtime.TakeSnapshot(OptionsOf(pass));
        pass.Mark();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        double cpu = Meters.Read().CpuSeconds;
        for (int i = 0; i < Rounds; i++)
        {
            long began = Stopwatch.GetTimestamp();
            snapshot = pass.Runtime.TakeSnapshot(OptionsOf(pass));
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        cpu = Meters.Read().CpuSeconds - cpu;
        long bytes = (GC.GetTotalAllocatedBytes(precise: true) - before) / Rounds;
        pass.Phase("snapshots");
        Pass.Check(snapshot.States.Blocked >= pass.N, $"{snapshot.States.Blocked} of {pass.N} tasks were told as blocked");
        Pass.Check(pass.Variant == "plain" || snapshot.Tasks.Count(static task => task.Chain.Count >= 3) >= pass.N, "not every task was told with its chain");
        pass.Count(pass.N * Rounds, "snapshots");
        times.Sort();
        pass.Extra("median_ms", times[Rounds / 2]);
        pass.Extra("slowest_ms", times[^1]);
        pass.Extra("cpu_ms", cpu * 1_000 / Rounds);
        pass.Extra("bytes_per_task", (double)bytes / pass.N);
        long mark = Stopwatch.GetTimestamp();
        _ = snapshot.ToString();
        pass.Extra("text_ms", Stopwatch.GetElapsedTime(mark).TotalMilliseconds);
        mark = Stopwatch.GetTimestamp();
        _ = snapshot.ToJson();
        pass.Extra("json_ms", Stopwatch.GetElapsedTime(mark).TotalMilliseconds);
    }

    private static async Future OuterAsync(Task promise) => await MiddleAsync(promise);

    private static async Future MiddleAsync(Task promise) => await InnerAsync(promise);

    private static async Future InnerAsync(Task promise) => await promise;

    private static async Task PlainOuterAsync(Task promise) => await PlainMiddleAsync(promise);

    private static async Task PlainMiddleAsync(Task promise) => await PlainInnerAsync(promise);

    private static async ValueTask PlainInnerAsync(Task promise) => await promise;
}
