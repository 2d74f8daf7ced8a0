using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does a task cost that has nothing to wait for, spawned, run and joined?</summary>
public class SpawnBenchmark : BenchRuntime
{
    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    public Task TaskRun() => Task.Run(static async () =>
    {
        for (int i = 0; i < Times; i++)
        {
            await Task.Run(static () => 1);
        }
    });

    [Benchmark(OperationsPerInvoke = Times)]
    public Task SpawnAndJoin() => InTask(SpawnAndJoinAsync());

    [Benchmark(OperationsPerInvoke = Times)]
    public Task SpawnWithToken() => InTask(SpawnWithTokenAsync());

    private async Future SpawnAndJoinAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await Runtime.SpawnDetached(OneAsync());
        }
    }

    private async Future SpawnWithTokenAsync()
    {
        for (int i = 0; i < Times; i++)
        {
            await Runtime.SpawnDetached(static _ => OneAsync());
        }
    }

#pragma warning disable CS1998 // that it waits for nothing is the question
    private static async Future<int> OneAsync() => 1;
#pragma warning restore CS1998
}
