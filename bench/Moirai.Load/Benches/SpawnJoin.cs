using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>The price of a task that has nothing to wait for: spawned, run, joined, its result read.</summary>
internal sealed class SpawnJoin() : Workload(
    "spawn-join",
    "N tasks that never suspend, spawned and joined; their results are summed",
    new("handles", 1_000_000),
    new("detached", 1_000_000),
    new("local", 1_000_000, IsLocal: true))
{
    public override Future RunByMoiraiAsync(Pass pass) => pass.Variant == "detached" ? DetachedAsync(pass) : HandlesAsync(pass);

    public override Task RunByHandAsync(Pass pass) => pass.Variant switch
    {
        "detached" => WorkItemsAsync(pass),
        "local" => TasksAsync(pass, TaskScheduler.Current),
        _ => TasksAsync(pass, TaskScheduler.Default),
    };

    private static async Future HandlesAsync(Pass pass)
    {
        var tasks = new ManagedTask<long>[pass.N];
        long sum = 0;
        pass.Begin();
        await pass.Runtime.RunScopeAsync("all", async scope =>
        {
            for (int i = 0; i < tasks.Length; i++)
            {
                tasks[i] = scope.Spawn(NumberAsync(i));
            }

            pass.Phase("spawn");
            foreach (ManagedTask<long> task in tasks)
            {
                sum += await task;
            }
        });
        pass.Phase("join");
        pass.Count(pass.N);
        pass.CheckSum(sum);
    }

    private static async Future DetachedAsync(Pass pass)
    {
        var latch = new Latch(pass.N);
        pass.Begin();
        for (long i = 0; i < pass.N; i++)
        {
            _ = pass.Runtime.SpawnDetached(AddAsync(latch, i));
        }

        pass.Phase("spawn");
        await latch.Open;
        pass.Phase("join");
        pass.Count(pass.N);
        pass.CheckSum(latch.Sum);
    }

    private static async Task TasksAsync(Pass pass, TaskScheduler where)
    {
        var tasks = new Task<long>[pass.N];
        pass.Begin();
        for (int i = 0; i < tasks.Length; i++)
        {
            long number = i;
            tasks[i] = Task.Factory.StartNew(() => number, CancellationToken.None, TaskCreationOptions.DenyChildAttach, where);
        }

        pass.Phase("spawn");
        long sum = 0;
        foreach (long number in await Task.WhenAll(tasks))
        {
            sum += number;
        }

        pass.Phase("join");
        pass.Count(pass.N);
        pass.CheckSum(sum);
    }

    // The floor of the base library: no task at all.
    private static async Task WorkItemsAsync(Pass pass)
    {
        var latch = new Latch(pass.N);
        pass.Begin();
        for (long i = 0; i < pass.N; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(new AddItem(latch, i), preferLocal: true);
        }

        pass.Phase("spawn");
        await latch.Open;
        pass.Phase("join");
        pass.Count(pass.N);
        pass.CheckSum(latch.Sum);
    }

#pragma warning disable CS1998 // never suspending is what is measured
    private static async Future<long> NumberAsync(long number) => number;

    private static async Future AddAsync(Latch latch, long number) => latch.Add(number);
#pragma warning restore CS1998

    private sealed class AddItem(Latch latch, long number) : IThreadPoolWorkItem
    {
        public void Execute() => latch.Add(number);
    }

    /// <summary>Sums numbers, and opens when all have come.</summary>
    private sealed class Latch(long count)
    {
        private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _left = count;
        private long _sum;

        public Task Open => _open.Task;

        public long Sum => Interlocked.Read(ref _sum);

        public void Add(long number)
        {
            Interlocked.Add(ref _sum, number);
            if (Interlocked.Decrement(ref _left) == 0)
            {
                _open.SetResult();
            }
        }
    }
}
