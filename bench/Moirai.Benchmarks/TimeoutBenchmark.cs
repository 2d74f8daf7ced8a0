using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does a timeout cost that is not reached, around an operation that gives way once?</summary>
public class TimeoutBenchmark : BenchRuntime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    public Task WaitAsync() => Task.Run(static async () =>
    {
        for (int i = 0; i < Times; i++)
        {
            await YieldByHandAsync().WaitAsync(Limit, TimeProvider.System);
        }
    });

    [Benchmark(OperationsPerInvoke = Times)]
    public Task CancelAfter() => Task.Run(static async () =>
    {
        for (int i = 0; i < Times; i++)
        {
            using var source = new CancellationTokenSource(Limit, TimeProvider.System);
            await YieldByHandAsync();
            source.Token.ThrowIfCancellationRequested();
        }
    });

    [Benchmark(OperationsPerInvoke = Times)]
    public Task WithTimeout() => InTask(WithTimeoutAsync());

    private static async Future WithTimeoutAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await YieldAsync().WithTimeout(Limit);
        }
    }

    private static async Future YieldAsync() => await Future.Yield();

    private static async Task YieldByHandAsync() => await Task.Yield();
}
