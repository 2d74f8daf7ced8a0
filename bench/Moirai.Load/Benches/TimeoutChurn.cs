using Moirai.Load.Harness;
using Moirai.Tool;

namespace Moirai.Load.Benches;

/// <summary>The timeout that is never reached, as on every call of a service: armed, disarmed, and nothing of it left behind.</summary>
internal sealed class TimeoutChurn() : Workload(
    "timeout-churn",
    "N operations that suspend once, each under a 30 s timeout which it never reaches; T tasks share them",
    new("yield", 1_000_000),
    new("oneshot", 1_000_000))
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        long resident = ProcessMemory.ResidentKb;
        long done = 0;
        pass.Begin();
        await pass.Runtime.RunScopeAsync("callers", async scope =>
        {
            var callers = new ManagedTask<long>[pass.Tasks];
            for (int t = 0; t < callers.Length; t++)
            {
                long share = Shares.Of(pass, t);
                callers[t] = scope.Spawn(pass.Variant == "yield" ? YieldsAsync(share) : OneshotsAsync(share));
            }

            foreach (ManagedTask<long> caller in callers)
            {
                done += await caller;
            }
        });
        pass.Phase("run");
        pass.Count(pass.N);
        Pass.Check(done == pass.N, $"{done} of {pass.N} operations were done");
        pass.Extra("timer_entries_left", pass.Runtime.TakeCensus().TimerEntries);
        pass.Extra("rss_growth_kb", ProcessMemory.ResidentKb - resident);
    }

    public override async Task RunByHandAsync(Pass pass)
    {
        long resident = ProcessMemory.ResidentKb;
        long timers = Timer.ActiveCount;
        pass.Begin();
        var callers = new Task<long>[pass.Tasks];
        for (int t = 0; t < callers.Length; t++)
        {
            long share = Shares.Of(pass, t);
            callers[t] = Task.Run(() => pass.Variant == "yield" ? YieldsByHandAsync(share) : OneshotsByHandAsync(share));
        }

        long done = (await Task.WhenAll(callers)).Sum();
        pass.Phase("run");
        pass.Count(pass.N);
        Pass.Check(done == pass.N, $"{done} of {pass.N} operations were done");
        pass.Extra("timer_entries_left", Timer.ActiveCount - timers);
        pass.Extra("rss_growth_kb", ProcessMemory.ResidentKb - resident);
    }

    private static async Future<long> YieldsAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await YieldAsync().WithTimeout(Limit);
        }

        return done;
    }

    private static async Future<long> OneshotsAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await Oneshot().WithTimeout(Limit);
        }

        return done;
    }

    private static async Future<int> YieldAsync()
    {
        await Future.Yield();
        return 1;
    }

    private static async Task<long> YieldsByHandAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await YieldByHandAsync().WaitAsync(Limit, TimeProvider.System);
        }

        return done;
    }

    private static async Task<long> OneshotsByHandAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await Oneshot().WaitAsync(Limit, TimeProvider.System);
        }

        return done;
    }

    private static async Task<int> YieldByHandAsync()
    {
        await Task.Yield();
        return 1;
    }

    // An answer that comes from elsewhere: the same foreign operation for both.
    private static Task<int> Oneshot()
    {
        var answer = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        ThreadPool.UnsafeQueueUserWorkItem(static answer => answer.SetResult(1), answer, preferLocal: true);
        return answer.Task;
    }
}
