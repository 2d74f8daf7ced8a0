using System.Diagnostics;
using Moirai.Load.Harness;
using Moirai.Tool;

namespace Moirai.Load.Benches;

/// <summary>N tasks alive at the same time, all suspended: what one of them weighs, and what it costs to wake all.</summary>
internal sealed class MillionLive() : Workload(
    "million-live",
    "N tasks suspended at once, until a moment S seconds after the start or at one gate; then released",
    new("sleep", 1_000_000),
    new("gate", 1_000_000))
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(50);

    public override bool Holds => true;

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        var crowd = new Crowd(pass);
        var opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ManagedTask gate = pass.Runtime.SpawnDetached(_ => opened.Task, name: "gate");
        await pass.Runtime.RunScopeAsync("crowd", async scope =>
        {
            crowd.Begin();
            if (pass.Variant == "sleep")
            {
                for (long i = 0; i < pass.N; i++)
                {
                    _ = scope.Spawn(SleepAsync(crowd));
                }
            }
            else
            {
                for (long i = 0; i < pass.N; i++)
                {
                    _ = scope.Spawn(WaitAsync(crowd, gate));
                }
            }

            pass.Phase("spawn");
            while (!crowd.IsComplete)
            {
                await Future.Delay(Look);
            }

            pass.Phase("all_alive");
            await Future.Delay(Settle);
            crowd.Weigh();
            crowd.Release(pass.Variant == "gate");
            opened.SetResult();
        });
        crowd.End();
    }

    public override async Task RunByHandAsync(Pass pass)
    {
        var crowd = new Crowd(pass);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var tasks = new Task[pass.N];
        crowd.Begin();
        if (pass.Variant == "sleep")
        {
            for (int i = 0; i < tasks.Length; i++)
            {
                tasks[i] = Task.Run(() => SleepByHandAsync(crowd));
            }
        }
        else
        {
            for (int i = 0; i < tasks.Length; i++)
            {
                tasks[i] = Task.Run(() => WaitByHandAsync(crowd, gate.Task));
            }
        }

        pass.Phase("spawn");
        while (!crowd.IsComplete)
        {
            await Task.Delay(Look, TimeProvider.System);
        }

        pass.Phase("all_alive");
        await Task.Delay(Settle, TimeProvider.System);
        crowd.Weigh();
        crowd.Release(pass.Variant == "gate");
        gate.SetResult();
        await Task.WhenAll(tasks);
        crowd.End();
    }

    private static async Future SleepAsync(Crowd crowd)
    {
        crowd.Enter();
        await Future.Delay(crowd.Left);
        crowd.Leave();
    }

    private static async Future WaitAsync(Crowd crowd, ManagedTask gate)
    {
        crowd.Enter();
        await gate;
        crowd.Leave();
    }

    private static async Task SleepByHandAsync(Crowd crowd)
    {
        crowd.Enter();
        await Task.Delay(crowd.Left, TimeProvider.System);
        crowd.Leave();
    }

    private static async Task WaitByHandAsync(Crowd crowd, Task gate)
    {
        crowd.Enter();
        await gate;
        crowd.Leave();
    }

    /// <summary>Counts who is there, and weighs them.</summary>
    private sealed class Crowd(Pass pass)
    {
        private long _entered;
        private long _left;
        private long _deadline;
        private long _liveBefore;
        private long _residentBefore;

        public bool IsComplete => Interlocked.Read(ref _entered) == pass.N;

        public TimeSpan Left
        {
            get
            {
                TimeSpan left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), _deadline);
                return left > TimeSpan.Zero ? left : TimeSpan.Zero;
            }
        }

        public void Begin()
        {
            // What the warm-up left unused goes back to the system, so that the growth from here on belongs to the crowd.
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            _liveBefore = GC.GetTotalMemory(forceFullCollection: true);
            _residentBefore = ProcessMemory.ResidentKb;
            pass.Begin();
            _deadline = Stopwatch.GetTimestamp() + (long)(pass.Hold.TotalSeconds * Stopwatch.Frequency);
        }

        public void Enter() => Interlocked.Increment(ref _entered);

        public void Leave() => Interlocked.Increment(ref _left);

        public void Weigh()
        {
            long resident = ProcessMemory.ResidentKb;
            bool early = pass.Variant == "sleep" && Interlocked.Read(ref _left) > 0;
            long live = GC.GetTotalMemory(forceFullCollection: true);
            long collected = ProcessMemory.ResidentKb;
            early |= pass.Variant == "sleep" && Left == TimeSpan.Zero;
            pass.Extra("bytes_per_task", (resident - _residentBefore) * 1024.0 / pass.N);
            pass.Extra("collected_bytes_per_task", (collected - _residentBefore) * 1024.0 / pass.N);
            pass.Extra("live_bytes_per_task", (double)(live - _liveBefore) / pass.N);
            pass.Extra("hold_too_short", early ? 1 : 0);
        }

        /// <summary>The drain is timed from the moment at which the crowd may go.</summary>
        public void Release(bool now) => pass.MarkAt(now ? Stopwatch.GetTimestamp() : Math.Max(_deadline, Stopwatch.GetTimestamp()));

        public void End()
        {
            double drain = pass.Phase("drain");
            pass.Count(pass.N, "spawn", "all_alive");
            pass.Extra("spawn_ns_per_task", pass.Seconds * 1e9 / pass.N);
            pass.Extra("drain_ns_per_task", drain * 1e9 / pass.N);
            Pass.Check(Interlocked.Read(ref _left) == pass.N, $"{_left} of {pass.N} tasks went on");
        }
    }
}
