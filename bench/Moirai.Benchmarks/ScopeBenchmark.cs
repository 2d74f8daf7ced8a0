using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does a scope with children cost, beside the <see cref="Task.WhenAll(Task[])"/> that a careful person writes? For the scope as a whole.</summary>
public class ScopeBenchmark : BenchRuntime
{
    [Params(1, 100, 10_000)]
    public int Children { get; set; }

    [Benchmark(Baseline = true)]
    public Task WhenAll() => Task.Run(async () =>
    {
        var children = new Task[Children];
        for (int i = 0; i < children.Length; i++)
        {
            children[i] = Task.Run(static () => { });
        }

        await Task.WhenAll(children);
    });

    [Benchmark]
    public Task Scope() => InTask(Runtime.RunScopeAsync("children", scope =>
    {
        for (int i = 0; i < Children; i++)
        {
            _ = scope.Spawn(Future.Completed());
        }

        return Future.Completed();
    }));
}
