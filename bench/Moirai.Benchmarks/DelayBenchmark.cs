using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what do a thousand tasks cost that each sleep a millisecond at the same time?</summary>
public class DelayBenchmark : BenchRuntime
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);

    [Benchmark(Baseline = true, OperationsPerInvoke = Times)]
    public Task TaskDelay() => Task.Run(static async () =>
    {
        var all = new Task[Times];
        for (int i = 0; i < Times; i++)
        {
            all[i] = Task.Run(static () => Task.Delay(Moment, TimeProvider.System));
        }

        await Task.WhenAll(all);
    });

    [Benchmark(OperationsPerInvoke = Times)]
    public Task FutureDelay() => InTask(Runtime.RunScopeAsync("sleepers", static scope =>
    {
        for (int i = 0; i < Times; i++)
        {
            _ = scope.Spawn(SleepAsync());
        }

        return Future.Completed();
    }));

    private static async Future SleepAsync() => await Future.Delay(Moment);
}
