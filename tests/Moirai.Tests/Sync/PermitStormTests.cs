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
    public async Task S149_S141_permits_are_never_too_many_and_never_lost_when_cancellation_races_release() => (await SemaphoreStormAsync()).ShouldBe(0);

    [Fact]
    public void S149_twin_a_semaphore_that_lets_in_too_many_is_caught()
    {
        var world = new World(); // one thread: each has come in before the first goes on
        var semaphore = new AsyncSemaphore(Permits + 1, "raced");
        for (int i = 0; i <= Permits; i++)
        {
            world.Spawn(async _ =>
            {
                using (await semaphore.AcquireAsync())
                {
                    await InsideAsync(1, most: Permits, yields: 1);
                }
            });
        }

        world.Run();
        _overlaps.ShouldBe(1);
        world.ShouldBeEmpty();
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
                    await InsideAsync(1, most: 3, random.Next(3));
                }
            }
            else
            {
                using WriteLease write = await gate.LockWriteAsync();
                await InsideAsync(3, most: 3, random.Next(3));
                if (kind == 4)
                {
                    using (write.Downgrade())
                    {
                        await InsideAsync(1, most: 3, random.Next(3));
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
        (await NewsAreLostAsync(notifies: true)).ShouldBeFalse();
        _overlaps.ShouldBe(0);
    }

    [Fact]
    public async Task S157_twin_news_of_which_nobody_is_told_are_caught() => (await NewsAreLostAsync(notifies: false)).ShouldBeTrue();

    /// <summary>Some bring news, others wait for it and are canceled, at any moment of it; two wait patiently for whatever is left.</summary>
    /// <returns>Whether at the end there is news, and all who are patient wait.</returns>
    private async Task<bool> NewsAreLostAsync(bool notifies)
    {
        const int Patient = 2;
        var mutex = new AsyncMutex("box");
        var filled = new AsyncCondition(mutex, "filled");
        int items = 0;
        bool lost = false;
        await using var runtime = new TaskRuntime();
        await using TaskScope patient = runtime.OpenScope("patient");
        for (int i = 0; i < Patient; i++)
        {
            _ = patient.Spawn(async _ =>
            {
                while (true)
                {
                    await TakeAsync();
                }
            });
        }

        await runtime.RunScopeAsync("first wait", _ => UntilAsync(() => filled.Waiting == Patient));
        await StormAsync(async (random, kind) =>
        {
            if (kind < 3)
            {
                using (await mutex.LockAsync())
                {
                    items++;
                    if (notifies)
                    {
                        filled.Notify();
                    }
                }
            }
            else
            {
                await TakeAsync();
            }
        });

        if (!notifies)
        {
            using (await mutex.LockAsync())
            {
                items++; // so that there is some, whatever the storm has left
            }
        }

        // Who was told and has not come yet does not wait here: so one of the two comes true.
        await runtime.RunScopeAsync("last look", _ => UntilAsync(() => items == 0 || (lost = filled.Waiting == Patient)));
        patient.Cancel();
        await patient.DisposeAsync();
        mutex.ToString().ShouldBe("mutex 'box', free (0 waiting)");
        filled.Waiting.ShouldBe(0);
        return lost;

        async Future TakeAsync()
        {
            using (await mutex.LockAsync())
            {
                Enter(1, most: 1);
                try
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
                }
                finally
                {
                    Enter(-1, most: 1);
                }
            }
        }

        async Future UntilAsync(Func<bool> condition)
        {
            while (true)
            {
                using (await mutex.LockAsync())
                {
                    if (condition())
                    {
                        return;
                    }
                }

                await Future.Yield();
            }
        }
    }

    private const int Permits = 4;

    private async Task<int> SemaphoreStormAsync()
    {
        var semaphore = new AsyncSemaphore(Permits, "raced");
        await StormAsync(async (random, kind) =>
        {
            int count = 1 + (kind % 3);
            using (kind == 4 ? await PlainAsync(count) : await semaphore.AcquireAsync(count))
            {
                await InsideAsync(count, most: Permits, random.Next(3));
            }
        });
        semaphore.ToString().ShouldBe($"semaphore 'raced', {Permits} of {Permits} free (0 waiting)");
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

    private async Future InsideAsync(int weight, int most, int yields)
    {
        Enter(weight, most);
        try
        {
            for (int i = 0; i < yields; i++)
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
