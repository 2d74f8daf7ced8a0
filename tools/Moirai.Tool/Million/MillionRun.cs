using System.Diagnostics;

namespace Moirai.Tool.Million;

/// <summary>What a run came to.</summary>
/// <param name="Tasks">How many tasks were asked for.</param>
/// <param name="Limit">How many might live at a time.</param>
/// <param name="Pool">The pool's own counts, when it had drained.</param>
/// <param name="Woken">How many tasks say of themselves that they slept to the end.</param>
/// <param name="CreateSeconds">Until the last task was created.</param>
/// <param name="TotalSeconds">Until the last task had ended.</param>
/// <param name="PeakKb">The most memory that was resident.</param>
/// <param name="Census">The account of the runtime, when all was over.</param>
internal sealed record MillionOutcome(
    long Tasks, int Limit, PoolCounts Pool, long Woken, double CreateSeconds, double TotalSeconds, long PeakKb, Census Census)
{
    public bool IsInterrupted => Pool.Created < Tasks || Pool.Canceled > 0;

    /// <summary>What is wrong with the books; null when nothing is.</summary>
    public string? Complaint =>
        !Census.IsBalanced ? $"The census does not balance: {Census}"
        : !Census.IsEmpty ? $"Something was left behind: {Census}"
        : Pool.Completed != Woken ? $"The pool counts {Pool.Completed:N0} completed tasks, and {Woken:N0} say that they have completed."
        : Pool.Failed > 0 ? $"{Pool.Failed:N0} tasks failed."
        : null;
}

/// <summary>The benchmark itself: one pool, one task that fills it.</summary>
internal sealed class MillionRun(long tasks, int limit)
{
    private static readonly TimeSpan Sleep = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(5);
    private const int Looks = 400;

    private TaskPool? _pool;
    private long _woken;

    public long Tasks => tasks;

    public int Limit => limit;

    /// <summary>The counts so far; readable from any thread while it runs.</summary>
    public PoolCounts Counts => Volatile.Read(ref _pool)?.Counts ?? default;

    /// <summary>Runs it, once.</summary>
    /// <param name="ct">Cancels the tasks that live and creates no more; the account is given all the same.</param>
    public async Task<MillionOutcome> RunAsync(CancellationToken ct)
    {
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "million" });

        // The whole run happens on threads of the pool, as in a server.
        (PoolCounts counts, double created, double total) = await Task.Run(() => runtime.SpawnDetached(FillAsync(runtime, ct), "fill").AsTask(), CancellationToken.None);
        Census census = await WhenQuietAsync(runtime);
        return new MillionOutcome(tasks, limit, counts, Interlocked.Read(ref _woken), created, total, ProcessMemory.PeakKb, census);
    }

    private async Future<(PoolCounts Counts, double Created, double Total)> FillAsync(TaskRuntime runtime, CancellationToken ct)
    {
        long start = Stopwatch.GetTimestamp();
        await using TaskPool pool = runtime.CreatePool("requests", limit);
        Volatile.Write(ref _pool, pool);
        await using CancellationTokenRegistration stop = ct.UnsafeRegister(static pool => ((TaskPool)pool!).Cancel("the user interrupted the run"), pool);
        for (long i = 0; i < tasks && !ct.IsCancellationRequested; i++)
        {
            try
            {
                await pool.SpawnAsync(this, static (run, ct) => run.RequestAsync(), name: "request");
            }
            catch (InvalidOperationException) when (ct.IsCancellationRequested)
            {
                // The pool was canceled, and says so.
            }
        }

        double created = Stopwatch.GetElapsedTime(start).TotalSeconds;
        await pool.DrainAsync();
        return (pool.Counts, created, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private async Future RequestAsync()
    {
        await Future.Delay(Sleep);
        Interlocked.Increment(ref _woken);
    }

    // The filling task tells that it has ended a moment before it is off the books.
    private static async Task<Census> WhenQuietAsync(TaskRuntime runtime)
    {
        for (int look = 0; ; look++)
        {
            Census census = runtime.TakeCensus();
            if (census.IsEmpty || look == Looks)
            {
                return census;
            }

            await Task.Delay(BetweenLooks, TimeProvider.System);
        }
    }
}
