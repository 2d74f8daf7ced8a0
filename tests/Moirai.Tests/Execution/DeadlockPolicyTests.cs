using static Moirai.Tests.Execution.DeadlockWorld;

namespace Moirai.Tests.Execution;

/// <summary>Row C8: only told of, tried again, canceled, and in storms of which nobody knows the order.</summary>
public sealed class DeadlockPolicyTests(ITestOutputHelper output)
{
    private readonly AsyncMutex _ledger = new("ledger");
    private readonly AsyncMutex _stock = new("stock");

    [Fact]
    public void C8_a_ring_that_is_only_told_of_is_told_once_and_stands()
    {
        var ring = new DeadlockWorld(DeadlockPolicy.Report);
        ManagedTask one = ring.Spawn("one", Lock(_ledger), Lock(_stock));
        ManagedTask two = ring.Spawn("two", Lock(_stock), Lock(_ledger));
        ring.Run();
        ManagedTask late = ring.World.Start(async _ => (await _ledger.LockAsync()).Dispose());

        DeadlockException told = ring.Told.ShouldHaveSingleItem();
        told.Task.ShouldBe(two.Id);
        ring.World.Events[0].Message.ShouldContain("Nobody breaks the ring");
        (one.State, two.State, late.State).ShouldBe((TaskState.Blocked, TaskState.Blocked, TaskState.Blocked));

        two.Cancel();
        ring.World.ShouldBeEmpty();
        (one.State, two.State, late.State).ShouldBe((TaskState.Completed, TaskState.Canceled, TaskState.Completed));
    }

    [Theory]
    [InlineData(DeadlockPolicy.Throw)]
    [InlineData(DeadlockPolicy.Report)]
    [InlineData(DeadlockPolicy.Off)]
    public void C8_of_a_ring_through_two_runtimes_the_one_whose_task_closes_it_decides(DeadlockPolicy policy)
    {
        var first = new DeadlockWorld(policy == DeadlockPolicy.Throw ? DeadlockPolicy.Off : DeadlockPolicy.Throw);
        var second = new DeadlockWorld(policy);
        ManagedTask one = first.Spawn("one", Lock(_ledger), Lock(_stock));
        ManagedTask two = second.Spawn("two", Lock(_stock), Lock(_ledger));
        first.Run();
        second.Run();

        two.State.ShouldBe(policy == DeadlockPolicy.Throw ? TaskState.Failed : TaskState.Blocked);
        second.Told.Length.ShouldBe(policy == DeadlockPolicy.Off ? 0 : 1);
        second.World.Census.Deadlocks.ShouldBe(second.Told.Length);
        first.Told.ShouldBeEmpty();
        first.World.Census.Deadlocks.ShouldBe(0);

        if (policy == DeadlockPolicy.Throw)
        {
            two.Exception.ShouldBe(second.Told[0]);
        }
        else
        {
            two.Cancel();
            second.World.Run();
        }

        first.World.Run();
        one.State.ShouldBe(TaskState.Completed);
        first.World.ShouldBeEmpty();
        second.World.ShouldBeEmpty();
    }

    [Fact]
    public void C8_who_catches_it_and_asks_again_closes_the_ring_again()
    {
        var ring = new DeadlockWorld();
        ManagedTask one = ring.Spawn("one", Lock(_ledger), Lock(_stock));
        int caught = 0;
        ManagedTask two = ring.Spawn("two", Lock(_stock), async () =>
        {
            while (caught < 3)
            {
                try
                {
                    return await _ledger.LockAsync();
                }
                catch (DeadlockException)
                {
                    caught++;
                }
            }

            return default(MutexLease);
        });
        ring.Run();

        caught.ShouldBe(3);
        (one.State, two.State).ShouldBe((TaskState.Completed, TaskState.Completed));
        ring.Told.Length.ShouldBe(3);
        ring.World.ShouldBeEmpty();
    }

    [Fact]
    public void C8_a_wait_with_a_token_closes_a_ring_and_what_it_takes_is_nobodys()
    {
        using var source = new CancellationTokenSource();
        var ring = new DeadlockWorld();
        ManagedTask one = ring.Spawn("one", Lock(_ledger), Lock(_stock));
        ManagedTask two = ring.Spawn("two", Lock(_stock), async () => await _ledger.LockAsync(source.Token));
        ring.Run();
        ring.ShouldHaveBroken(two, one);

        // Taken with a token: no task has it, anybody may release it, and there is no ring.
        var other = new DeadlockWorld();
        one = other.Spawn("one", async () => await _ledger.LockAsync(source.Token), Lock(_stock));
        two = other.Spawn("two", Lock(_stock), Lock(_ledger));
        other.Run();
        other.Told.ShouldBeEmpty();
        two.Cancel();
        one.State.ShouldBe(TaskState.Blocked);
        other.World.ShouldBeEmpty();
    }

    [Fact]
    public void C8_a_condition_is_nobodys_and_taking_the_mutex_again_closes_a_ring()
    {
        var ring = new DeadlockWorld();
        var news = new AsyncCondition(_ledger);
        ManagedTask waits = ring.World.Start(async _ =>
        {
            using (await _stock.LockAsync())
            {
                using (await _ledger.LockAsync())
                {
                    await news.WaitAsync();
                }
            }
        });
        ManagedTask tells = ring.World.Start(async _ =>
        {
            using (await _ledger.LockAsync())
            {
                news.Notify();
                (await _stock.LockAsync()).Dispose(); // held by who is on its way back, to the ledger
            }
        });

        waits.Exception.ShouldBeOfType<DeadlockException>();
        tells.State.ShouldBe(TaskState.Completed);
        ring.World.ShouldBeEmpty();
        _ledger.IsLocked.ShouldBeFalse();
    }

    [Fact]
    public async Task C8_a_storm_of_locks_in_one_order_is_never_a_ring()
    {
        (await StormAsync(ordered: true)).ShouldBe(0);
    }

    [Fact]
    public async Task C8_twin_a_storm_of_locks_in_any_order_has_rings_and_goes_on()
    {
        long found = await StormAsync(ordered: false);
        Should.Throw<ShouldAssertException>(() => found.ShouldBe(0));
    }

    /// <summary>Tasks take some of eight locks, are canceled, and try again when they were in a ring. Nothing but the detector keeps the storm going when there is no order.</summary>
    private async Task<long> StormAsync(bool ordered)
    {
        int seed = Environment.ProcessId ^ (int)TimeProvider.System.GetTimestamp();
        output.WriteLine($"seed {seed}");
        AsyncMutex[] mutexes = [.. Enumerable.Range(0, 4).Select(static i => new AsyncMutex($"m{i}"))];
        AsyncReaderWriterLock[] gates = [.. Enumerable.Range(0, 2).Select(static i => new AsyncReaderWriterLock($"g{i}"))];
        AsyncSemaphore[] permits = [.. Enumerable.Range(0, 2).Select(static i => new AsyncSemaphore(1, $"s{i}"))];
        var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("storm", async scope =>
        {
            for (int lane = 0; lane < 8; lane++)
            {
                var random = new Random(seed + lane);
                _ = scope.Spawn(async _ =>
                {
                    for (int i = 0; i < 300; i++)
                    {
                        ManagedTask one = runtime.SpawnDetached(async _ => await TakeAsync(random));
                        bool cancels = random.Next(6) == 0;
                        if (cancels)
                        {
                            await Future.Yield();
                            one.Cancel("storm");
                        }

                        try
                        {
                            await one;
                        }
                        catch (ManagedTaskCanceledException) when (cancels)
                        {
                            // as planned
                        }
                    }
                });
            }

            await Future.Yield();
        });
        long found = runtime.TakeCensus().Deadlocks;
        output.WriteLine($"{found} rings");
        World.ShouldBeEmpty(runtime);
        await runtime.DisposeAsync();
        mutexes.ShouldAllBe(static mutex => !mutex.IsLocked && !mutex.IsClosed);
        gates.ShouldAllBe(static gate => gate.Readers == 0 && !gate.IsWriteLocked);
        permits.ShouldAllBe(static permit => permit.Available == 1);
        return found;

        async Future TakeAsync(Random random)
        {
            int[] wanted = [.. Enumerable.Range(0, 8).OrderBy(_ => random.Next()).Take(random.Next(1, 4))];
            bool[] writes = [.. wanted.Select(_ => random.Next(2) == 0)];
            if (ordered)
            {
                Array.Sort(wanted);
            }

            while (true)
            {
                List<IDisposable> taken = [];
                try
                {
                    for (int i = 0; i < wanted.Length; i++)
                    {
                        taken.Add(wanted[i] switch
                        {
                            < 4 and var m => await mutexes[m].LockAsync(),
                            < 6 and var g => writes[i] ? await gates[g - 4].LockWriteAsync() : await gates[g - 4].LockReadAsync(),
                            var s => await permits[s - 6].AcquireAsync(),
                        });
                        await Future.Yield();
                    }

                    return;
                }
                catch (DeadlockException) when (!ordered)
                {
                    // once more
                }
                finally
                {
                    taken.ForEach(static lease => lease.Dispose());
                }
            }
        }
    }
}
