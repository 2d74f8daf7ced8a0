using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does it cost to gather the results of a hundred tasks? For all of them together.</summary>
public class CollectorBenchmark : BenchRuntime
{
    private const int Results = 100;

    [Benchmark(Baseline = true)]
    public Task WhenAll() => Task.Run(static async () =>
    {
        var all = new Task<int>[Results];
        for (int i = 0; i < Results; i++)
        {
            all[i] = Task.Run(static () => 1);
        }

        return (await Task.WhenAll(all)).Length;
    });

    [Benchmark]
    public Task Collector() => InTask(Runtime.RunScopeAsync("collecting", static async scope =>
    {
        var collector = new TaskCollector<int>(scope);
        for (int i = 0; i < Results; i++)
        {
            _ = collector.Add(Future.FromResult(1));
        }

        IReadOnlyList<int> all = await collector.CollectAsync();
        return all.Count;
    }));
}
