namespace Moirai.Tests.Scopes;

/// <summary>At most N at a time: who is next, and how many at once.</summary>
public sealed class TaskSlotTests
{
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
        World.ShouldBeEmpty(runtime);
        pool.Counts.Created.ShouldBe(4_000);
    }

    internal static ManagedTask Admit(TaskPool pool, Func<CancellationToken, Future> body)
    {
        pool.TrySpawn(body, out ManagedTask? task).ShouldBeTrue();
        return task!;
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
