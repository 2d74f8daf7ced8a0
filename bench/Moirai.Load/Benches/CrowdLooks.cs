using System.Diagnostics;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>N tasks that sleep, and several looks at them all: what one look costs. What a look is, each heir says.</summary>
/// <param name="name">What the command line calls it.</param>
/// <param name="work">What is measured, in one sentence.</param>
/// <param name="noPeer">What the base library lacks to do the same.</param>
/// <param name="variants">The ways; the first is the default.</param>
internal abstract class CrowdLooks(string name, string work, string noPeer, params Variant[] variants) : Workload(name, work, variants)
{
    private const int Looks = 9;

    public sealed override bool HasPeer => false;

    public sealed override string? Objection(LoadArgs args) => args.Peer == Peer.Dotnet ? $"{noPeer}: there is nothing to compare with" : null;

    public sealed override async Future RunByMoiraiAsync(Pass pass)
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

        await Future.Delay(SleepsBefore(pass.Variant));
        pass.Phase("suspend");
        using (Looker looker = Begin(pass))
        {
            Measure(pass, looker);
        }

        scope.Cancel();
        await scope.JoinAsync();
        pass.Phase("drain");
    }

    public sealed override Task RunByHandAsync(Pass pass) => throw new NotSupportedException(noPeer);

    /// <summary>How long the tasks sleep before the first look.</summary>
    protected virtual TimeSpan SleepsBefore(string variant) => TimeSpan.Zero;

    /// <summary>Makes the one who looks.</summary>
    protected abstract Looker Begin(Pass pass);

    private static void Measure(Pass pass, Looker looker)
    {
        var times = new double[Looks];
        TimeSpan busy = Environment.CpuUsage.TotalTime;
        for (int i = 0; i < Looks; i++)
        {
            long began = Stopwatch.GetTimestamp();
            looker.Look();
            times[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }

        busy = Environment.CpuUsage.TotalTime - busy;
        pass.Phase("looks");
        pass.Count(pass.N * Looks, "looks");
        looker.Check(pass);
        Array.Sort(times);
        pass.Extra("look_ms", times[Looks / 2]);
        pass.Extra("slowest_ms", times[^1]);
        pass.Extra("look_cpu_ms", busy.TotalMilliseconds / Looks);
    }

    /// <summary>Looks at all tasks.</summary>
    protected abstract class Looker : IDisposable
    {
        public abstract void Look();

        /// <summary>Whether the looks have seen what there was, and what else is to be told of them.</summary>
        public abstract void Check(Pass pass);

        public abstract void Dispose();
    }
}
