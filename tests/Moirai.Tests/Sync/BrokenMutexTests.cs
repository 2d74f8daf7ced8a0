using Moirai.Execution;

namespace Moirai.Tests.Sync;

/// <summary>A holder that ends without releasing breaks the mutex for everybody else, and is named.</summary>
public sealed class BrokenMutexTests
{
    [Theory]
    [InlineData("completed")]
    [InlineData("failed")]
    [InlineData("was canceled")]
    public void S151_those_who_wait_and_those_who_come_are_told_who_broke_it(string end)
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask holder = world.Start(
            async _ =>
            {
                await mutex.LockAsync();
                await gate.WaitAsync();
                if (end == "failed")
                {
                    throw new FormatException("as planned");
                }
            },
            "writer");
        ManagedTask waiter = world.Start(AsyncMutexTests.LockOnce(mutex));
        Task plain = PlainAsync(mutex);
        if (end == "was canceled")
        {
            holder.Cancel();
        }

        gate.Open();
        world.Run();
        var error = waiter.Exception.ShouldBeOfType<BrokenSynchronizationException>();
        error.Message.ShouldStartWith($"Mutex 'cache' is broken: {holder.Id} 'writer' {end} without giving it back");
        error.Message.ShouldContain("Give back with a using block");
        (error.Primitive, error.Holder, error.HolderName).ShouldBe(("cache", holder.Id, "writer"));
        world.Fails<BrokenSynchronizationException>(TakeAsync(mutex)).Holder.ShouldBe(holder.Id);
        Should.Throw<BrokenSynchronizationException>(() => mutex.TryLock(out MutexLease _));
        Should.Throw<BrokenSynchronizationException>(plain.GetAwaiter().GetResult);
        mutex.Waiting.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S151_also_when_it_ends_in_the_step_in_which_it_took_it() => HoldersThatEnd(static _ => { });

    [Fact]
    public void S151_twin_an_end_that_does_not_know_what_the_task_holds_is_caught() =>
        Should.Throw<ShouldAssertException>(() => HoldersThatEnd(static context => context.ForgetHolds()));

    [Fact]
    public void S151_all_that_a_task_holds_breaks_and_what_it_has_released_does_not()
    {
        var world = new World();
        AsyncMutex[] mutexes = [.. Enumerable.Range(0, 40).Select(i => new AsyncMutex($"m{i}"))];
        world.Start(async _ =>
        {
            var leases = new MutexLease[40];
            for (int i = 0; i < 40; i++)
            {
                leases[i] = await mutexes[i].LockAsync();
                if (i == 20)
                {
                    await Future.Yield();
                }
            }

            for (int i = 0; i < 40; i += 3)
            {
                leases[i].Dispose();
            }

            await Future.Yield();
            for (int i = 1; i < 40; i += 3)
            {
                leases[i].Dispose();
            }
        });
        for (int i = 0; i < 40; i++)
        {
            mutexes[i].IsClosed.ShouldBe(i % 3 == 2, $"{mutexes[i]}");
        }

        world.ShouldBeEmpty();
    }

    [Fact]
    public void S151_whoever_has_the_lease_may_release_for_the_holder()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        ManagedTask holder = world.Start(async _ =>
        {
            MutexLease lease = await mutex.LockAsync();
            ManagedTask helper = world.Spawn(async _ =>
            {
                await Future.Yield();
                lease.Dispose();
            });
            await helper;
        });
        holder.State.ShouldBe(TaskState.Completed);
        mutex.TryLock(out MutexLease lease).ShouldBeTrue();
        lease.Dispose();

        ManagedTask withPlainHelp = world.Start(async _ =>
        {
            MutexLease taken = await mutex.LockAsync();
            await Task.Run(taken.Dispose);
        });
        world.Executor.RunUntil(withPlainHelp, TestContext.Current.CancellationToken);
        mutex.TryLock(out MutexLease _).ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S151_the_mutex_goes_from_holder_to_holder_and_the_last_one_answers_for_it()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        world.Start(AsyncMutexTests.HoldUntil(mutex, gate), "first");
        ManagedTask second = world.Start(async _ => await mutex.LockAsync(), "second");
        ManagedTask third = world.Start(AsyncMutexTests.LockOnce(mutex), "third");
        gate.Open();
        world.Run();
        second.State.ShouldBe(TaskState.Completed);
        third.Exception.ShouldBeOfType<BrokenSynchronizationException>().Holder.ShouldBe(second.Id);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Plain_code_that_asks_without_a_name_breaks_nothing_of_the_task_that_continues_it()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var source = new TaskCompletionSource();
        var end = new TaskCompletionSource();
        Task plain = HoldAsync();
        world.Start(async _ =>
        {
            await Future.Yield();
            source.SetResult(); // the plain code goes on here, inside this step
            mutex.IsLocked.ShouldBeTrue();
        });
        mutex.IsClosed.ShouldBeFalse();
        end.SetResult();
        plain.IsCompletedSuccessfully.ShouldBeTrue();
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();

        async Task HoldAsync()
        {
            await source.Task;
            using (await mutex.LockAsync(TestContext.Current.CancellationToken))
            {
                await end.Task;
            }
        }
    }

    [Fact]
    public void A_broken_mutex_keeps_nothing_of_who_broke_it()
    {
        var mutex = new AsyncMutex("cache");
        Garbage.ShouldBeGone(Break(mutex));
        mutex.IsClosed.ShouldBeTrue();

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static WeakReference Break(AsyncMutex mutex)
        {
            var world = new World();
            ManagedTask task = world.Start(async _ => await mutex.LockAsync());
            mutex.IsClosed.ShouldBeTrue();
            return new WeakReference(task);
        }
    }

    private static void HoldersThatEnd(Action<StepContext> plant)
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        ManagedTask holder = world.Spawn(
            async _ =>
            {
                await mutex.LockAsync();
                plant(StepContext.Current);
            },
            "hasty");
        ManagedTask waiter = world.Spawn(AsyncMutexTests.LockOnce(mutex));
        world.Run();
        waiter.IsEnded.ShouldBeTrue();
        waiter.Exception.ShouldBeOfType<BrokenSynchronizationException>().Holder.ShouldBe(holder.Id);
        world.ShouldBeEmpty();
    }

    private static async Future TakeAsync(AsyncMutex mutex) => (await mutex.LockAsync()).Dispose();

    private static async Task PlainAsync(AsyncMutex mutex) => (await mutex.LockAsync()).Dispose();
}
