using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does a permit cost, of four that tasks share, each held across a yield?</summary>
public class SemaphoreBenchmark : BenchRuntime
{
    private const int Permits = 4;

    [Params(1, 16)]
    public int Tasks { get; set; }

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    public Task SemaphoreSlim() => Task.Run(async () =>
    {
        var semaphore = new SemaphoreSlim(Permits, Permits);
        var all = new Task[Tasks];
        for (int i = 0; i < Tasks; i++)
        {
            all[i] = Task.Run(() => HoldByHandAsync(semaphore, Times / Tasks));
        }

        await Task.WhenAll(all);
    });

    [Benchmark(OperationsPerInvoke = Times)]
    public Task AsyncSemaphore() => InTask(Runtime.RunScopeAsync("holders", scope =>
    {
        var semaphore = new AsyncSemaphore(Permits);
        for (int i = 0; i < Tasks; i++)
        {
            _ = scope.Spawn(HoldAsync(semaphore, Times / Tasks));
        }

        return Future.Completed();
    }));

    private static async Future HoldAsync(AsyncSemaphore semaphore, int times)
    {
        for (int i = 0; i < times; i++)
        {
            using (await semaphore.AcquireAsync())
            {
                await Future.Yield();
            }
        }
    }

    private static async Task HoldByHandAsync(SemaphoreSlim semaphore, int times)
    {
        for (int i = 0; i < times; i++)
        {
            await semaphore.WaitAsync();
            try
            {
                await Task.Yield();
            }
            finally
            {
                semaphore.Release();
            }
        }
    }
}
