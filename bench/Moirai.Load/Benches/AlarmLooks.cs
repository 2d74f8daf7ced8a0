using System.Diagnostics;
using Moirai.Alarms;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>N tasks that wait: what a look of the watchdog at all of them costs, and for how long it then rests.</summary>
internal sealed class AlarmLooks() : Workload(
    "alarm-look",
    "N tasks that wait, looked at by the watchdog: all within their limit, or all over it, which is one alarm",
    new("within", 1_000_000),
    new("over", 1_000_000))
{
    private const int Looks = 9;

    public override bool HasPeer => false;

    public override string? Objection(LoadArgs args) => args.Peer == Peer.Dotnet ? "the base library has no alarms: there is nothing to compare with" : null;

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

        await Future.Delay(TimeSpan.FromSeconds(pass.Variant == "over" ? 1.1 : 0)); // waits are counted in whole seconds
        pass.Phase("suspend");

        int raised = 0;
        var limits = new AlarmLimits
        {
            Blocked = pass.Variant == "over" ? TimeSpan.FromSeconds(1) : TimeSpan.FromHours(1),
            WorkerHeld = null, // the thread that looks is the load's own step
            OnAlarm = alarm => raised += alarm is { Kind: AlarmKind.BlockedTooLong, Phase: AlarmPhase.Raised } ? 1 : 0,
        };
        using var dog = new Watchdog(pass.Runtime.Engine, limits) { OnFault = static error => throw new LoadFailedException(error.ToString()) };
        var times = new double[Looks];
        int rest = 0;
        for (int i = 0; i < Looks; i++)
        {
            long began = Stopwatch.GetTimestamp();
            rest = dog.Look();
            times[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }

        pass.Phase("looks");
        pass.Count(pass.N * Looks, "looks");
        Pass.Check(raised == (pass.Variant == "over" ? 1 : 0), $"{raised} alarms of waits were raised");
        Array.Sort(times);
        pass.Extra("look_ms", times[Looks / 2]);
        pass.Extra("slowest_ms", times[^1]);
        pass.Extra("rest_ms", rest);
        scope.Cancel();
        await scope.JoinAsync();
        pass.Phase("drain");
    }

    public override Task RunByHandAsync(Pass pass) => throw new NotSupportedException("The base library has no alarms.");
}
