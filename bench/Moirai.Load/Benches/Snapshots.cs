using System.Diagnostics;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>N suspended tasks, told by snapshots: how long one takes, and what it takes from the program beside it.</summary>
/// <remarks>A half of the tasks are three <c>async Future</c> methods deep, the other half three plain <c>async</c> methods below one.</remarks>
internal sealed class Snapshots() : Workload(
    "snapshot",
    "N suspended tasks, told by snapshots: all one by one with their chains; counted in groups; and what that takes from tasks that yield all the time, on all processors but one (load) or on all (full)",
    new Variant("chains", 100_000),
    new Variant("plain", 1_000_000),
    new Variant("load", 100_000),
    new Variant("full", 100_000))
{
    private const int Rounds = 9;
    private const int LoadRounds = 5;
    private const long WorthTiming = 50_000;

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
        if (pass.Variant is "load" or "full")
        {
            await MeasureLoadAsync(pass);
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

    private static SnapshotOptions OptionsOf(Pass pass) => pass.Variant == "plain"
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

    // Windows without snapshots, with one each second, and with one after the other, by turns: the machine may have other work.
    private static async Future MeasureLoadAsync(Pass pass)
    {
        TimeSpan window = pass.N < WorthTiming ? TimeSpan.FromMilliseconds(20) : TimeSpan.FromSeconds(1);
        int processors = pass.Variant == "full" ? Environment.ProcessorCount : Math.Max(1, Environment.ProcessorCount - 1);
        var busy = new Busy(processors);
        ManagedTask[] workers = [.. Enumerable.Range(0, processors).Select(worker => pass.Runtime.SpawnDetached(_ => busy.WorkAsync(worker), name: "worker"))];
        var without = new List<double>();
        var each = new List<double>();
        var always = new List<double>();
        long taken = 0;
        for (int i = 0; i < LoadRounds; i++)
        {
            without.Add(await RateAsync(window, busy, static _ => { }));
            each.Add(await RateAsync(window, busy, left => _ = left == 0 ? null : pass.Runtime.TakeSnapshot(OptionsOf(pass))));
            always.Add(await RateAsync(window, busy, left =>
            {
                while (Stopwatch.GetTimestamp() < left)
                {
                    _ = pass.Runtime.TakeSnapshot(OptionsOf(pass));
                    taken++;
                }
            }));
        }

        busy.Stop();
        foreach (ManagedTask worker in workers)
        {
            await worker;
        }

        pass.Phase("snapshots");
        pass.Count(busy.Done, "snapshots");
        without.Sort();
        each.Sort();
        always.Sort();
        pass.Extra("ops_per_second", without[LoadRounds / 2]);
        pass.Extra("one_a_second_percent", 100 * each[LoadRounds / 2] / without[LoadRounds / 2]);
        pass.Extra("one_after_the_other_percent", 100 * always[LoadRounds / 2] / without[LoadRounds / 2]);
        pass.Extra("snapshots_a_second", taken / (LoadRounds * window.TotalSeconds));
    }

    // On a thread of its own, as an operator's look is.
    private static async Future<double> RateAsync(TimeSpan window, Busy busy, Action<long> beside)
    {
        long began = Stopwatch.GetTimestamp();
        long end = began + (long)(window.TotalSeconds * Stopwatch.Frequency);
        long before = busy.Done;
        Task look = Task.Factory.StartNew(() => beside(end), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Future.Delay(window);
        await look;
        return (busy.Done - before) / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static async Future OuterAsync(Task promise) => await MiddleAsync(promise);

    private static async Future MiddleAsync(Task promise) => await InnerAsync(promise);

    private static async Future InnerAsync(Task promise) => await promise;

    private static async Task PlainOuterAsync(Task promise) => await PlainMiddleAsync(promise);

    private static async Task PlainMiddleAsync(Task promise) => await PlainInnerAsync(promise);

    private static async ValueTask PlainInnerAsync(Task promise) => await promise;

    /// <summary>Tasks that do nothing but yield, and count it.</summary>
    private sealed class Busy(int workers)
    {
        private const int Apart = 16; // a cache line and its neighbour

        private readonly long[] _done = new long[workers * Apart];
        private volatile bool _stopped;

        internal long Done
        {
            get
            {
                long done = 0;
                for (int i = 0; i < _done.Length; i += Apart)
                {
                    done += Volatile.Read(ref _done[i]);
                }

                return done;
            }
        }

        internal void Stop() => _stopped = true;

        internal async Future WorkAsync(int worker)
        {
            while (!_stopped)
            {
                await Future.Yield();
                Volatile.Write(ref _done[worker * Apart], _done[worker * Apart] + 1);
            }
        }
    }
}
