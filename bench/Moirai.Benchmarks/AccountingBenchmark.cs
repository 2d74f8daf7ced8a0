using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does a resume cost at each level of accounting, of a future and of plain code?</summary>
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
public class AccountingBenchmark : BenchRuntime
{
    /// <summary>What is accounted for. By hand there is nothing of it at any level.</summary>
    [Params(AccountingLevel.None, AccountingLevel.Polls, AccountingLevel.Exact)]
    public AccountingLevel Accounts { get; set; }

    protected override AccountingLevel Level => Accounts;

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    [BenchmarkCategory("future")]
    public Task YieldByHand() => Task.Run(YieldAsync);

    [Benchmark(OperationsPerInvoke = Times)]
    [BenchmarkCategory("future")]
    public Task YieldInFuture() => InTask(YieldingAsync());

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    [BenchmarkCategory("plain code")]
    public Task PlainByHand() => Task.Run(YieldAsync);

    [Benchmark(OperationsPerInvoke = Times)]
    [BenchmarkCategory("plain code")]
    public Task PlainInTask() => Runtime.SpawnDetached(static _ => YieldAsync()).AsTask();

    private static async Task YieldAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await Task.Yield();
        }
    }

    private static async Future YieldingAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await Future.Yield();
        }
    }
}
