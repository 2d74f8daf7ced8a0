namespace Moirai.Dashboard.Tests;

/// <summary>A runtime in which there is something to see: pools that fill and drain, workers, a lock that many want, a nested import, failures, alarms.</summary>
internal sealed class Showcase : IAsyncDisposable
{
    private readonly AsyncMutex _ledger = new("ledger");
    private readonly TaskPool _requests;
    private readonly TaskPool _mails;
    private readonly TaskCompletionSource _bank = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal Showcase(DeadlockPolicy deadlocks = default)
    {
        Runtime = new TaskRuntime(new()
        {
            Name = "orders",
            Accounting = AccountingLevel.Exact,
            Alarms = new AlarmLimits { Blocked = TimeSpan.FromSeconds(3), PoolFull = TimeSpan.FromSeconds(4) },
            Deadlocks = deadlocks,
            CancelTimeout = TimeSpan.FromSeconds(5),
        });
        _requests = Runtime.CreatePool("requests", maxTasks: 40);
        _mails = Runtime.CreatePool("mails", maxTasks: 4);
        _ = Runtime.SpawnDetached(async _ => await ReconcileAsync(), name: "reconcile");
        _ = Runtime.SpawnDetached(async _ => await ReceiveAsync(), name: "receive requests");
        _ = Runtime.SpawnDetached(async _ => await QueueMailsAsync(), name: "queue mails");
        _ = Runtime.SpawnDetached(async _ => await ImportAsync(), name: "import");
        for (int i = 0; i < 8; i++)
        {
            int seed = i;
            ManagedTask worker = Runtime.SpawnDetached(async _ => await WorkAsync(seed), name: $"worker {i}");
            worker.IsResident = true;
        }
    }

    internal TaskRuntime Runtime { get; }

    /// <summary>Three tasks that take three locks in a ring.</summary>
    internal void PlantDeadlock()
    {
        AsyncMutex[] locks = [new("stock"), new("accounts"), new("invoices")];
        var all = new AsyncBarrier(3);
        string[] names = ["ship order", "book payment", "write invoice"];
        for (int i = 0; i < 3; i++)
        {
            (AsyncMutex first, AsyncMutex second) = (locks[i], locks[(i + 1) % 3]);
            _ = Runtime.SpawnDetached(
                async _ =>
                {
                    using (await first.LockAsync())
                    {
                        await all.WaitAsync();
                        using (await second.LockAsync())
                        {
                        }
                    }
                },
                name: names[i]);
        }

        for (int i = 0; i < 25; i++)
        {
            _ = Runtime.SpawnDetached(async _ => await TakeAsync(locks[0]), name: "query stock");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _bank.TrySetResult();
        await Runtime.StopAsync(TimeSpan.Zero, TimeSpan.FromSeconds(20));
        _ledger.Dispose();
    }

    private static async Future TakeAsync(AsyncMutex mutex)
    {
        using (await mutex.LockAsync())
        {
        }
    }

    // Holds the ledger while a bank answers, which it does late.
    private async Future ReconcileAsync()
    {
        using (await _ledger.LockAsync())
        {
            await FetchStatementAsync();
        }
    }

    private async Task FetchStatementAsync() => await _bank.Task;

    private async Future ReceiveAsync()
    {
        var random = new Random(7);
        for (int tick = 0; ; tick++)
        {
            int burst = (int)(9 + (8 * Math.Sin(tick / 9.0)));
            for (int i = 0; i < burst; i++)
            {
                int milliseconds = random.Next(40, 900);
                _ = _requests.TrySpawn(async _ => await HandleAsync(milliseconds), out _, name: milliseconds % 3 == 0 ? "GET /orders" : "POST /orders");
            }

            if (tick % 40 == 39)
            {
                _ = Runtime.SpawnDetached(async _ => await TakeAsync(_ledger), name: "book order");
            }

            await Future.Delay(TimeSpan.FromMilliseconds(100));
        }
    }

    private static async Future HandleAsync(int milliseconds)
    {
        await Future.Delay(TimeSpan.FromMilliseconds(milliseconds));
        Burn(milliseconds / 60);
        await Future.Yield();
        await Future.Delay(TimeSpan.FromMilliseconds(milliseconds / 3));
    }

    private async Future QueueMailsAsync()
    {
        for (int i = 0; ; i++)
        {
            await _mails.SpawnAsync(static async _ => await Future.Delay(TimeSpan.FromMilliseconds(1_700)), name: "send mail");
        }
    }

    private Future ImportAsync() => Runtime.RunScopeAsync("import", async scope =>
    {
        for (int i = 0; i < 6; i++)
        {
            int part = i;
            _ = scope.Spawn(async ct => await Runtime.RunScopeAsync("part", async inner =>
            {
                for (int row = 0; row < 12; row++)
                {
                    _ = inner.Spawn(async _ => await Future.Delay(TimeSpan.FromSeconds(20 + (part * 7))), name: "row");
                }

                await Future.Delay(TimeSpan.FromMinutes(10));
            }), name: "import part");
        }

        await Future.Delay(TimeSpan.FromMinutes(10));
    });

    private static async Future WorkAsync(int seed)
    {
        var random = new Random(seed);
        while (true)
        {
            await Future.Delay(TimeSpan.FromMilliseconds(random.Next(150, 2_500)));
            for (int i = random.Next(1, 14); i > 0; i--)
            {
                Burn(7);
                await Future.Yield();
            }
        }
    }

    private static void Burn(int milliseconds)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began).TotalMilliseconds < milliseconds)
        {
            Thread.SpinWait(200);
        }
    }
}
