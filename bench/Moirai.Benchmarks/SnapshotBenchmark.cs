using System.Collections.Concurrent;
using BenchmarkDotNet.Attributes;
using Moirai.Benchmarks.Harness;

namespace Moirai.Benchmarks;

/// <summary>Question: what does it cost to see what ten thousand tasks do? For one look.</summary>
/// <remarks>By hand it is a dictionary that the tasks enter and leave, and a copy of it: their names, and nothing of where they are.</remarks>
public class SnapshotBenchmark : BenchRuntime
{
    private const int Sleepers = 10_000;

    private readonly ConcurrentDictionary<int, string> _register = [];
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskScope _scope = null!;

    public override void SetUp()
    {
        base.SetUp();
        _scope = Runtime.OpenScope("sleepers");
        for (int i = 0; i < Sleepers; i++)
        {
            _register[i] = "sleeper";
            _ = _scope.Spawn(SleepAsync(), name: "sleeper");
        }

        SpinWait.SpinUntil(() => Runtime.TakeSnapshot(new() { Chains = false, MaxTasks = 0 }).States.Blocked == Sleepers);
    }

    public override async Task CleanUp()
    {
        _gate.SetResult();
        await _scope.DisposeAsync();
        await base.CleanUp();
    }

    [Benchmark(Baseline = true)]
    public int RegisterByHand() => _register.ToArray().Length;

    [Benchmark]
    public long Census() => Runtime.TakeCensus().Live;

    [Benchmark]
    public int InGroups() => Runtime.TakeSnapshot(new() { Chains = false, MaxTasks = 0 }).Groups.Count;

    [Benchmark]
    public int WithChains() => Runtime.TakeSnapshot(new() { MaxTasks = 2 * Sleepers }).Tasks.Count;

    [Benchmark]
    public int AsText() => Runtime.TakeSnapshot().ToString().Length;

    private async Future SleepAsync() => await _gate.Task;
}
