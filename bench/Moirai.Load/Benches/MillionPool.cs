using System.Collections.Concurrent;
using System.Diagnostics;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>A service at its limit: N requests that each wait 1 ms, at most T of them at once, all of them known while they live.</summary>
internal sealed class MillionPool() : Workload(
    "million-pool",
    "N tasks, at most T at a time, each sleeps 1 ms and adds its number to a sum",
    new("cancel", 1_000_000, 100_000),
    new("plain", 1_000_000, 100_000),
    new("task", 1_000_000, 100_000))
{
    public override string? TasksAre => "how many at a time";

    private static readonly TimeSpan Sleep = TimeSpan.FromMilliseconds(1);

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        var sum = new Sum();
        pass.Begin();
        await using TaskPool pool = pass.Runtime.CreatePool("requests", pass.Tasks);
        switch (pass.Variant)
        {
            case "cancel":
                for (long i = 0; i < pass.N; i++)
                {
                    await pool.SpawnAsync((sum, i), static (request, ct) => RequestAsync(request.sum, request.i), name: "request");
                }

                break;
            case "plain":
                for (long i = 0; i < pass.N; i++)
                {
                    await pool.SpawnAsync(RequestAsync(sum, i), name: "request");
                }

                break;
            default:
                for (long i = 0; i < pass.N; i++)
                {
                    long number = i;
                    await pool.SpawnAsync(ct => RequestTaskAsync(sum, number, ct), name: "request");
                }

                break;
        }

        pass.Phase("spawn");
        await pool.DrainAsync();
        pass.Phase("drain");
        pass.Count(pass.N);
        pass.CheckSum(sum.Value);
        Pass.Check(pool.Counts.Completed == pass.N, $"the pool counts {pool.Counts} instead of {pass.N} completed");
    }

    public override async Task RunByHandAsync(Pass pass)
    {
        var sum = new Sum();
        bool cancellable = pass.Variant != "plain";
        pass.Begin();
        using var pool = new PoolByHand(pass.Tasks);
        for (long i = 0; i < pass.N; i++)
        {
            long number = i;
            await pool.SpawnAsync(ct => RequestTaskAsync(sum, number, ct), cancellable);
        }

        pass.Phase("spawn");
        await pool.DrainAsync();
        pass.Phase("drain");
        pass.Count(pass.N);
        pass.CheckSum(sum.Value);
        Pass.Check(pool.ActiveCount == 0, $"{pool.ActiveCount} requests are still in the pool");
    }

    private static async Future RequestAsync(Sum sum, long number)
    {
        await Future.Delay(Sleep);
        sum.Add(number);
    }

    private static async Task RequestTaskAsync(Sum sum, long number, CancellationToken ct)
    {
        await Task.Delay(Sleep, TimeProvider.System, ct);
        sum.Add(number);
    }

    private sealed class Sum
    {
        private long _value;

        public long Value => Interlocked.Read(ref _value);

        public void Add(long number) => Interlocked.Add(ref _value, number);
    }

    /// <summary>The pool that a careful user writes: a permit and an entry per request, both given back however it ends.</summary>
    private sealed class PoolByHand(int limit) : IDisposable
    {
        private readonly SemaphoreSlim _permits = new(limit);
        private readonly ConcurrentDictionary<long, ActiveRequest> _active = new();
        private readonly CancellationTokenSource _closing = new();
        private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);

        // One for the pool itself, until it drains.
        private int _live = 1;
        private long _lastId;

        public int ActiveCount => _active.Count;

        public async ValueTask SpawnAsync(Func<CancellationToken, Task> body, bool cancellable)
        {
            await _permits.WaitAsync(_closing.Token);
            long id = ++_lastId;
            CancellationTokenSource? cancel = cancellable ? CancellationTokenSource.CreateLinkedTokenSource(_closing.Token) : null;
            Interlocked.Increment(ref _live);
            _active[id] = new ActiveRequest(Stopwatch.GetTimestamp(), cancel);
            _ = Task.Run(() => ServeAsync(id, body, cancel), CancellationToken.None);
        }

        public Task DrainAsync()
        {
            Leave();
            return _drained.Task;
        }

        public void Dispose()
        {
            _permits.Dispose();
            _closing.Dispose();
        }

        private async Task ServeAsync(long id, Func<CancellationToken, Task> body, CancellationTokenSource? cancel)
        {
            try
            {
                await body(cancel?.Token ?? CancellationToken.None);
            }
            finally
            {
                cancel?.Dispose();
                _active.TryRemove(id, out _);
                _permits.Release();
                Leave();
            }
        }

        private void Leave()
        {
            if (Interlocked.Decrement(ref _live) == 0)
            {
                _drained.SetResult();
            }
        }

        private sealed record ActiveRequest(long Since, CancellationTokenSource? Cancel);
    }
}
