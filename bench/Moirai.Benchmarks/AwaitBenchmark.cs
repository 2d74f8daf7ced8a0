using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does it cost to await what has ended, to call an async method, and to await one that gives way once?</summary>
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
public class AwaitBenchmark : BenchRuntime
{
    private ManagedTask<int> _ended = null!;

    public override void SetUp()
    {
        base.SetUp();
        _ended = Runtime.SpawnDetached(OneAsync());
        _ended.AsTask().Wait();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    [BenchmarkCategory("completed")]
    public Task CompletedTask() => Task.Run(static async () =>
    {
        Task<int> ended = Task.FromResult(1);
        for (int i = 0; i < Times; i++)
        {
            await ended;
        }
    });

    [Benchmark(OperationsPerInvoke = Times)]
    [BenchmarkCategory("completed")]
    public Task CompletedManagedTask() => InTask(CompletedAsync());

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    [BenchmarkCategory("called")]
    public Task CalledTask() => Task.Run(static async () =>
    {
        for (int i = 0; i < Times; i++)
        {
            await OneByHandAsync();
        }
    });

    [Benchmark(OperationsPerInvoke = Times)]
    [BenchmarkCategory("called")]
    public Task CalledFuture() => InTask(CalledAsync());

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    [BenchmarkCategory("suspended")]
    public Task SuspendedTask() => Task.Run(static async () =>
    {
        for (int i = 0; i < Times; i++)
        {
            await YieldByHandAsync();
        }
    });

    [Benchmark(OperationsPerInvoke = Times)]
    [BenchmarkCategory("suspended")]
    public Task SuspendedFuture() => InTask(SuspendedAsync());

    private async Future CompletedAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await _ended;
        }
    }

    private static async Future CalledAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await OneAsync();
        }
    }

    private static async Future SuspendedAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await YieldOnceAsync();
        }
    }

    private static async Future YieldOnceAsync() => await Future.Yield();

    private static async Task YieldByHandAsync() => await Task.Yield();

#pragma warning disable CS1998 // that it waits for nothing is the question
    private static async Future<int> OneAsync() => 1;

    private static async Task<int> OneByHandAsync() => 1;
#pragma warning restore CS1998
}
