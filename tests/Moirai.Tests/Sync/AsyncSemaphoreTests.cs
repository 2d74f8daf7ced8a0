namespace Moirai.Tests.Sync;

/// <summary>So many at a time: who gets permits, who is next, how many there are.</summary>
public sealed class AsyncSemaphoreTests
{
    [Fact]
    public void So_many_at_a_time_and_S143_first_come_first_served()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(2, "db");
        var gate = new Gate();
        ManagedTask a = world.Start(HoldUntil(semaphore, gate), "a");
        ManagedTask b = world.Start(HoldUntil(semaphore, gate), "b");
        for (int i = 0; i < 4; i++)
        {
            int me = i;
            world.Start(async _ =>
            {
                using (await semaphore.AcquireAsync())
                {
                    world.Log($"{me}");
                    semaphore.Available.ShouldBe(0);
                    await Future.Yield();
                }
            });
        }

        semaphore.ToString().ShouldBe($"semaphore 'db', 0 of 2 free, held by {a.Id} 'a', {b.Id} 'b' (4 waiting)");
        world.Census.Waiters.ShouldBe(4);
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["0", "1", "2", "3"]);
        semaphore.ToString().ShouldBe("semaphore 'db', 2 of 2 free (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S143_a_large_request_at_the_head_blocks_later_small_ones()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(3, "db");
        SemaphoreLease held = Take(semaphore, 2);
        ManagedTask large = world.Start(AcquireOnce(semaphore, world, "large", 3));
        ManagedTask small = world.Start(AcquireOnce(semaphore, world, "small", 1));
        semaphore.Available.ShouldBe(1);
        small.State.ShouldBe(TaskState.Blocked);
        large.DescribeWait().ShouldBe("semaphore 'db', 1 of 3 free, held by plain code (2) (2 waiting)");
        held.Release(1);
        world.Run();
        large.State.ShouldBe(TaskState.Blocked);
        semaphore.Available.ShouldBe(2);
        held.Dispose();
        world.Run();
        world.Trace.ShouldBe(["large", "small"]);
        semaphore.Available.ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S143_trying_fails_while_anyone_queues_although_permits_are_free()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(3, "db");
        SemaphoreLease held = Take(semaphore);
        ManagedTask large = world.Start(AcquireOnce(semaphore, world, "large", 3));
        semaphore.Available.ShouldBe(2);
        semaphore.TryAcquire(out SemaphoreLease none).ShouldBeFalse();
        none.Permits.ShouldBe(0);
        large.Cancel();
        semaphore.TryAcquire(out SemaphoreLease lease).ShouldBeTrue();
        lease.Dispose();
        held.Dispose();
        world.ShouldBeEmpty();
        semaphore.Available.ShouldBe(3);
    }

    [Fact]
    public void S143_released_permits_go_to_the_head_and_never_to_a_running_task_that_asks_again()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(1, "db");
        var gate = new Gate();
        world.Start(async _ =>
        {
            using (await semaphore.AcquireAsync())
            {
                await gate.WaitAsync();
            }

            semaphore.Available.ShouldBe(0); // the waiter has it already
            using (await semaphore.AcquireAsync())
            {
                world.Log("again");
            }
        });
        world.Start(AcquireOnce(semaphore, world, "waiter", 1));
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["waiter", "again"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S143_one_release_serves_as_many_as_it_has_permits_for()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(4, "db");
        SemaphoreLease held = Take(semaphore, 4);
        foreach (int count in new[] { 1, 2, 2, 1 })
        {
            world.Start(AcquireOnce(semaphore, world, $"{count}", count, seconds: 1));
        }

        held.Dispose();
        world.Run();
        world.Trace.ShouldBe(["1", "2"]);
        semaphore.Available.ShouldBe(1);
        semaphore.Waiting.ShouldBe(2);
        world.Advance(1);
        world.Advance(1);
        world.Trace.ShouldBe(["1", "2", "2", "1"]);
        semaphore.Available.ShouldBe(4);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S145_who_comes_to_a_full_queue_is_sent_away()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(1, 1, maxWaiting: 2, name: "db");
        SemaphoreLease held = Take(semaphore);
        ManagedTask first = world.Start(AcquireOnce(semaphore, world, "first", 1));
        world.Start(AcquireOnce(semaphore, world, "second", 1));
        ManagedTask third = world.Start(AcquireOnce(semaphore, world, "third", 1));
        var error = third.Exception.ShouldBeOfType<WaitQueueFullException>();
        (error.Primitive, error.MaxWaiting).ShouldBe(("db", 2));
        error.Message.ShouldBe("No more than 2 may wait for semaphore 'db', 0 of 1 free, held by plain code (2 waiting), and this would be one more. Shed the work, or try again later; nothing was taken.");
        Task plain = PlainAsync();
        Should.Throw<WaitQueueFullException>(plain.GetAwaiter().GetResult);

        first.Cancel(); // makes room
        world.Start(AcquireOnce(semaphore, world, "fourth", 1)).State.ShouldBe(TaskState.Blocked);
        held.Dispose();
        world.Run();
        world.Trace.ShouldBe(["second", "fourth"]);
        semaphore.Available.ShouldBe(1);
        world.ShouldBeEmpty();

        async Task PlainAsync() => (await semaphore.AcquireAsync()).Dispose();
    }

    [Fact]
    public void S145_with_no_room_to_wait_what_is_free_is_still_given()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(1, 1, maxWaiting: 0);
        world.Start(AcquireOnce(semaphore, world, "free", 1)).State.ShouldBe(TaskState.Completed);
        SemaphoreLease held = Take(semaphore);
        world.Start(AcquireOnce(semaphore, world, "taken", 1)).Exception.ShouldBeOfType<WaitQueueFullException>();
        held.Dispose();
        world.Trace.ShouldBe(["free"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S147_forgetting_takes_the_smaller_one_of_what_is_asked_and_what_is_free()
    {
        var semaphore = new AsyncSemaphore(5, "db");
        SemaphoreLease held = Take(semaphore, 3);
        semaphore.ForgetPermits(1).ShouldBe(1);
        semaphore.ForgetPermits(10).ShouldBe(1);
        semaphore.ForgetPermits(10).ShouldBe(0);
        (semaphore.Permits, semaphore.Available).ShouldBe((3, 0));
        held.Dispose();
        (semaphore.Permits, semaphore.Available).ShouldBe((3, 3));
        semaphore.AddPermits(2);
        (semaphore.Permits, semaphore.Available).ShouldBe((5, 5));
    }

    [Fact]
    public void S147_a_lease_that_is_forgotten_makes_the_total_smaller()
    {
        var semaphore = new AsyncSemaphore(5, "db");
        SemaphoreLease held = Take(semaphore, 3);
        held.Release(1);
        held.Forget().ShouldBe(2);
        held.Forget().ShouldBe(0);
        held.Dispose();
        (semaphore.Permits, semaphore.Available).ShouldBe((3, 3));
    }

    [Fact]
    public void S147_adding_beyond_the_maximum_throws_and_adds_nothing()
    {
        var semaphore = new AsyncSemaphore(1, maximum: 3, name: "db");
        semaphore.AddPermits(1);
        string message = Should.Throw<SemaphoreFullException>(() => semaphore.AddPermits(2)).Message;
        message.ShouldStartWith("2 more permits would make more than the 3 that semaphore 'db', 2 of 2 free (0 waiting) can have; it has 2 already");
        (semaphore.Permits, semaphore.Available).ShouldBe((2, 2));
        Should.Throw<SemaphoreFullException>(() => semaphore.AddPermits(int.MaxValue));
        SemaphoreLease held = Take(semaphore, 2);
        semaphore.AddPermits(1);
        Should.Throw<SemaphoreFullException>(() => semaphore.AddPermits(1)); // what is taken counts: it comes back
        held.Dispose();
        (semaphore.Permits, semaphore.Available).ShouldBe((3, 3));
    }

    [Fact]
    public void S147_added_permits_go_to_those_who_wait()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(0, maximum: 10);
        world.Start(AcquireOnce(semaphore, world, "two", 2));
        world.Start(AcquireOnce(semaphore, world, "one", 1));
        semaphore.AddPermits(1);
        world.Run();
        world.Trace.ShouldBeEmpty();
        semaphore.AddPermits(1);
        world.Run();
        world.Trace.ShouldBe(["two", "one"]);
        semaphore.Available.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_that_is_always_lucky_gives_way_without_permits()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(1);
        int taken = 0;
        world.Spawn(async _ =>
        {
            for (; taken < 1_000; taken++)
            {
                (await semaphore.AcquireAsync()).Dispose();
            }
        });
        world.Spawn(async _ =>
        {
            taken.ShouldBeInRange(1, 100);
            semaphore.Available.ShouldBe(1);
            (await semaphore.AcquireAsync()).Dispose();
        });
        world.Run();
        taken.ShouldBe(1_000);
        world.Census.Failed.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_waits_and_gets_permits()
    {
        var semaphore = new AsyncSemaphore(2);
        SemaphoreLease first = await semaphore.AcquireAsync(2);
        Task<int> second = CountAsync();
        semaphore.Waiting.ShouldBe(1);
        first.Dispose();
        (await second).ShouldBe(2);
        semaphore.Available.ShouldBe(2);

        async Task<int> CountAsync()
        {
            using SemaphoreLease lease = await semaphore.AcquireAsync(2);
            return lease.Permits;
        }
    }

    [Fact]
    public void A_wait_can_be_put_under_a_timeout()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(1, "db");
        SemaphoreLease held = Take(semaphore);
        ManagedTask waiter = world.Start(async _ => (await semaphore.AcquireAsync().WithTimeout(TimeSpan.FromSeconds(1))).Dispose());
        world.Advance(1);
        waiter.Exception.ShouldBeOfType<TaskTimeoutException>().Message.ShouldContain("waiting for semaphore 'db', 0 of 1 free, held by plain code");
        semaphore.Waiting.ShouldBe(0);
        held.Dispose();
        world.ShouldBeEmpty();
    }

    internal static Func<CancellationToken, Future> HoldUntil(AsyncSemaphore semaphore, Gate gate) => async _ =>
    {
        using (await semaphore.AcquireAsync())
        {
            await gate.WaitAsync();
        }
    };

    internal static Func<CancellationToken, Future> AcquireOnce(AsyncSemaphore semaphore, World world, string name, int count, double seconds = 0) => async _ =>
    {
        using (await semaphore.AcquireAsync(count))
        {
            world.Log(name);
            if (seconds > 0)
            {
                await Future.Delay(TimeSpan.FromSeconds(seconds));
            }
        }
    };

    internal static SemaphoreLease Take(AsyncSemaphore semaphore, int count = 1)
    {
        semaphore.TryAcquire(out SemaphoreLease lease, count).ShouldBeTrue();
        lease.Permits.ShouldBe(count);
        return lease;
    }
}
