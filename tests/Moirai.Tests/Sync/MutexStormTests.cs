using Moirai.Ground;

namespace Moirai.Tests.Sync;

/// <summary>Tasks and plain code on several threads take one mutex, wait, are canceled: never two inside, nobody forgotten, nothing left.</summary>
public sealed class MutexStormTests(ITestOutputHelper output)
{
    private const int Rounds = 6_000;

    [Fact]
    public async Task S149_two_are_never_inside_and_nobody_is_forgotten_when_cancellation_races_release()
    {
        var mutex = new AsyncMutex("raced");
        (await StormAsync(mutex, async () => await mutex.LockAsync())).ShouldBe(0);
    }

    [Fact]
    public async Task S149_the_same_with_tokens()
    {
        var mutex = new AsyncMutex("raced");
        (await StormAsync(mutex, async () =>
        {
            using var source = new CancellationTokenSource();
            Task cancel = Task.Run(source.Cancel);
            try
            {
                return await mutex.LockAsync(source.Token);
            }
            catch (OperationCanceledException) when (source.IsCancellationRequested)
            {
                return await mutex.LockAsync();
            }
            finally
            {
                await cancel;
            }
        })).ShouldBe(0);
    }

    [Fact]
    public async Task S149_twin_a_mutex_that_lets_two_inside_is_caught()
    {
        // Each has a mutex of its own.
        int overlaps = await StormAsync(new AsyncMutex("raced"), async () => await new AsyncMutex("own").LockAsync());
        Should.Throw<ShouldAssertException>(() => overlaps.ShouldBe(0));
    }

    [Fact]
    public async Task S149_twin_a_waiter_that_drops_what_it_got_when_it_is_canceled_is_caught()
    {
        var mutex = new AsyncMutex("raced");
        await Should.ThrowAsync<Exception>(() => StormAsync(mutex, async () =>
        {
            MutexLease lease = await mutex.LockAsync();
            await Future.Delay(TimeSpan.FromMilliseconds(1)); // throws when it is canceled, and nobody releases
            return lease;
        }));
        mutex.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void S139_what_a_release_continues_may_use_the_mutex() => Continue(static _ => { }, static mutex => mutex.Waiting.ShouldBe(0));

    [Fact]
    public void S139_what_a_disposal_continues_may_use_the_mutex() => Continue(static mutex => mutex.Dispose(), static mutex => mutex.Waiting.ShouldBe(0));

    [Fact]
    public void S139_twin_a_primitive_that_continues_its_waiters_under_its_gate_is_caught()
    {
        var gate = new Gated();
        Should.Throw<ShouldAssertException>(() => Continue(
            mutex =>
            {
                gate.Gate.Enter();
                mutex.Dispose();
                gate.Gate.Exit();
            },
            _ => gate.Gate.TryEnter().ShouldBeTrue()));
    }

    /// <returns>How often two were inside at once.</returns>
    private async Task<int> StormAsync(AsyncMutex mutex, Func<Future<MutexLease>> lockAsync)
    {
        int seed = Environment.ProcessId ^ (int)TimeProvider.System.GetTimestamp();
        output.WriteLine($"seed {seed}");
        int inside = 0;
        int overlaps = 0;
        int entered = 0;
        await using var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("storm", async scope =>
        {
            for (int lane = 0; lane < 8; lane++)
            {
                var random = new Random(seed + lane);
                _ = scope.Spawn(async _ =>
                {
                    for (int i = 0; i < Rounds / 8; i++)
                    {
                        bool yields = random.Next(4) == 0;
                        ManagedTask one = runtime.SpawnDetached(async _ =>
                        {
                            using (await lockAsync())
                            {
                                await InsideAsync(yields);
                            }
                        });
                        Task cancel = random.Next(3) switch
                        {
                            0 => Task.Run(() => one.Cancel("storm")),
                            1 => PlainAsync(),
                            _ => Task.CompletedTask,
                        };
                        if (random.Next(2) == 0)
                        {
                            await Future.Yield();
                        }

                        using (await mutex.LockAsync())
                        {
                            Interlocked.Increment(ref entered);
                            one.Cancel("storm");
                        }

                        await cancel;
                        try
                        {
                            await one;
                        }
                        catch (ManagedTaskCanceledException)
                        {
                            one.State.ShouldBe(TaskState.Canceled);
                        }
                    }
                });
            }

            await Future.Yield();
        });
        mutex.ToString().ShouldBe("mutex 'raced', free (0 waiting)");
        entered.ShouldBe(Rounds);
        World.ShouldBeEmpty(runtime);
        return overlaps;

        async Future InsideAsync(bool yields)
        {
            if (Interlocked.Increment(ref inside) != 1)
            {
                Interlocked.Increment(ref overlaps);
            }

            try
            {
                if (yields)
                {
                    await Future.Yield();
                }
            }
            finally
            {
                Interlocked.Decrement(ref inside);
            }
        }

        async Task PlainAsync()
        {
            using (await mutex.LockAsync(TestContext.Current.CancellationToken))
            {
                await Task.Yield();
            }
        }
    }

    private static void Continue(Action<AsyncMutex> release, Action<AsyncMutex> inside)
    {
        var mutex = new AsyncMutex("cache");
        MutexLease held = AsyncMutexTests.Take(mutex);
        Exception? error = null;
        bool ran = false;
        var context = new Inline();
        SynchronizationContext? outer = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(context);
        Task waiter = WaitAsync();
        SynchronizationContext.SetSynchronizationContext(outer);
        release(mutex);
        held.Dispose();
        waiter.IsCompleted.ShouldBeTrue();
        ran.ShouldBeTrue();
        if (error is ShouldAssertException)
        {
            throw error;
        }

        async Task WaitAsync()
        {
            try
            {
                (await mutex.LockAsync()).Dispose();
            }
            catch (ObjectDisposedException)
            {
                // as planned
            }

            ran = true;
            try
            {
                inside(mutex);
                mutex.Dispose();
            }
            catch (ShouldAssertException failed)
            {
                error = failed;
            }
        }
    }

    internal sealed class Gated
    {
        private SpinGate _gate;

        public ref SpinGate Gate => ref _gate;
    }
}

/// <summary>Runs what is posted at once, inside whoever posts it: the worst that user code can do.</summary>
internal sealed class Inline : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state) => d(state);
}
