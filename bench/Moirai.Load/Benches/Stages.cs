using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>Where the time and the bytes of a life go: a thousand lives at a time on one thread, one stage of all of them before the next.</summary>
/// <remarks>A thousand fit into the caches, so this is what the instructions cost, and fresh memory for frames and tasks; what other processors add is in the other works. Phases are processor time; what the
/// collector takes is a phase of its own.</remarks>
internal sealed class Stages() : Workload(
    "stages",
    "N lives, a thousand at a time on one thread, stage by stage: call, spawn, first step, wake, last step, result; in extra the bytes of each",
    new("detached", 1_000_000),
    new("pool", 1_000_000))
{
    private const int Crowd = 1_000;

    private static readonly string[] s_names = ["call", "spawn", "first_step", "wake", "last_step", "result"];

    public override bool HasPeer => false;

    public override string? Objection(LoadArgs args) => args.Peer == Peer.Dotnet ? "the base library has no stages that could be told apart: compare whole lives, with spawn-join or million-live" : null;

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        var executor = new LocalExecutor();
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "stages", Executor = executor });
        Task living;
        using (ExecutionContext.SuppressFlow())
        {
            // On a thread that runs for no task: what the bench itself is must not be in the figures.
            living = Task.Factory.StartNew(() => Live(pass, runtime, executor), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        await living;
    }

    public override Task RunByHandAsync(Pass pass) => throw new NotSupportedException("It is refused before.");

    private static void Live(Pass pass, TaskRuntime runtime, LocalExecutor executor)
    {
        TaskPool? pool = pass.Variant == "pool" ? runtime.CreatePool("lives", Crowd) : null;
        var gate = new Notify("gate");
        var futures = new Future<long>[Crowd];
        var tasks = new ManagedTask<long>[Crowd];
        var watch = new StageWatch();
        long sum = 0;
        pass.Begin();
        for (long done = 0; done < pass.N; done += Crowd)
        {
            int count = (int)Math.Min(Crowd, pass.N - done);
            watch.Begin();
            Call(futures.AsSpan(0, count), gate, done);
            watch.End(0, count);
            Spawn(runtime, pool, futures.AsSpan(0, count), tasks);
            watch.End(1, count);
            executor.RunUntilStalled();
            watch.End(2, count);
            gate.NotifyWaiters();
            watch.End(3, count);
            executor.RunUntilStalled();
            watch.End(4, count);
            sum += Read(tasks.AsSpan(0, count));
            watch.End(5, count);
        }

        watch.Tell(pass);
        pass.Count(pass.N);
        pass.CheckSum(sum);
    }

    // Each stage is a method that is called often: the JIT finishes a loop that it enters once a pass before it knows what it calls.
    private static void Call(Span<Future<long>> futures, Notify gate, long first)
    {
        for (int i = 0; i < futures.Length; i++)
        {
            futures[i] = LiveAsync(gate, first + i);
        }
    }

    private static void Spawn(TaskRuntime runtime, TaskPool? pool, ReadOnlySpan<Future<long>> futures, ManagedTask<long>[] tasks)
    {
        if (pool is null)
        {
            for (int i = 0; i < futures.Length; i++)
            {
                tasks[i] = runtime.SpawnDetached(futures[i]);
            }

            return;
        }

        for (int i = 0; i < futures.Length; i++)
        {
            Pass.Check(pool.TrySpawn(futures[i], out tasks[i]!), "a slot was not given back");
        }
    }

    private static long Read(ReadOnlySpan<ManagedTask<long>> tasks)
    {
        long sum = 0;
        foreach (ManagedTask<long> task in tasks)
        {
            sum += task.GetAwaiter().GetResult();
        }

        return sum;
    }

    private static async Future<long> LiveAsync(Notify gate, long number)
    {
        await gate.WaitAsync();
        return number;
    }

    /// <summary>Adds up what each stage took: processor time, since others may be at work.</summary>
    /// <remarks>What a stage took in which a collection came counts for the collector, beyond what the stage takes without.</remarks>
    private sealed class StageWatch
    {
        private readonly long[] _ticks = new long[s_names.Length];
        private readonly long[] _bytes = new long[s_names.Length];
        private readonly long[] _undisturbed = new long[s_names.Length];
        private readonly long[] _disturbedTicks = new long[s_names.Length];
        private long _at;
        private long _bytesAt;
        private int _collectionsAt;

        public void Begin()
        {
            _bytesAt = GC.GetAllocatedBytesForCurrentThread();
            _collectionsAt = GC.CollectionCount(0);
            _at = Environment.CpuUsage.TotalTime.Ticks;
        }

        public void End(int stage, int count)
        {
            long ticks = Environment.CpuUsage.TotalTime.Ticks - _at;
            _bytes[stage] += GC.GetAllocatedBytesForCurrentThread() - _bytesAt;
            if (GC.CollectionCount(0) == _collectionsAt)
            {
                _ticks[stage] += ticks;
                _undisturbed[stage] += count;
            }
            else
            {
                _disturbedTicks[stage] += ticks;
            }

            Begin();
        }

        public void Tell(Pass pass)
        {
            double all = 0;
            double collecting = 0;
            for (int i = 0; i < s_names.Length; i++)
            {
                double ns = _undisturbed[i] == 0 ? 0 : _ticks[i] * (double)TimeSpan.NanosecondsPerTick / _undisturbed[i];
                all += ((_ticks[i] + _disturbedTicks[i]) * (double)TimeSpan.NanosecondsPerTick) / pass.N;
                collecting += ns;
                pass.Measured(s_names[i], ns * pass.N / 1e9);
                pass.Extra($"{s_names[i]}_ns", ns);
                pass.Extra($"{s_names[i]}_bytes", (double)_bytes[i] / pass.N);
            }

            collecting = Math.Max(0, all - collecting);
            pass.Measured("collections", collecting * pass.N / 1e9);
            pass.Extra("collections_ns", collecting);
        }
    }
}
