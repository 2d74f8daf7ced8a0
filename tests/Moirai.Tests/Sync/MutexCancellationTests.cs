namespace Moirai.Tests.Sync;

/// <summary>A wait that is given up takes nothing, leaves nothing, and keeps nobody from going on.</summary>
public sealed class MutexCancellationTests
{
    [Fact]
    public void S141_S153_a_canceled_waiter_leaves_the_queue_at_once_and_the_next_gets_the_mutex()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        world.Start(AsyncMutexTests.HoldUntil(mutex, gate));
        ManagedTask first = world.Start(AsyncMutexTests.LockOnce(mutex));
        ManagedTask second = world.Start(AsyncMutexTests.LockOnce(mutex));
        first.Cancel();
        mutex.Waiting.ShouldBe(1); // at once, before the canceled task has run
        mutex.CopyWaiters().ShouldBe([second]);
        world.Run();
        first.State.ShouldBe(TaskState.Canceled);
        second.State.ShouldBe(TaskState.Blocked);
        gate.Open();
        world.Run();
        second.State.ShouldBe(TaskState.Completed);
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S141_S149_a_waiter_that_is_canceled_on_its_way_has_the_mutex_when_it_is_free_and_its_next_wait_throws()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask? second = null;
        world.Start(async _ =>
        {
            using (await mutex.LockAsync())
            {
                await gate.WaitAsync();
            }

            second!.State.ShouldBe(TaskState.Ready);
            second.Cancel();
        });
        second = world.Start(async _ =>
        {
            using (await mutex.LockAsync())
            {
                world.Log("has it");
                await Future.Yield();
                world.Log("never");
            }
        });
        ManagedTask third = world.Start(AsyncMutexTests.LockOnce(mutex));
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["has it"]);
        second.State.ShouldBe(TaskState.Canceled);
        third.State.ShouldBe(TaskState.Completed);
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S141_S149_a_waiter_that_is_canceled_on_its_way_and_comes_in_vain_passes_its_place_on()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        var again = new Gate();
        ManagedTask? second = null;
        world.Start(async _ =>
        {
            using (await mutex.LockAsync())
            {
                await gate.WaitAsync();
            }

            using (await mutex.LockAsync())
            {
                second!.Cancel();
                await again.WaitAsync();
            }
        });
        second = world.Start(AsyncMutexTests.LockOnce(mutex));
        ManagedTask third = world.Start(AsyncMutexTests.LockOnce(mutex));
        gate.Open();
        world.Run();
        second.State.ShouldBe(TaskState.Canceled);
        third.State.ShouldBe(TaskState.Blocked);
        mutex.Waiting.ShouldBe(1);
        again.Open();
        world.Run();
        third.State.ShouldBe(TaskState.Completed);
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S149_a_mutex_that_is_kept_for_a_waiter_that_is_canceled_is_not_lost()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        ManagedTask? waiter = null;
        world.Spawn(async _ =>
        {
            for (int i = 0; i < 20; i++)
            {
                using (await mutex.LockAsync())
                {
                    await Future.Yield();
                }

                if (mutex.ToString().Contains("on its way to the next in line", StringComparison.Ordinal))
                {
                    world.Log("kept");
                    waiter!.Cancel();
                }
            }
        });
        waiter = world.Spawn(async _ =>
        {
            using (await mutex.LockAsync())
            {
                world.Log("has it");
                await Future.Yield();
            }
        });
        world.Run();
        world.Trace.ShouldBe(["kept", "has it"]);
        waiter.State.ShouldBe(TaskState.Canceled);
        mutex.IsLocked.ShouldBeFalse();
        world.Census.Completed.ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S153_twenty_thousand_canceled_waits_leave_the_queue_empty()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        MutexLease held = AsyncMutexTests.Take(mutex);
        for (int round = 0; round < 20; round++)
        {
            var tasks = new ManagedTask[1_000];
            for (int i = 0; i < tasks.Length; i++)
            {
                tasks[i] = world.Spawn(AsyncMutexTests.LockOnce(mutex));
            }

            world.Run();
            mutex.Waiting.ShouldBe(1_000);
            foreach (ManagedTask task in tasks)
            {
                task.Cancel();
            }

            mutex.Waiting.ShouldBe(0);
            world.Run();
        }

        world.Census.Canceled.ShouldBe(20_000);
        held.Dispose();
        mutex.ToString().ShouldBe("mutex 'cache', free (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_that_is_canceled_before_it_waits_does_not_wait()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        MutexLease held = AsyncMutexTests.Take(mutex);
        ManagedTask task = world.Start(async _ =>
        {
            ManagedTask.Current!.Cancel();
            (await mutex.LockAsync()).Dispose();
        });
        task.State.ShouldBe(TaskState.Canceled);
        mutex.Waiting.ShouldBe(0);
        held.Dispose();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_shielded_wait_goes_on()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        MutexLease held = AsyncMutexTests.Take(mutex);
        ManagedTask task = world.Start(async _ =>
        {
            using (ManagedTask.Shield())
            {
                using (await mutex.LockAsync())
                {
                    world.Log("has it");
                }
            }

            await Future.Yield();
        });
        task.Cancel();
        world.Run();
        mutex.Waiting.ShouldBe(1);
        held.Dispose();
        world.Run();
        world.Trace.ShouldBe(["has it"]);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task S141_a_token_ends_the_wait_of_plain_code()
    {
        var mutex = new AsyncMutex("cache");
        using var source = new CancellationTokenSource();
        MutexLease held = AsyncMutexTests.Take(mutex);
        Task waiter = TakeAsync(source.Token);
        Task next = TakeAsync(default);
        mutex.Waiting.ShouldBe(2);
        await source.CancelAsync();
        mutex.Waiting.ShouldBe(1);
        var error = (await Record.ExceptionAsync(() => waiter)).ShouldBeOfType<OperationCanceledException>();
        error.CancellationToken.ShouldBe(source.Token);
        error.Message.ShouldContain("The wait for mutex 'cache', held by plain code (1 waiting) was given up");
        waiter.IsCanceled.ShouldBeTrue();
        held.Dispose();
        await next;
        mutex.IsLocked.ShouldBeFalse();

        // A token that is canceled already takes nothing, even if it could.
        await Should.ThrowAsync<OperationCanceledException>(TakeAsync(source.Token));
        mutex.IsLocked.ShouldBeFalse();

        async Task TakeAsync(CancellationToken token) => (await mutex.LockAsync(token)).Dispose();
    }

    [Fact]
    public void S141_a_token_ends_the_wait_of_plain_code_that_was_on_its_way()
    {
        var context = new Posted();
        var mutex = new AsyncMutex("cache");
        using var source = new CancellationTokenSource();
        MutexLease held = AsyncMutexTests.Take(mutex);
        Task waiter = context.Run(() => TakeAsync(source.Token));
        Task next = context.Run(() => TakeAsync(default));
        held.Dispose(); // the first is on its way …
        held = TakeOver(mutex);
        source.Cancel(); // … where the token finds nothing to claim
        context.Drain();
        waiter.IsCanceled.ShouldBeTrue();
        next.IsCompleted.ShouldBeFalse();
        mutex.Waiting.ShouldBe(1);
        held.Dispose();
        context.Drain();
        next.IsCompletedSuccessfully.ShouldBeTrue();
        mutex.IsLocked.ShouldBeFalse();

        async Task TakeAsync(CancellationToken token) => (await mutex.LockAsync(token)).Dispose();
    }

    [Fact]
    public void S141_a_token_ends_one_wait_of_a_task_and_not_the_task()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        using var source = new CancellationTokenSource();
        MutexLease held = AsyncMutexTests.Take(mutex);
        ManagedTask task = world.Start(async _ =>
        {
            try
            {
                (await mutex.LockAsync(source.Token)).Dispose();
            }
            catch (OperationCanceledException error) when (error.GetType() == typeof(OperationCanceledException))
            {
                error.CancellationToken.ShouldBe(source.Token);
                world.Log("given up");
            }

            await Future.Yield();
        });
        mutex.Waiting.ShouldBe(1);
        world.Census.Waiters.ShouldBe(1);
        task.DescribeWait().ShouldContain("mutex 'cache'");
        source.Cancel();
        mutex.Waiting.ShouldBe(0);
        world.Run();
        world.Trace.ShouldBe(["given up"]);
        task.State.ShouldBe(TaskState.Completed);
        held.Dispose();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S141_a_token_ends_the_wait_of_a_task_that_was_on_its_way()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        using var source = new CancellationTokenSource();
        MutexLease held = AsyncMutexTests.Take(mutex);
        ManagedTask task = world.Start(async _ => (await mutex.LockAsync(source.Token)).Dispose());
        ManagedTask next = world.Start(AsyncMutexTests.LockOnce(mutex));
        held.Dispose();
        held = TakeOver(mutex);
        source.Cancel();
        task.State.ShouldBe(TaskState.Ready);
        world.Run();
        task.State.ShouldBe(TaskState.Failed); // a cancellation that came from elsewhere
        next.State.ShouldBe(TaskState.Blocked);
        held.Dispose();
        world.Run();
        next.State.ShouldBe(TaskState.Completed);
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_that_waits_with_a_token_is_canceled_like_any_other_and_a_late_token_does_nothing()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        using var source = new CancellationTokenSource();
        MutexLease held = AsyncMutexTests.Take(mutex);
        ManagedTask canceled = world.Start(async _ => (await mutex.LockAsync(source.Token)).Dispose());
        ManagedTask lucky = world.Start(async _ =>
        {
            (await mutex.LockAsync(source.Token)).Dispose();
            await gate.WaitAsync();
        });
        canceled.Cancel();
        world.Run();
        canceled.State.ShouldBe(TaskState.Canceled);
        held.Dispose();
        world.Run();
        lucky.State.ShouldBe(TaskState.Blocked);
        source.Cancel();
        world.Run();
        lucky.State.ShouldBe(TaskState.Blocked);
        gate.Open();
        world.Run();
        lucky.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    // As a barging task does: it is free, although somebody is on the way.
    private static MutexLease TakeOver(AsyncMutex mutex)
    {
        LeaseAwaitable<MutexLease>.Awaiter awaiter = mutex.LockAsync().GetAwaiter();
        awaiter.IsCompleted.ShouldBeTrue();
        return awaiter.GetResult();
    }
}
