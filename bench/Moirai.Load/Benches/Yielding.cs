using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>The loop of the scheduler: a task steps aside and comes back, alone, among a thousand, and on one thread.</summary>
internal sealed class Yielding() : Workload(
    "yield",
    "N yields: by one task, shared by T tasks, or by one task on one thread",
    new("one", 10_000_000),
    new("many", 10_000_000, 1_000),
    new("local", 10_000_000, IsLocal: true))
{
    public override string? TasksAre => "tasks that share the yields";

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        long done = 0;
        pass.Begin();
        await pass.Runtime.RunScopeAsync("yielders", async scope =>
        {
            var tasks = new ManagedTask<long>[pass.Tasks];
            for (int t = 0; t < tasks.Length; t++)
            {
                tasks[t] = scope.Spawn(YieldAsync(Shares.Of(pass, t)));
            }

            foreach (ManagedTask<long> task in tasks)
            {
                done += await task;
            }
        });
        End(pass, done);
    }

    public override async Task RunByHandAsync(Pass pass)
    {
        pass.Begin();
        var tasks = new Task<long>[pass.Tasks];
        TaskScheduler where = pass.Variant == "local" ? TaskScheduler.Current : TaskScheduler.Default;
        for (int t = 0; t < tasks.Length; t++)
        {
            long share = Shares.Of(pass, t);
            tasks[t] = Task.Factory.StartNew(() => YieldByHandAsync(share), CancellationToken.None, TaskCreationOptions.DenyChildAttach, where).Unwrap();
        }

        long done = (await Task.WhenAll(tasks)).Sum();
        End(pass, done);
    }

    private static void End(Pass pass, long done)
    {
        pass.Phase("run");
        pass.Count(pass.N);
        Pass.Check(done == pass.N, $"{done} yields instead of {pass.N}");
    }

    private static async Future<long> YieldAsync(long count)
    {
        long done = 0;
        for (; done < count; done++)
        {
            await Future.Yield();
        }

        return done;
    }

    private static async Task<long> YieldByHandAsync(long count)
    {
        long done = 0;
        for (; done < count; done++)
        {
            await Task.Yield();
        }

        return done;
    }
}
