namespace Moirai.Tests.Sync;

/// <summary>What must not be done with a mutex, and what is said then: who holds it, and what to do.</summary>
public sealed class MutexBadInputTests
{
    [Fact]
    public void Releasing_what_nobody_has_says_so()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        Should.Throw<SynchronizationLockException>(mutex.Unlock).Message.ShouldStartWith("Plain code wants to release mutex 'cache', free (0 waiting), and does not hold it. Release once");
        ManagedTask task = world.Start(
            async _ =>
            {
                await Future.Yield();
                mutex.Unlock();
            },
            "confused");
        task.Exception.ShouldBeOfType<SynchronizationLockException>().Message.ShouldStartWith($"{task.Id} 'confused' wants to release mutex 'cache', free");
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Releasing_what_another_task_has_names_it_and_releases_nothing()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask holder = world.Start(AsyncMutexTests.HoldUntil(mutex, gate), "holder");
        ManagedTask other = world.Start(
            async _ =>
            {
                await Future.Yield();
                mutex.Unlock();
            },
            "other");
        string message = other.Exception.ShouldBeOfType<SynchronizationLockException>().Message;
        message.ShouldContain($"{other.Id} 'other' wants to release mutex 'cache', held by {holder.Id} 'holder'");
        message.ShouldContain("hand them the lease");
        Should.Throw<SynchronizationLockException>(mutex.Unlock).Message.ShouldContain($"held by {holder.Id} 'holder'");
        mutex.IsLocked.ShouldBeTrue();
        gate.Open();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_task_that_took_it_may_release_it_without_the_lease()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        world.Run(TakeAndUnlockAsync());
        mutex.IsLocked.ShouldBeFalse();
        _ = AsyncMutexTests.Take(mutex);
        mutex.Unlock();
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();

        async Future TakeAndUnlockAsync()
        {
            await mutex.LockAsync();
            await Future.Yield();
            mutex.Unlock();
        }
    }

    [Fact]
    public void A_task_that_asks_for_what_it_holds_is_told_instead_of_waiting_for_itself()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        ManagedTask task = world.Start(
            async _ =>
            {
                using (await mutex.LockAsync())
                {
                    mutex.TryLock(out MutexLease _).ShouldBeFalse();
                    try
                    {
                        await AgainAsync();
                    }
                    catch (LockRecursionException error)
                    {
                        world.Log(error.Message);
                    }
                }

                (await mutex.LockAsync()).Dispose();
            },
            "twice");
        task.State.ShouldBe(TaskState.Completed);
        world.Trace.ShouldHaveSingleItem().ShouldStartWith($"{task.Id} 'twice' holds mutex 'cache' and asks for it again");
        ManagedTask direct = world.Start(
            async _ =>
            {
                using (await mutex.LockAsync())
                {
                    (await mutex.LockAsync()).Dispose();
                }
            },
            "direct");
        direct.Exception.ShouldBeOfType<LockRecursionException>().Message.ShouldStartWith($"{direct.Id} 'direct' holds mutex 'cache'");
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();

        async Future AgainAsync() => (await mutex.LockAsync()).Dispose();
    }

    [Fact]
    public void A_lease_releases_once_and_a_copy_of_it_releases_nothing_of_somebody_else()
    {
        var mutex = new AsyncMutex("cache");
        default(MutexLease).Dispose();
        MutexLease first = AsyncMutexTests.Take(mutex);
        MutexLease copy = first;
        first.Dispose();
        first.Dispose();
        mutex.IsLocked.ShouldBeFalse();
        MutexLease second = AsyncMutexTests.Take(mutex);
        copy.Dispose();
        mutex.IsLocked.ShouldBeTrue();
        (copy == first).ShouldBeTrue();
        (copy != second).ShouldBeTrue();
        second.Dispose();
        mutex.IsLocked.ShouldBeFalse();
    }

    [Fact]
    public async Task Copies_of_a_lease_disposed_at_once_release_once()
    {
        var mutex = new AsyncMutex("cache");
        using var both = new Barrier(2);
        for (int i = 0; i < 2_000; i++)
        {
            MutexLease lease = AsyncMutexTests.Take(mutex);
            Task<bool> waiter = (i & 1) == 0 ? Task.FromResult(true) : HasItAloneAsync();
            Task other = Task.Run(Release);
            Release();
            await other;
            (await waiter).ShouldBeTrue();
            mutex.IsLocked.ShouldBeFalse();

            void Release()
            {
                both.SignalAndWait(TestContext.Current.CancellationToken);
                lease.Dispose();
            }
        }

        async Task<bool> HasItAloneAsync()
        {
            using (await mutex.LockAsync())
            {
                await Task.Yield();
                return mutex.IsLocked && !mutex.TryLock(out MutexLease _);
            }
        }
    }

    [Fact]
    public void Nobody_gets_a_disposed_mutex()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        mutex.Dispose();
        mutex.Dispose();
        ObjectDisposedException error = world.Fails<ObjectDisposedException>(TakeAsync());
        error.ObjectName.ShouldBe("mutex 'cache'");
        error.Message.ShouldContain("Mutex 'cache' has been disposed");
        error.Message.ShouldContain("Let those who use it end before you dispose it");
        Should.Throw<ObjectDisposedException>(() => mutex.TryLock(out MutexLease _));
        mutex.ToString().ShouldBe("mutex 'cache', closed (0 waiting)");
        world.ShouldBeEmpty();

        async Future TakeAsync() => (await mutex.LockAsync()).Dispose();
    }

    [Fact]
    public async Task Plain_code_gets_the_same_errors()
    {
        var mutex = new AsyncMutex("cache");
        MutexLease first = AsyncMutexTests.Take(mutex);
        Task waiter = TakeAsync();
        mutex.Dispose();
        await Should.ThrowAsync<ObjectDisposedException>(waiter);
        await Should.ThrowAsync<ObjectDisposedException>(TakeAsync());
        first.Dispose();
        mutex.IsLocked.ShouldBeFalse();

        async Task TakeAsync() => (await mutex.LockAsync()).Dispose();
    }

    [Fact]
    public void Who_holds_a_mutex_that_is_disposed_may_go_on_and_release()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask holder = world.Start(AsyncMutexTests.HoldUntil(mutex, gate), "holder");
        mutex.Dispose();
        gate.Open();
        world.Run();
        holder.State.ShouldBe(TaskState.Completed);
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_mutex_has_a_name() => Should.Throw<ArgumentNullException>(() => new AsyncMutex(null!));

    [Fact]
    public void A_result_that_is_taken_before_the_wait_has_ended_is_refused()
    {
        var mutex = new AsyncMutex("cache");
        MutexLease first = AsyncMutexTests.Take(mutex);
        LeaseAwaitable<MutexLease>.Awaiter awaiter = mutex.LockAsync().GetAwaiter();
        awaiter.IsCompleted.ShouldBeFalse();
        Should.Throw<InvalidOperationException>(() => awaiter.GetResult()).Message.ShouldContain("has not ended");
        Should.Throw<InvalidOperationException>(() => mutex.LockAsync().GetAwaiter().GetResult());
        mutex.Waiting.ShouldBe(0);
        first.Dispose();
    }
}
