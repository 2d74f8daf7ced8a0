using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does an asynchronous lock cost, beside the semaphore that people take for one, alone and shared by tasks?</summary>
public class LockBenchmark : BenchRuntime
{
    [Params(1, 16)]
    public int Tasks { get; set; }

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    public Task SemaphoreSlim() => Task.Run(async () =>
    {
        var semaphore = new SemaphoreSlim(1, 1);
        var all = new Task[Tasks];
        for (int i = 0; i < Tasks; i++)
        {
            all[i] = Task.Run(() => LockByHandAsync(semaphore, Times / Tasks));
        }

        await Task.WhenAll(all);
    });

    [Benchmark(OperationsPerInvoke = Times)]
    public Task AsyncMutex() => InTask(Runtime.RunScopeAsync("lockers", scope =>
    {
        var mutex = new AsyncMutex();
        for (int i = 0; i < Tasks; i++)
        {
            _ = scope.Spawn(LockAsync(mutex, Times / Tasks));
        }

        return Future.Completed();
    }));

    private static async Future LockAsync(AsyncMutex mutex, int times)
    {
        for (int i = 0; i < times; i++)
        {
            using (await mutex.LockAsync())
            {
                // Nothing to guard.
            }
        }
    }

    private static async Task LockByHandAsync(SemaphoreSlim semaphore, int times)
    {
        for (int i = 0; i < times; i++)
        {
            await semaphore.WaitAsync();
            semaphore.Release();
        }
    }
}
