using BenchmarkDotNet.Attributes;

namespace Moirai.Benchmarks.Harness;

/// <summary>What each question needs: a runtime on the thread pool, and a way to let it do a thousand operations in one task.</summary>
/// <remarks>A thousand, so that the trip of the benchmark's own thread into the pool and back, some microseconds, does not count.</remarks>
public abstract class BenchRuntime
{
    /// <summary>Operations for each call of a benchmark.</summary>
    protected const int Times = 1_000;

    /// <summary>Where Moirai's tasks run.</summary>
    protected TaskRuntime Runtime { get; private set; } = null!;

    /// <summary>How much of its tasks the runtime accounts for.</summary>
    protected virtual AccountingLevel Level => AccountingLevel.Polls;

    [GlobalSetup]
    public virtual void SetUp() => Runtime = new TaskRuntime(new() { Name = "benchmark", Accounting = Level });

    [GlobalCleanup]
    public virtual async Task CleanUp() => await Runtime.DisposeAsync();

    /// <summary>Runs work as one task of the runtime.</summary>
    protected Task InTask(Future work) => Runtime.SpawnDetached(work).AsTask();
}
