using Moirai.Execution;

namespace Moirai.Tests.Sync;

/// <summary>What must not be done with a semaphore, what is said then, and what becomes of permits whose task has ended.</summary>
public sealed class SemaphoreBadInputTests
{
    [Fact]
    public void Numbers_that_make_no_sense_are_refused()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new AsyncSemaphore(-1, 5)).Message.ShouldContain("can begin with 0 to 5 permits");
        Should.Throw<ArgumentOutOfRangeException>(() => new AsyncSemaphore(6, 5)).ParamName.ShouldBe("permits");
        Should.Throw<ArgumentOutOfRangeException>(() => new AsyncSemaphore(0)).Message.ShouldContain("must be able to have at least one permit");
        Should.Throw<ArgumentOutOfRangeException>(() => new AsyncSemaphore(0, 0)).ParamName.ShouldBe("maximum");
        Should.Throw<ArgumentOutOfRangeException>(() => new AsyncSemaphore(1, 1, maxWaiting: -1)).ParamName.ShouldBe("maxWaiting");
        Should.Throw<ArgumentNullException>(() => new AsyncSemaphore(1, null!));

        var semaphore = new AsyncSemaphore(3, "db");
        foreach (int count in new[] { 0, -1, 4, int.MaxValue, int.MinValue })
        {
            Should.Throw<ArgumentOutOfRangeException>(() => semaphore.TryAcquire(out SemaphoreLease _, count)).Message.ShouldContain("From semaphore 'db' one can take 1 to 3 permits");
            Should.Throw<ArgumentOutOfRangeException>(() => semaphore.AcquireAsync(count));
            Should.Throw<ArgumentOutOfRangeException>(() => semaphore.AcquireAsync(CancellationToken.None, count));
        }

        foreach (int count in new[] { 0, -1, int.MinValue })
        {
            Should.Throw<ArgumentOutOfRangeException>(() => semaphore.AddPermits(count));
            Should.Throw<ArgumentOutOfRangeException>(() => semaphore.ForgetPermits(count));
            Should.Throw<ArgumentOutOfRangeException>(() => default(SemaphoreLease).Release(count));
        }

        semaphore.Available.ShouldBe(3);
    }

    [Fact]
    public void S147_giving_back_what_was_not_taken_says_so_and_gives_back_nothing()
    {
        var semaphore = new AsyncSemaphore(3, 10, name: "db");
        SemaphoreLease lease = AsyncSemaphoreTests.Take(semaphore, 2);
        Should.Throw<SynchronizationLockException>(() => lease.Release(3)).Message.ShouldStartWith("A lease of 2 permits of semaphore 'db' cannot give back 3.");
        semaphore.Available.ShouldBe(1);
        lease.Release(2);
        Should.Throw<SynchronizationLockException>(() => lease.Release(1)).Message.ShouldStartWith("A lease of 0 permits of semaphore 'db' cannot give back 1.");
        Should.Throw<SynchronizationLockException>(() => default(SemaphoreLease).Release(1)).Message.ShouldContain("no semaphore");
        Should.Throw<SynchronizationLockException>(() => lease.Detach());
        Should.Throw<SynchronizationLockException>(() => default(SemaphoreLease).Detach());
        default(SemaphoreLease).Forget().ShouldBe(0);
        (semaphore.Permits, semaphore.Available).ShouldBe((3, 3));
    }

    [Fact]
    public void A_lease_gives_back_once_and_a_copy_of_it_gives_back_nothing_of_somebody_else()
    {
        var semaphore = new AsyncSemaphore(3);
        default(SemaphoreLease).Dispose();
        SemaphoreLease first = AsyncSemaphoreTests.Take(semaphore);
        SemaphoreLease copy = first;
        first.Dispose();
        first.Dispose();
        semaphore.Available.ShouldBe(3);
        SemaphoreLease second = AsyncSemaphoreTests.Take(semaphore, 2); // in the same row
        copy.Dispose();
        copy.Permits.ShouldBe(0);
        semaphore.Available.ShouldBe(1);
        (copy == first).ShouldBeTrue();
        (copy != second).ShouldBeTrue();
        second.Dispose();
        semaphore.Available.ShouldBe(3);
    }

    [Fact]
    public async Task Copies_of_a_lease_disposed_at_once_give_back_once()
    {
        var semaphore = new AsyncSemaphore(2);
        using var both = new Barrier(2);
        for (int i = 0; i < 1_000; i++)
        {
            SemaphoreLease lease = AsyncSemaphoreTests.Take(semaphore);
            Task other = Task.Run(Release);
            Release();
            await other;
            semaphore.Available.ShouldBe(2);

            void Release()
            {
                both.SignalAndWait(TestContext.Current.CancellationToken);
                lease.Dispose();
            }
        }
    }

    [Fact]
    public void Leases_by_the_thousand_are_told_apart_when_they_come_back_in_any_order()
    {
        var semaphore = new AsyncSemaphore(100_000);
        var random = new Random(7);
        SemaphoreLease[] leases = [.. Enumerable.Range(0, 5_000).Select(i => AsyncSemaphoreTests.Take(semaphore, 1 + (i % 7)))];
        leases.Distinct().Count().ShouldBe(5_000);
        SemaphoreLease[] old = [.. leases];
        random.Shuffle(leases);
        for (int i = 0; i < 2_500; i++)
        {
            leases[i].Dispose();
            leases[i] = AsyncSemaphoreTests.Take(semaphore, 3);
        }

        int taken = leases.Sum(lease => lease.Permits);
        semaphore.Available.ShouldBe(100_000 - taken);
        semaphore.ToString().ShouldContain(" and others (");
        foreach (SemaphoreLease lease in old)
        {
            lease.Dispose();
        }

        semaphore.Available.ShouldBe(100_000 - 7_500);
        foreach (SemaphoreLease lease in leases)
        {
            lease.Dispose();
        }

        semaphore.Available.ShouldBe(100_000);
    }

    [Fact]
    public void Nobody_gets_permits_of_a_disposed_semaphore_and_who_has_some_may_go_on()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(2, "db");
        var gate = new Gate();
        ManagedTask holder = world.Start(AsyncSemaphoreTests.HoldUntil(semaphore, gate));
        ManagedTask waiter = world.Start(AsyncSemaphoreTests.AcquireOnce(semaphore, world, "never", 2));
        semaphore.Dispose();
        semaphore.Dispose();
        world.Run();
        waiter.Exception.ShouldBeOfType<ObjectDisposedException>().Message.ShouldContain("Semaphore 'db' has been disposed");
        world.Start(AsyncSemaphoreTests.AcquireOnce(semaphore, world, "never", 1)).Exception.ShouldBeOfType<ObjectDisposedException>();
        Should.Throw<ObjectDisposedException>(() => semaphore.TryAcquire(out SemaphoreLease _));
        Should.Throw<ObjectDisposedException>(PlainAsync().GetAwaiter().GetResult);
        gate.Open();
        world.Run();
        holder.State.ShouldBe(TaskState.Completed);
        semaphore.ToString().ShouldBe("semaphore 'db', closed, 2 of 2 free (0 waiting)");
        world.Trace.ShouldBeEmpty();
        world.ShouldBeEmpty();

        async Task PlainAsync() => (await semaphore.AcquireAsync()).Dispose();
    }

    [Theory]
    [InlineData("completes")]
    [InlineData("fails")]
    [InlineData("is canceled")]
    public void S151_permits_of_a_task_that_ends_are_given_back_and_the_operator_is_told_whose(string end)
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(3, "db");
        var gate = new Gate();
        ManagedTask holder = world.Start(
            async _ =>
            {
                await semaphore.AcquireAsync();
                await semaphore.AcquireAsync(2);
                await gate.WaitAsync();
                if (end == "fails")
                {
                    throw new FormatException("as planned");
                }
            },
            "careless");
        ManagedTask waiter = world.Start(AsyncSemaphoreTests.AcquireOnce(semaphore, world, "goes on", 3));
        if (end == "is canceled")
        {
            holder.Cancel();
        }

        gate.Open();
        world.Run();
        waiter.State.ShouldBe(TaskState.Completed);
        semaphore.Available.ShouldBe(3);
        RuntimeEvent[] told = [.. world.Events.Where(e => e.Kind == RuntimeEventKind.PermitsReturned)];
        told.Length.ShouldBe(2);
        told.ShouldAllBe(e => e.Task == holder.Id);
        told[1].Message.ShouldStartWith($"{holder.Id} 'careless' ended without giving back 2 of semaphore 'db'");
        told[1].Message.ShouldContain("Give back with a using block");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S151_permits_taken_in_the_last_step_are_given_back_too() => EndedHolder(static _ => { });

    [Fact]
    public void S151_twin_an_end_that_does_not_know_what_the_task_has_is_caught() =>
        Should.Throw<ShouldAssertException>(() => EndedHolder(static context => context.ForgetHolds()));

    [Fact]
    public void S151_a_detached_lease_outlives_the_task_that_took_it()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(2, "db");
        SemaphoreLease handed = default;
        SemaphoreLease forNobody = default;
        world.Start(async _ =>
        {
            using SemaphoreLease lease = await semaphore.AcquireAsync();
            handed = lease.Detach();
            Should.Throw<SynchronizationLockException>(() => lease.Detach());
            forNobody = await semaphore.AcquireAsync(TestContext.Current.CancellationToken);
        });
        semaphore.Available.ShouldBe(0);
        world.Events.ShouldBeEmpty();
        semaphore.ToString().ShouldBe("semaphore 'db', 0 of 2 free, held by plain code, plain code (0 waiting)");
        handed.Permits.ShouldBe(1);
        handed.Dispose();
        forNobody.Dispose();
        semaphore.Available.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S151_whoever_has_the_lease_may_give_back_for_the_task_and_its_end_gives_back_nothing_more()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(1);
        world.Start(async _ =>
        {
            SemaphoreLease lease = await semaphore.AcquireAsync();
            await world.Spawn(async _ =>
            {
                await Future.Yield();
                lease.Dispose();
            });
            SemaphoreLease others = AsyncSemaphoreTests.Take(semaphore).Detach();
            semaphore.Available.ShouldBe(0);
            ManagedTask heir = world.Spawn(async _ =>
            {
                await Future.Yield();
                semaphore.Available.ShouldBe(0);
                others.Dispose();
            });
            heir.IsEnded.ShouldBeFalse();
        });
        semaphore.Available.ShouldBe(1);
        world.Events.ShouldBeEmpty();
        world.Census.Failed.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_result_that_is_taken_before_the_wait_has_ended_is_refused()
    {
        var semaphore = new AsyncSemaphore(1);
        SemaphoreLease held = AsyncSemaphoreTests.Take(semaphore);
        LeaseAwaitable<SemaphoreLease>.Awaiter awaiter = semaphore.AcquireAsync().GetAwaiter();
        awaiter.IsCompleted.ShouldBeFalse();
        Should.Throw<InvalidOperationException>(() => awaiter.GetResult()).Message.ShouldContain("has not ended");
        semaphore.Waiting.ShouldBe(0);
        held.Dispose();
    }

    private static void EndedHolder(Action<StepContext> plant)
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(1);
        world.Spawn(async _ =>
        {
            await semaphore.AcquireAsync();
            plant(StepContext.Current);
        });
        ManagedTask waiter = world.Spawn(AsyncSemaphoreTests.AcquireOnce(semaphore, world, "goes on", 1));
        world.Run();
        waiter.State.ShouldBe(TaskState.Completed);
        semaphore.Available.ShouldBe(1);
        world.ShouldBeEmpty();
    }
}
