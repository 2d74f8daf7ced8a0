namespace Moirai.Tests.Sync;

/// <summary>A wait for permits that is given up takes nothing, leaves nothing, and holds up nobody.</summary>
public sealed class SemaphoreCancellationTests
{
    [Fact]
    public void S141_a_canceled_head_lets_those_behind_it_have_what_was_kept_for_it()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(3, "db");
        SemaphoreLease held = AsyncSemaphoreTests.Take(semaphore);
        ManagedTask large = world.Start(AsyncSemaphoreTests.AcquireOnce(semaphore, world, "large", 3));
        ManagedTask small = world.Start(AsyncSemaphoreTests.AcquireOnce(semaphore, world, "small", 2));
        large.Cancel();
        semaphore.Waiting.ShouldBe(0); // at once, before anything has run
        semaphore.Available.ShouldBe(0);
        world.Run();
        large.State.ShouldBe(TaskState.Canceled);
        small.State.ShouldBe(TaskState.Completed);
        held.Dispose();
        semaphore.Available.ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S141_S149_a_waiter_that_is_canceled_after_the_grant_has_its_permits_and_gives_them_back()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(2, "db");
        SemaphoreLease held = AsyncSemaphoreTests.Take(semaphore, 2);
        ManagedTask granted = world.Start(async _ =>
        {
            using (await semaphore.AcquireAsync(2))
            {
                world.Log("has them");
                await Future.Yield();
                world.Log("never");
            }
        });
        held.Dispose();
        granted.State.ShouldBe(TaskState.Ready);
        granted.Cancel();
        semaphore.Available.ShouldBe(0);
        world.Run();
        world.Trace.ShouldBe(["has them"]);
        granted.State.ShouldBe(TaskState.Canceled);
        semaphore.Available.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S141_a_token_ends_one_wait_of_a_task_and_not_the_task()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(2, "db");
        using var source = new CancellationTokenSource();
        SemaphoreLease held = AsyncSemaphoreTests.Take(semaphore);
        ManagedTask task = world.Start(async _ =>
        {
            OperationCanceledException error = await ThrownAsync();
            error.CancellationToken.ShouldBe(source.Token);
            error.Message.ShouldContain("The wait for semaphore 'db', 1 of 2 free");
            world.Log("given up");
            await Future.Yield();
        });
        ManagedTask next = world.Start(AsyncSemaphoreTests.AcquireOnce(semaphore, world, "next", 1));
        semaphore.Waiting.ShouldBe(2);
        source.Cancel();
        semaphore.Waiting.ShouldBe(0);
        world.Run();
        world.Trace.ShouldBe(["given up", "next"], ignoreOrder: true);
        (task.State, next.State).ShouldBe((TaskState.Completed, TaskState.Completed));
        held.Dispose();
        semaphore.Available.ShouldBe(2);
        world.ShouldBeEmpty();

        async Future<OperationCanceledException> ThrownAsync()
        {
            try
            {
                (await semaphore.AcquireAsync(source.Token, 2)).Dispose();
            }
            catch (OperationCanceledException error) when (error.GetType() == typeof(OperationCanceledException))
            {
                return error;
            }

            throw new InvalidOperationException("not reached");
        }
    }

    [Fact]
    public async Task S141_a_token_ends_the_wait_of_plain_code()
    {
        var semaphore = new AsyncSemaphore(2);
        using var source = new CancellationTokenSource();
        SemaphoreLease held = AsyncSemaphoreTests.Take(semaphore);
        Task large = TakeAsync(2, source.Token);
        Task small = TakeAsync(1, default);
        await source.CancelAsync();
        await small;
        (await Record.ExceptionAsync(() => large)).ShouldBeOfType<OperationCanceledException>().CancellationToken.ShouldBe(source.Token);
        held.Dispose();
        semaphore.Available.ShouldBe(2);
        await Should.ThrowAsync<OperationCanceledException>(TakeAsync(1, source.Token)); // although one is free
        semaphore.Available.ShouldBe(2);

        async Task TakeAsync(int count, CancellationToken token) => (await semaphore.AcquireAsync(token, count)).Dispose();
    }

    [Fact]
    public void A_task_that_is_canceled_before_it_waits_does_not_wait()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(1);
        SemaphoreLease held = AsyncSemaphoreTests.Take(semaphore);
        ManagedTask task = world.Start(async _ =>
        {
            ManagedTask.Current!.Cancel();
            (await semaphore.AcquireAsync()).Dispose();
        });
        task.State.ShouldBe(TaskState.Canceled);
        semaphore.Waiting.ShouldBe(0);
        held.Dispose();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S153_twenty_thousand_canceled_waits_leave_the_queue_empty()
    {
        var world = new World();
        var semaphore = new AsyncSemaphore(2);
        SemaphoreLease held = AsyncSemaphoreTests.Take(semaphore);
        for (int round = 0; round < 20; round++)
        {
            ManagedTask[] tasks = [.. Enumerable.Range(0, 1_000).Select(_ => world.Spawn(AsyncSemaphoreTests.AcquireOnce(semaphore, world, "never", 2)))];
            world.Run();
            semaphore.Waiting.ShouldBe(1_000);
            foreach (ManagedTask task in tasks)
            {
                task.Cancel();
            }

            semaphore.Waiting.ShouldBe(0);
            world.Run();
        }

        world.Trace.ShouldBeEmpty();
        world.Census.Canceled.ShouldBe(20_000);
        held.Dispose();
        semaphore.Available.ShouldBe(2);
        world.ShouldBeEmpty();
    }
}
