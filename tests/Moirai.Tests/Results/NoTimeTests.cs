namespace Moirai.Tests.Results;

/// <summary>A timeout of zero looks once. However often one asks: luck that has lasted too long is no reason to be late.</summary>
public sealed class NoTimeTests
{
    private const int Often = 300;

    private readonly World _world = new();

    [Fact]
    public void S105_a_pool_with_free_slots_admits_every_spawn_that_has_no_time()
    {
        TaskPool pool = _world.Runtime.CreatePool("pool", Often);
        Count(async () =>
        {
            ManagedTask task = await pool.SpawnAsync(static async _ => await Future.Delay(TimeSpan.FromHours(1))).WithTimeout(TimeSpan.Zero);
            task.Cancel();
        }).ShouldBe(Often);
        _world.Run(pool.DisposeAsync());
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void S105_a_task_that_has_ended_an_uncontended_lock_and_no_delay_need_no_time()
    {
        ManagedTask<int> ended = _world.Spawn(static async _ => await Future.FromResult(1));
        _world.Run();
        using var mutex = new AsyncMutex("mutex");
        Count(async () =>
        {
            (await JoinAsync(ended).WithTimeout(TimeSpan.Zero)).ShouldBe(1);
            await TakeAsync(mutex).WithTimeout(TimeSpan.Zero);
            await Future.Delay(TimeSpan.Zero).WithTimeout(TimeSpan.Zero);
        }).ShouldBe(Often);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void S105_who_has_no_time_and_is_canceled_while_others_have_their_turn_is_canceled()
    {
        int done = 0;
        ManagedTask task = _world.Spawn(async _ =>
        {
            while (true)
            {
                await Future.Delay(TimeSpan.Zero).WithTimeout(TimeSpan.Zero);
                done++;
                if (done == 1_000)
                {
                    ManagedTask.Current!.Cancel();
                }
            }
        });
        _world.Run();

        task.State.ShouldBe(TaskState.Canceled);
        done.ShouldBeLessThan(1_100);
        _world.ShouldBeEmpty();
    }

    private int Count(Func<Future> once)
    {
        int done = 0;
        _world.Run(LoopAsync());
        return done;

        async Future LoopAsync()
        {
            for (int i = 0; i < Often; i++)
            {
                try
                {
                    await once();
                    done++;
                }
                catch (TaskTimeoutException)
                {
                    // counted by what is missing
                }
            }
        }
    }

    private static async Future<int> JoinAsync(ManagedTask<int> task) => await task;

    private static async Future TakeAsync(AsyncMutex mutex)
    {
        using (await mutex.LockAsync())
        {
            // held for a moment
        }
    }
}
