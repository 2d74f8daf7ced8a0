namespace Moirai.Tests.Scopes;

/// <summary>At most N at a time: who holds a slot, how long, and who is next.</summary>
public sealed class TaskSlotTests
{
    public enum Way
    {
        Completes,
        Fails,
        IsCanceled,
        IsCanceledBeforeItsStart,
        IsAbandoned,
    }

    [Theory]
    [InlineData(Way.Completes)]
    [InlineData(Way.Fails)]
    [InlineData(Way.IsCanceled)]
    [InlineData(Way.IsCanceledBeforeItsStart)]
    [InlineData(Way.IsAbandoned)]
    public void C1_a_slot_is_held_until_the_task_has_ended_and_comes_back_whichever_way_it_ends(Way way)
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("requests", maxTasks: 1);
        var gate = new Gate();
        var cleanUp = new Gate();
        ManagedTask? task = Admit(pool, async _ =>
        {
            try
            {
                await gate.WaitAsync();
                if (way == Way.Fails)
                {
                    throw new FormatException("as planned");
                }
            }
            finally
            {
                using (ManagedTask.Shield())
                {
                    await cleanUp.WaitAsync();
                }
            }
        });
        HoldsItsSlot(pool);
        if (way == Way.IsCanceledBeforeItsStart)
        {
            task.Cancel();
        }

        world.Run();
        if (way == Way.IsCanceled)
        {
            task.Cancel();
        }
        else
        {
            gate.Open();
        }

        TaskState expected = way switch { Way.Fails => TaskState.Failed, Way.IsCanceled or Way.IsCanceledBeforeItsStart => TaskState.Canceled, _ => TaskState.Completed };
        if (way != Way.IsCanceledBeforeItsStart)
        {
            world.Run();
            HoldsItsSlot(pool); // it is cleaning up: it has not ended
            cleanUp.Open();
        }

        if (way == Way.IsAbandoned)
        {
            task = null;
        }

        world.Run();
        task?.State.ShouldBe(expected);
        pool.ActiveCount.ShouldBe(0);
        pool.TrySpawn(_ => Task.CompletedTask, out _).ShouldBeTrue();
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
        pool.Counts.Created.ShouldBe(2);
    }

    [Fact]
    public void C1_twin_a_pool_that_returns_the_slot_when_spawning_returns_is_caught()
    {
        // The guide's web pool: the permit lives as long as the call that spawns.
        var world = new World();
        var slots = new TaskSlotManager(1);
        TaskScope scope = world.Runtime.OpenScope("guide");
        var gate = new Gate();
        void SpawnLikeTheGuide()
        {
            slots.TryAcquire(out SlotLease? lease).ShouldBeTrue();
            using (lease)
            {
                _ = scope.Spawn(gate.WaitAsync());
            }
        }

        SpawnLikeTheGuide();
        Should.Throw<ShouldAssertException>(() => slots.TryAcquire(out _).ShouldBeFalse());
        gate.Open();
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C1_spawning_waits_for_a_slot_first_come_first_served_and_nobody_overtakes()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("fifo", maxTasks: 2);
        var order = new List<int>();
        var gates = Enumerable.Range(0, 6).Select(_ => new Gate()).ToArray();
        for (int i = 0; i < gates.Length; i++)
        {
            int number = i;
            _ = world.Runtime.SpawnDetached(async _ => await pool.SpawnAsync(async _ =>
            {
                order.Add(number);
                await gates[number].WaitAsync();
            }));
        }

        world.Run();
        order.ShouldBe([0, 1]);
        pool.WaitingCount.ShouldBe(4);
        world.Census.Waiters.ShouldBe(4);
        world.Census.SlotsInUse.ShouldBe(2);

        gates[1].Open();
        Should.Throw<ShouldAssertException>(() => pool.TrySpawn(_ => Task.CompletedTask, out _).ShouldBeTrue());
        world.Run();
        order.ShouldBe([0, 1, 2]);
        foreach (Gate gate in gates)
        {
            gate.Open();
        }

        world.Run();
        order.ShouldBe([0, 1, 2, 3, 4, 5]);
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C1_a_wait_for_a_slot_times_out_names_the_pool_and_spawns_nothing()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("orders", maxTasks: 1);
        var gate = new Gate();
        _ = Admit(pool, async _ => await gate.WaitAsync());
        bool ran = false;
        ManagedTask waiting = world.Runtime.SpawnDetached(async _ => await pool.SpawnAsync(async _ =>
        {
            ran = true;
            await Future.Yield();
        }).WithTimeout(TimeSpan.FromSeconds(2)));
        world.Run();
        pool.WaitingCount.ShouldBe(1);

        world.Time.Advance(TimeSpan.FromSeconds(2));
        world.Run();
        waiting.Exception.ShouldBeOfType<TaskTimeoutException>().WaitingFor.ShouldContain("a slot of 'orders' (1 of 1 in use)");
        (pool.WaitingCount, pool.ActiveCount, pool.Counts.Created, ran).ShouldBe((0, 1, 1, false));
        gate.Open();
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C1_a_canceled_wait_takes_no_slot_and_lets_the_next_in_line_through()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("line", maxTasks: 1);
        var gate = new Gate();
        _ = Admit(pool, async _ => await gate.WaitAsync());
        ManagedTask[] line = [.. Enumerable.Range(0, 3).Select(_ => world.Runtime.SpawnDetached(async _ => await pool.SpawnAsync(_ => Task.CompletedTask)))];
        world.Run();
        line[0].Cancel();
        world.Run();
        pool.WaitingCount.ShouldBe(2);
        gate.Open();
        world.Run();
        line.Select(task => task.State).ShouldBe([TaskState.Canceled, TaskState.Completed, TaskState.Completed]);
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
        pool.Counts.Created.ShouldBe(3);
    }

    [Fact]
    public void C1_a_waiter_that_is_canceled_after_it_was_given_a_slot_keeps_the_account_exact()
    {
        var world = new World();
        var slots = new TaskSlotManager(1, "doors");
        slots.TryAcquire(out SlotLease? held).ShouldBeTrue();
        ManagedTask waiting = world.Runtime.SpawnDetached(async _ =>
        {
            using SlotLease lease = await slots.AcquireAsync();
            await Future.Delay(Timeout.InfiniteTimeSpan);
        });
        world.Run();
        slots.Waiting.ShouldBe(1);
        held.Dispose();
        (slots.InUse, slots.Waiting).ShouldBe((1, 0), "handed over, never free in between");
        waiting.Cancel();
        world.ShouldBeEmpty();
        waiting.State.ShouldBe(TaskState.Canceled);
        slots.InUse.ShouldBe(0);
    }

    [Fact]
    public void C1_a_slot_counts_once_however_often_its_lease_is_disposed()
    {
        var slots = new TaskSlotManager(2);
        slots.TryAcquire(out SlotLease? lease).ShouldBeTrue();
        Parallel.For(0, 100, _ => lease.Dispose());
        slots.InUse.ShouldBe(0);
        slots.TryAcquire(out _).ShouldBeTrue();
        slots.TryAcquire(out _).ShouldBeTrue();
        slots.TryAcquire(out SlotLease? third).ShouldBeFalse();
        third.ShouldBeNull();
    }

    [Fact]
    public void C1_on_many_threads_never_more_than_the_limit_live_and_all_slots_come_back()
    {
        const int limit = 7;
        var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "threads" });
        TaskPool pool = runtime.CreatePool("threads", limit);
        int live = 0;
        int most = 0;
        runtime.Run(runtime.RunScopeAsync("spawners", async scope =>
        {
            for (int s = 0; s < 4; s++)
            {
                _ = scope.Spawn(async _ =>
                {
                    for (int i = 0; i < 1_000; i++)
                    {
                        int way = i % 3;
                        ManagedTask task = await pool.SpawnAsync(async _ =>
                        {
                            int now = Interlocked.Increment(ref live);
                            InterlockedMax(ref most, now);
                            try
                            {
                                await Future.Yield();
                                if (way == 1)
                                {
                                    throw new FormatException("as planned");
                                }
                            }
                            finally
                            {
                                Interlocked.Decrement(ref live);
                            }
                        });
                        if (way == 2)
                        {
                            task.Cancel();
                        }
                    }
                });
            }

            await Future.Yield();
        }));
        runtime.Run(pool.DrainAsync());
        most.ShouldBeInRange(1, limit);
        Census census = runtime.TakeCensus();
        census.IsEmpty.ShouldBeTrue(census.ToString());
        pool.Counts.Created.ShouldBe(4_000);
    }

    internal static ManagedTask Admit(TaskPool pool, Func<CancellationToken, Future> body)
    {
        pool.TrySpawn(body, out ManagedTask? task).ShouldBeTrue();
        return task!;
    }

    private static void HoldsItsSlot(TaskPool pool)
    {
        pool.ActiveCount.ShouldBe(1);
        pool.TrySpawn(_ => Task.CompletedTask, out ManagedTask? refused).ShouldBeFalse();
        refused.ShouldBeNull();
    }

    private static void InterlockedMax(ref int most, int now)
    {
        int seen = Volatile.Read(ref most);
        while (now > seen)
        {
            int before = Interlocked.CompareExchange(ref most, now, seen);
            if (before == seen)
            {
                return;
            }

            seen = before;
        }
    }
}
