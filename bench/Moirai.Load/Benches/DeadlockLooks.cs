using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>What it costs to look for a deadlock when a task has to wait for a mutex: every variant with the detector, and without.</summary>
internal sealed class DeadlockLooks() : Workload(
    "deadlock-check",
    "N lock/yield/unlock of one async mutex that T tasks share, so that nearly every lock has to wait and looks for a ring (chains of one link); the same with the detector off",
    new("pair", 2_000_000, 2, IsLocal: true),
    new("pair-off", 2_000_000, 2, IsLocal: true),
    new("line", 2_000_000, 16, IsLocal: true),
    new("line-off", 2_000_000, 16, IsLocal: true),
    new("threads", 1_000_000, 16),
    new("threads-off", 1_000_000, 16))
{
    public override string? TasksAre => "tasks that share the mutex";

    public override bool HasPeer => false;

    public override string? Objection(LoadArgs args) => args.Peer == Peer.Dotnet ? "the base library looks for no deadlocks: compare with the variants that end in -off" : null;

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        bool isOff = pass.Variant.EndsWith("-off", StringComparison.Ordinal);
        LocalExecutor? local = pass.Runtime.Executor is LocalExecutor ? new LocalExecutor() : null;
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions
        {
            Name = "watched",
            Executor = local,
            Deadlocks = isOff ? DeadlockPolicy.Off : DeadlockPolicy.Throw,
        });
        var mutex = new AsyncMutex("shared");
        ManagedTask[] tasks = new ManagedTask[pass.Tasks];
        pass.Begin();
        for (int t = 0; t < tasks.Length; t++)
        {
            tasks[t] = runtime.SpawnDetached(HoldAsync(mutex, Shares.Of(pass, t)), "locker");
        }

        if (local is not null)
        {
            local.RunUntilStalled();
        }

        foreach (ManagedTask task in tasks)
        {
            await task;
        }

        pass.Phase("run");
        pass.Count(pass.N);
        Pass.Check(runtime.TakeCensus().Deadlocks == 0, "a ring was found where there is one lock");
    }

    public override Task RunByHandAsync(Pass pass) => throw new NotSupportedException("It is refused before.");

    private static async Future HoldAsync(AsyncMutex mutex, long count)
    {
        for (long i = 0; i < count; i++)
        {
            using (await mutex.LockAsync())
            {
                await Future.Yield();
            }
        }
    }
}
