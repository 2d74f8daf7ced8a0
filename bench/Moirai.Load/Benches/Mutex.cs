using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>One lock that T tasks share; by hand it is a <see cref="SemaphoreSlim"/> of one.</summary>
internal sealed class Mutex() : Workload(
    "mutex",
    "N lock/unlock in all of one async mutex that T tasks share: what is guarded adds one, or yields as well while it is held",
    new("uncontended", 10_000_000),
    new("two", 4_000_000, 2),
    new("few", 4_000_000, 16),
    new("many", 4_000_000, 1_000),
    new("held", 1_000_000, 16))
{
    public override string? TasksAre => "tasks that share the mutex";

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        var shared = new Guarded();
        var mutex = new AsyncMutex("shared");
        bool yields = pass.Variant == "held";
        pass.Begin();
        await pass.Runtime.RunScopeAsync("lockers", async scope =>
        {
            for (int t = 0; t < pass.Tasks; t++)
            {
                _ = scope.Spawn(yields ? HoldAsync(mutex, shared, Shares.Of(pass, t)) : LockAsync(mutex, shared, Shares.Of(pass, t)));
            }

            await Future.Yield();
        });
        End(pass, shared);
    }

    public override async Task RunByHandAsync(Pass pass)
    {
        var shared = new Guarded();
        var mutex = new SemaphoreSlim(1, 1);
        bool yields = pass.Variant == "held";
        pass.Begin();
        var tasks = new Task[pass.Tasks];
        for (int t = 0; t < tasks.Length; t++)
        {
            long share = Shares.Of(pass, t);
            tasks[t] = Task.Run(() => yields ? HoldByHandAsync(mutex, shared, share) : LockByHandAsync(mutex, shared, share));
        }

        await Task.WhenAll(tasks);
        End(pass, shared);
    }

    private static void End(Pass pass, Guarded shared)
    {
        pass.Phase("run");
        pass.Count(pass.N);
        Pass.Check(shared.Count == pass.N, $"{shared.Count} additions instead of {pass.N}: two were inside at once");
    }

    private static async Future LockAsync(AsyncMutex mutex, Guarded shared, long count)
    {
        for (long i = 0; i < count; i++)
        {
            using (await mutex.LockAsync())
            {
                shared.Count++;
            }
        }
    }

    private static async Future HoldAsync(AsyncMutex mutex, Guarded shared, long count)
    {
        for (long i = 0; i < count; i++)
        {
            using (await mutex.LockAsync())
            {
                long before = shared.Count;
                await Future.Yield();
                shared.Count = before + 1;
            }
        }
    }

    private static async Task LockByHandAsync(SemaphoreSlim mutex, Guarded shared, long count)
    {
        for (long i = 0; i < count; i++)
        {
            await mutex.WaitAsync();
            try
            {
                shared.Count++;
            }
            finally
            {
                mutex.Release();
            }
        }
    }

    private static async Task HoldByHandAsync(SemaphoreSlim mutex, Guarded shared, long count)
    {
        for (long i = 0; i < count; i++)
        {
            await mutex.WaitAsync();
            try
            {
                long before = shared.Count;
                await Task.Yield();
                shared.Count = before + 1;
            }
            finally
            {
                mutex.Release();
            }
        }
    }

    private sealed class Guarded
    {
        public long Count { get; set; }
    }
}
