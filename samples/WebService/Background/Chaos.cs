using Moirai;

namespace WebService;

/// <summary>Plants one trouble after the other, round after round, so that each can be seen found and named, and where it can be, healed: on the page at /moirai, and in <c>moirai top</c>.</summary>
internal static class Chaos
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(12);

    public static void Begin(TaskRuntime runtime)
    {
        ManagedTask chaos = runtime.SpawnDetached(async _ => await RoundsAsync(runtime), name: "chaos");
        chaos.IsResident = true;
    }

    private static async Future RoundsAsync(TaskRuntime runtime)
    {
        while (true)
        {
            await DeadlockAsync(runtime);
            await Future.Delay(s_pause);
            await LeakAsync(runtime);
            await Future.Delay(s_pause);
            await BlockWorkerAsync(runtime);
            await Future.Delay(s_pause);
            await StarvePoolAsync(runtime);
            await Future.Delay(s_pause);
        }
    }

    // Found when the ring closes: the wait that closes it throws, and the other task goes on.
    private static async Future DeadlockAsync(TaskRuntime runtime)
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
                // Meant: the page tells of it.
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

    // Waits for an answer that nobody can give any more. Proved by the garbage collector, and resumed with an exception.
    private static async Future LeakAsync(TaskRuntime runtime)
    {
        Orphan(runtime);
        await Future.Delay(TimeSpan.FromSeconds(5));
        await runtime.FindLeaksAsync(LeakPolicy.Heal);
    }

    private static void Orphan(TaskRuntime runtime)
    {
        var nobody = new TaskCompletionSource();
        _ = runtime.SpawnDetached(_ => nobody.Task, name: "orphan");
    }

    // Keeps its thread: the alarm names it while it does.
    private static async Future BlockWorkerAsync(TaskRuntime runtime) => await runtime.SpawnDetached(
        static async _ =>
        {
            await Future.Yield();
            Thread.Sleep(TimeSpan.FromSeconds(4));
        },
        name: "blocked worker");

    // One keeps the only slot, and others wait for it.
    private static async Future StarvePoolAsync(TaskRuntime runtime)
    {
        await using TaskPool pool = runtime.CreatePool("one at a time", maxTasks: 1);
        await runtime.RunScopeAsync("starving", async scope =>
        {
            for (int i = 0; i < 5; i++)
            {
                _ = scope.Spawn(async _ => await await pool.SpawnAsync(static async _ => await Future.Delay(TimeSpan.FromSeconds(4)), name: "slow"), name: "waits for a slot");
            }

            await Future.Yield();
        });
    }
}
