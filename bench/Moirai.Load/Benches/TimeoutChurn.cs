using Moirai.Load.Harness;
using Moirai.Tool;

namespace Moirai.Load.Benches;

/// <summary>The timeout that is never reached, as on every call of a service: armed, disarmed, and nothing of it left behind.</summary>
/// <remarks>By hand in the two ways that leave nothing behind: <c>WaitAsync</c>, and for operations that take a token a linked source with <c>CancelAfter</c>.</remarks>
internal sealed class TimeoutChurn() : Workload(
    "timeout-churn",
    "N operations that suspend once, each under a 30 s timeout which it never reaches; T tasks share them",
    new("yield", 1_000_000),
    new("oneshot", 1_000_000),
    new("oneshot-foreign", 1_000_000),
    new("yield-token", 1_000_000),
    new("oneshot-token", 1_000_000))
{
    public override string? TasksAre => "tasks that share the operations";

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
                callers[t] = scope.Spawn(CallAsync(pass, Shares.Of(pass, t)));
            }

            foreach (ManagedTask<long> caller in callers)
            {
                done += await caller;
            }
        });
        pass.Phase("run");
        pass.Count(pass.N);
        Pass.Check(done == pass.N, $"{done} of {pass.N} operations were done");
        int left = pass.Runtime.TakeTimerGauges().Depth;
        Pass.Check(left == 0, $"{left} entries are left in the timer queue");
        pass.Extra("timer_entries_left", left);
        pass.Extra("rss_growth_kb", ProcessMemory.ResidentKb - resident);
    }

    public override async Task RunByHandAsync(Pass pass)
    {
        long resident = ProcessMemory.ResidentKb;
        long timers = Timer.ActiveCount;
        using var outer = new CancellationTokenSource();
        pass.Begin();
        var callers = new Task<long>[pass.Tasks];
        for (int t = 0; t < callers.Length; t++)
        {
            long share = Shares.Of(pass, t);
            callers[t] = Task.Run(() => CallByHandAsync(pass.Variant, share, outer.Token));
        }

        long done = (await Task.WhenAll(callers)).Sum();
        pass.Phase("run");
        pass.Count(pass.N);
        Pass.Check(done == pass.N, $"{done} of {pass.N} operations were done");
        pass.Extra("timer_entries_left", Timer.ActiveCount - timers);
        pass.Extra("rss_growth_kb", ProcessMemory.ResidentKb - resident);
    }

    // One loop for each variant: a choice inside the loop would be measured too.
    private static Future<long> CallAsync(Pass pass, long count) => pass.Variant switch
    {
        "yield" => YieldsAsync(count),
        "oneshot" => OneshotsAsync(pass.Runtime, count),
        "oneshot-foreign" => ForeignOneshotsAsync(count),
        "yield-token" => YieldsWithTokenAsync(count),
        _ => OneshotsWithTokenAsync(count),
    };

    private static async Future<long> YieldsAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await YieldAsync().WithTimeout(Limit);
        }

        return done;
    }

    private static async Future<long> OneshotsAsync(TaskRuntime runtime, long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            _ = runtime.SpawnDetached(SendAsync(sender));
            done += await receiver.ReceiveAsync().WithTimeout(Limit);
        }

        return done;
    }

    private static async Future<long> ForeignOneshotsAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await Oneshot().WithTimeout(Limit);
        }

        return done;
    }

#pragma warning disable CS1998 // never suspending is the shortest way to an answer
    private static async Future SendAsync(OneShotSender<int> sender) => sender.TrySend(1);
#pragma warning restore CS1998

    private static async Future<long> YieldsWithTokenAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await YieldWithTokenAsync().WithTimeout(Limit);
        }

        return done;
    }

    private static async Future<long> OneshotsWithTokenAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await OneshotWithTokenAsync().WithTimeout(Limit);
        }

        return done;
    }

    private static async Future<int> YieldAsync()
    {
        await Future.Yield();
        return 1;
    }

    private static async Future<int> YieldWithTokenAsync()
    {
        CancellationToken ct = ManagedTask.CurrentToken;
        await Future.Yield();
        ct.ThrowIfCancellationRequested();
        return 1;
    }

    private static async Future<int> OneshotWithTokenAsync() => await HeedingAsync(ManagedTask.CurrentToken).ConfigureAwait(false);

    private static Task<long> CallByHandAsync(string variant, long count, CancellationToken outer) => variant switch
    {
        "yield" => YieldsByHandAsync(count),
        "oneshot" or "oneshot-foreign" => OneshotsByHandAsync(count),
        "yield-token" => YieldsWithLinkedTokenAsync(count, outer),
        _ => OneshotsWithLinkedTokenAsync(count, outer),
    };

    private static async Task<long> YieldsByHandAsync(long count)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            done += await YieldByHandAsync(CancellationToken.None).WaitAsync(Limit, TimeProvider.System);
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

    private static async Task<long> YieldsWithLinkedTokenAsync(long count, CancellationToken outer)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            using var source = CancellationTokenSource.CreateLinkedTokenSource(outer);
            source.CancelAfter(Limit);
            done += await YieldByHandAsync(source.Token);
        }

        return done;
    }

    private static async Task<long> OneshotsWithLinkedTokenAsync(long count, CancellationToken outer)
    {
        long done = 0;
        for (long i = 0; i < count; i++)
        {
            using var source = CancellationTokenSource.CreateLinkedTokenSource(outer);
            source.CancelAfter(Limit);
            done += await HeedingAsync(source.Token);
        }

        return done;
    }

    private static async Task<int> YieldByHandAsync(CancellationToken ct)
    {
        await Task.Yield();
        ct.ThrowIfCancellationRequested();
        return 1;
    }

    // An answer that comes from elsewhere: the same foreign operation for both.
    private static Task<int> Oneshot()
    {
        var answer = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        ThreadPool.UnsafeQueueUserWorkItem(static answer => answer.TrySetResult(1), answer, preferLocal: true);
        return answer.Task;
    }

    // The same, for one that is told by a token.
    private static async Task<int> HeedingAsync(CancellationToken ct)
    {
        var answer = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        ThreadPool.UnsafeQueueUserWorkItem(static answer => answer.TrySetResult(1), answer, preferLocal: true);
        using (ct.UnsafeRegister(static (answer, ct) => ((TaskCompletionSource<int>)answer!).TrySetCanceled(ct), answer))
        {
            return await answer.Task.ConfigureAwait(false);
        }
    }
}
