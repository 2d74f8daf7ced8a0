namespace Moirai.Tests.Sync;

/// <summary>Tasks and plain code on several threads take permits, read, write, wait for news, and are canceled: never too many inside, nobody forgotten, nothing left.</summary>
public sealed class PermitStormTests(ITestOutputHelper output)
{
    private const int Lanes = 8;
    private const int Rounds = 400;

    // How many are inside, and how often there were more than may be.
    private int _inside;
    private int _overlaps;

    [Fact]
    public async Task S149_S141_permits_are_never_too_many_and_never_lost_when_cancellation_races_release() => (await SemaphoreStormAsync(Permits)).ShouldBe(0);

    [Fact]
    public async Task S149_twin_a_semaphore_that_lets_in_too_many_is_caught()
    {
        int overlaps = await SemaphoreStormAsync(Permits + 5);
        Should.Throw<ShouldAssertException>(() => overlaps.ShouldBe(0));
    }

    [Fact]
    public async Task S149_readers_and_writers_are_never_inside_together_when_cancellation_races_release()
    {
        var gate = new AsyncReaderWriterLock(3, "raced");
        await StormAsync(async (random, kind) =>
        {
            if (kind < 3)
            {
                using (await gate.LockReadAsync())
                {
                    await InsideAsync(1, most: 3, random);
                }
            }
            else
            {
                using WriteLease write = await gate.LockWriteAsync();
                await InsideAsync(3, most: 3, random);
                if (kind == 4)
                {
                    using (write.Downgrade())
                    {
                        await InsideAsync(1, most: 3, random);
                    }
                }
            }
        });
        _overlaps.ShouldBe(0);
        gate.ToString().ShouldBe("reader-writer lock 'raced', free (0 waiting)");
    }

    [Fact]
    public async Task S157_no_news_is_lost_when_cancellation_races_notification()
    {
        var mutex = new AsyncMutex("box");
        var filled = new AsyncCondition(mutex, "filled");
        int items = 0;
        int made = 0;
        int taken = 0;
        await StormAsync(async (random, kind) =>
        {
            using (await mutex.LockAsync())
            {
                Enter(1, most: 1);
                try
                {
                    if (kind < 3)
                    {
                        items++;
                        made++;
                        filled.Notify();
                    }
                    else
                    {
                        while (items == 0)
                        {
                            Enter(-1, most: 1);
                            try
                            {
                                await filled.WaitAsync();
                            }
                            finally
                            {
                                Enter(1, most: 1); // whatever ended the wait, the mutex is ours
                            }
                        }

                        items--;
                        taken++;
                    }
                }
                finally
                {
                    Enter(-1, most: 1);
                }
            }
        });
        _overlaps.ShouldBe(0);
        made.ShouldBe(taken + items);
        filled.Waiting.ShouldBe(0);
        mutex.ToString().ShouldBe("mutex 'box', free (0 waiting)");
    }

    private const int Permits = 4;

    private async Task<int> SemaphoreStormAsync(int permits)
    {
        var semaphore = new AsyncSemaphore(permits, "raced");
        await StormAsync(async (random, kind) =>
        {
            int count = 1 + (kind % 3);
            using (kind == 4 ? await PlainAsync(count) : await semaphore.AcquireAsync(count))
            {
                await InsideAsync(count, most: Permits, random);
            }
        });
        semaphore.ToString().ShouldBe($"semaphore 'raced', {permits} of {permits} free (0 waiting)");
        return _overlaps;

        async Task<SemaphoreLease> PlainAsync(int count) => await semaphore.AcquireAsync(CancellationToken.None, count);
    }

    private async Task StormAsync(Func<Random, int, Future> body)
    {
        int seed = Environment.ProcessId ^ (int)TimeProvider.System.GetTimestamp();
        output.WriteLine($"seed {seed}");
        await using var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("storm", async scope =>
        {
            for (int lane = 0; lane < Lanes; lane++)
            {
                var random = new Random(seed + lane);
                _ = scope.Spawn(async _ =>
                {
                    for (int i = 0; i < Rounds; i++)
                    {
                        int kind = random.Next(5);
                        var own = new Random(random.Next());
                        ManagedTask one = runtime.SpawnDetached(async _ => await body(own, kind));
                        Task cancel = random.Next(2) == 0 ? Task.Run(() => one.Cancel("storm")) : Task.CompletedTask;
                        if (random.Next(2) == 0)
                        {
                            await Future.Yield();
                        }

                        await cancel;
                        one.Cancel("storm");
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
        World.ShouldBeEmpty(runtime);
    }

    private async Future InsideAsync(int weight, int most, Random random)
    {
        Enter(weight, most);
        try
        {
            for (int i = random.Next(3); i > 0; i--)
            {
                await Future.Yield();
            }
        }
        finally
        {
            Interlocked.Add(ref _inside, -weight);
        }
    }

    private void Enter(int weight, int most)
    {
        if (Interlocked.Add(ref _inside, weight) > most)
        {
            Interlocked.Increment(ref _overlaps);
        }
    }
}
