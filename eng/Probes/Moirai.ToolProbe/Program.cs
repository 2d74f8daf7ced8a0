using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Moirai;

// A process to look into. Does what its input says, a line at a time, and says "done" after each. The main thread does it all, so it also hears while the thread pool is blocked.
Orders? orders = args is ["plain"] ? null : new Orders(args.Contains("allow"));
Console.WriteLine("done");
while (Console.ReadLine() is { } line && line != "quit")
{
    string[] words = line.Split(' ');
    int count = words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : 0;
    switch (words[0])
    {
        case "spawn":
            orders!.Spawn(count);
            break;
        case "leak":
            orders!.Leak(count);
            break;
        case "fill":
            orders!.Fill();
            break;
        case "spin":
            orders!.Spin();
            break;
        case "second":
            orders!.OpenSecond();
            break;
        case "hostile":
            orders!.SpawnHostile();
            break;
        case "release":
            orders!.Release();
            break;
        case "block":
            BlockedPool.Block();
            break;
        case "unblock":
            BlockedPool.Unblock();
            break;
    }

    Console.WriteLine("done");
}

/// <summary>A runtime with something in it to see.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "It lives as long as the process.")]
internal sealed class Orders
{
    private readonly TaskRuntime _runtime;
    private readonly TaskPool _pool;
    private readonly TaskScope _scope;
    private readonly AsyncMutex _ledger = new("ledger");
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskRuntime? _second;
    private int _begun;
    private volatile bool _stop;

    public Orders(bool allow)
    {
        _runtime = new TaskRuntime(new()
        {
            Name = "orders",
            AllowCommands = allow,
            Accounting = AccountingLevel.Exact,
            Alarms = new AlarmLimits { WorkerHeld = null, Starved = null, PoolFull = TimeSpan.FromMilliseconds(1), Every = TimeSpan.FromMilliseconds(20) },
        });
        _pool = _runtime.CreatePool("requests", maxTasks: 100_000);
        _scope = _runtime.OpenScope("background");
        using var holds = new ManualResetEventSlim();
        _ = _scope.Spawn(_ => ReconcileAsync(holds), name: "reconcile");
        holds.Wait();
        _ = _scope.Spawn(_ => SaveAsync(), name: "save");
        Await(static orders => orders._begun == 1);
    }

    public void Spawn(int count)
    {
        int before = Volatile.Read(ref _begun);
        for (int i = 0; i < count; i++)
        {
            bool spawned = i % 2 == 0
                ? _pool.TrySpawn(_ => HandleAsync(), out ManagedTask? _, name: "order")
                : _pool.TrySpawn(_ => PlainAsync(), out _, name: "order");
            if (!spawned)
            {
                throw new InvalidOperationException("The pool is full.");
            }
        }

        Await(orders => Volatile.Read(ref orders._begun) == before + count);
    }

    public void Leak(int count)
    {
        int before = Volatile.Read(ref _begun);
        for (int i = 0; i < count; i++)
        {
            _ = _scope.Spawn(_ => ForgottenAsync(), name: "forgotten");
        }

        Await(orders => Volatile.Read(ref orders._begun) == before + count);
    }

    // Has the runtime raise an alarm: a pool without a free slot.
    public void Fill() => _runtime.CreatePool("tiny", maxTasks: 1).TrySpawn(_ => DeafAsync(), out ManagedTask? _, name: "occupant");

    // Another runtime in the same process, with an alarm of its own.
    public void OpenSecond()
    {
        _second = new TaskRuntime(new() { Name = "imports", Alarms = new AlarmLimits { WorkerHeld = null, Starved = null, PoolFull = TimeSpan.FromMilliseconds(1), Every = TimeSpan.FromMilliseconds(20) } });
        _second.CreatePool("narrow", maxTasks: 1).TrySpawn(_ => DeafAsync(), out ManagedTask? _, name: "importer");
    }

    // Names are whatever the program makes of them. These would clear the screen, color it, forge a line, and turn the way of writing round.
    public void SpawnHostile()
    {
        _ = _scope.Spawn(_ => DeafAsync(), name: "evil \e[2J\e[31m\r\nmoirai top  1 forged\u202E\u009B1m [red]markup[/] <b>");
        _ = _scope.Spawn(_ => DeafAsync(), name: "注文の処理 📦");
    }

    public void Spin() => _ = _scope.Spawn(async _ =>
    {
        while (!_stop)
        {
            await Future.Yield();
        }
    }, name: "spinner");

    public void Release()
    {
        _stop = true;
        _gate.TrySetResult();
    }

    private async Future ReconcileAsync(ManualResetEventSlim holds)
    {
        using (await _ledger.LockAsync())
        {
            holds.Set();
            await _gate.Task;
        }
    }

    private async Future SaveAsync()
    {
        Interlocked.Increment(ref _begun);
        using (await _ledger.LockAsync())
        {
        }
    }

    private async Future HandleAsync()
    {
        await CheckAsync();
    }

    private async Future CheckAsync()
    {
        Interlocked.Increment(ref _begun);
        await _gate.Task;
    }

    private async Task PlainAsync()
    {
        Interlocked.Increment(ref _begun);
        await _gate.Task;
    }

    private async Future ForgottenAsync()
    {
        Interlocked.Increment(ref _begun);
        await new TaskCompletionSource().Task;
    }

    private async Future DeafAsync() => await _gate.Task;

    private void Await(Func<Orders, bool> until)
    {
        while (!until(this))
        {
            Thread.Yield();
        }
    }
}

/// <summary>Takes every thread that the pool may have.</summary>
internal static class BlockedPool
{
    private static readonly ManualResetEventSlim s_gate = new();
    private static int s_blocked;

    public static void Block()
    {
        ThreadPool.SetMinThreads(Environment.ProcessorCount, 1);
        if (!ThreadPool.SetMaxThreads(Environment.ProcessorCount, 1))
        {
            throw new InvalidOperationException("The pool cannot be made small.");
        }

        ThreadPool.GetMaxThreads(out int most, out _);
        for (int i = 0; i < most * 4; i++)
        {
            ThreadPool.QueueUserWorkItem(static _ =>
            {
                Interlocked.Increment(ref s_blocked);
                s_gate.Wait();
            });
        }

        while (Volatile.Read(ref s_blocked) < most)
        {
            Thread.Yield();
        }
    }

    public static void Unblock() => s_gate.Set();
}
