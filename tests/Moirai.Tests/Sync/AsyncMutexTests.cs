namespace Moirai.Tests.Sync;

/// <summary>One at a time: who has it, who is next, and what becomes of it.</summary>
public sealed class AsyncMutexTests
{
    [Fact]
    public void One_at_a_time_and_first_come_first_served()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask holder = world.Start(async _ =>
        {
            using (await mutex.LockAsync())
            {
                await gate.WaitAsync();
            }
        });
        for (int i = 0; i < 3; i++)
        {
            int me = i;
            world.Start(async _ =>
            {
                using (await mutex.LockAsync())
                {
                    world.Log($"{me} in");
                    await Future.Yield();
                    world.Log($"{me} out");
                }
            });
        }

        mutex.IsLocked.ShouldBeTrue();
        mutex.Waiting.ShouldBe(3);
        world.Census.Waiters.ShouldBe(3);
        mutex.ToString().ShouldBe($"mutex 'cache', held by {holder.Id} 'task' (3 waiting)");
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["0 in", "0 out", "1 in", "1 out", "2 in", "2 out"]);
        mutex.IsLocked.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_waits_and_gets_it()
    {
        var mutex = new AsyncMutex("cache");
        MutexLease first = await mutex.LockAsync();
        Task<int> second = AddAsync();
        mutex.Waiting.ShouldBe(1);
        second.IsCompleted.ShouldBeFalse();
        first.Dispose();
        (await second).ShouldBe(1);
        mutex.IsLocked.ShouldBeFalse();

        async Task<int> AddAsync()
        {
            using (await mutex.LockAsync())
            {
                return 1;
            }
        }
    }

    [Fact]
    public void S151_a_holder_that_ends_without_releasing_breaks_it_for_those_who_wait_and_those_who_come()
    {
        var world = new World();
        var mutex = new AsyncMutex("cache");
        var gate = new Gate();
        ManagedTask holder = world.Start(
            async _ =>
            {
                await mutex.LockAsync();
                await gate.WaitAsync();
            },
            "writer");
        ManagedTask waiter = world.Start(async _ => (await mutex.LockAsync()).Dispose());
        gate.Open();
        world.Run();
        holder.State.ShouldBe(TaskState.Completed);
        var error = waiter.Exception.ShouldBeOfType<BrokenSynchronizationException>();
        error.Message.ShouldContain($"mutex 'cache' is broken: {holder.Id} 'writer' completed", Case.Insensitive);
        error.Holder.ShouldBe(holder.Id);
        world.Fails<BrokenSynchronizationException>(LockAsync(mutex));
        Should.Throw<BrokenSynchronizationException>(() => mutex.TryLock(out _));
    }

    private static async Future LockAsync(AsyncMutex mutex) => (await mutex.LockAsync()).Dispose();
}
