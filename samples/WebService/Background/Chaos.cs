using Moirai;
using Moirai.Hosting;

namespace WebService.Background;

/// <summary>Plants one trouble after the other, round after round, so that each can be seen found and named, and where it can be, healed: on the page at /moirai, in <c>moirai top</c>, and at /health.</summary>
internal sealed class Chaos(TaskRuntime runtime, [FromKeyedServices(Pools.Starved)] TaskPool starved, ServiceSettings settings) : ISupervisedTask
{
    private readonly TimeSpan _while = settings.ChaosPace / 2;

    public async Future RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await DeadlockAsync();
            await Future.Delay(settings.ChaosPace);
            await LeakAsync();
            await Future.Delay(settings.ChaosPace);
            await BlockWorkerAsync();
            await Future.Delay(settings.ChaosPace);
            await StarvePoolAsync();
            await Future.Delay(settings.ChaosPace);
        }
    }

    // Two tasks take two locks in opposite order. Found when the ring closes: the wait that closes it throws, gives its lock back, and the other task goes on.
    private async Future DeadlockAsync()
    {
        using var stock = new AsyncMutex("stock");
        using var accounts = new AsyncMutex("accounts");
        var both = new AsyncBarrier(2);
        ManagedTask[] tasks =
        [
            runtime.SpawnDetached(async _ => await TakeBothAsync(stock, accounts, both), name: "ship order"),
            runtime.SpawnDetached(async _ => await TakeBothAsync(accounts, stock, both), name: "book payment"),
        ];
        foreach (ManagedTask task in tasks)
        {
            try
            {
                await task;
            }
            catch (DeadlockException)
            {
                // Meant: one of the two is told so.
            }
        }
    }

    private static async Future TakeBothAsync(AsyncMutex first, AsyncMutex second, AsyncBarrier both)
    {
        using (await first.LockAsync())
        {
            await both.WaitAsync();
            using (await second.LockAsync())
            {
            }
        }
    }

    // Waits for an answer that nobody can give any more. Proved by the garbage collector, and resumed with an exception, so that its clean-up runs.
    private async Future LeakAsync()
    {
        Orphan();
        await Future.Delay(_while);
        await runtime.FindLeaksAsync(LeakPolicy.Heal);
    }

    private void Orphan()
    {
        var nobody = new TaskCompletionSource();
        _ = runtime.SpawnDetached(_ => nobody.Task, name: "orphan");
    }

    // Keeps its thread. Nobody can take that away from it; the alarm names it for as long as it does.
    private async Future BlockWorkerAsync()
    {
        TimeSpan hold = _while;
        await runtime.SpawnDetached(
            async token =>
            {
                await Future.Yield();
                token.WaitHandle.WaitOne(hold);
            },
            name: "blocked worker");
    }

    // One keeps the only slot of a pool, and others wait for it. It drains when they are through.
    private async Future StarvePoolAsync() => await runtime.RunScopeAsync("starving", async scope =>
    {
        for (int i = 0; i < 4; i++)
        {
            _ = scope.Spawn(async _ => await await starved.SpawnAsync(async _ => await Future.Delay(_while / 2), name: "slow"), name: "waits for a slot");
        }

        await Future.Yield();
    });
}
