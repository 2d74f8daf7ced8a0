namespace Moirai.Tests.Execution;

/// <summary>A task whose waits never have to suspend gives way to others now and then.</summary>
public class GivingWayTests
{
    private const int Many = 1_000;

    [Fact]
    public void S037_A_task_that_awaits_a_thousand_ended_tasks_gives_way_in_between_and_loses_none()
    {
        var world = new World();
        ManagedTask<int>[] ended = [.. Enumerable.Range(0, Many).Select(i => world.Spawn(async _ => { await Future.Yield(); return i; }))];
        world.Run();

        int sum = 0;
        int sumWhenTheOtherRan = -1;
        world.Spawn(async _ =>
        {
            foreach (ManagedTask<int> task in ended)
            {
                sum += await task;
            }
        });
        world.Spawn(async _ =>
        {
            sumWhenTheOtherRan = sum;
            await Future.Yield();
        });
        world.Run();

        sum.ShouldBe(Many * (Many - 1) / 2);
        sumWhenTheOtherRan.ShouldBeLessThan(sum, "the reader held the thread to its end");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S037_A_spawner_that_always_finds_a_slot_lets_what_it_spawned_run_before_it_is_done()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("pool", Many);
        int begun = 0;
        int begunWhenAllWereSpawned = -1;
        world.Spawn(async _ =>
        {
            for (int i = 0; i < Many; i++)
            {
                await pool.SpawnAsync(async _ =>
                {
                    begun++;
                    await Future.Yield();
                });
            }

            begunWhenAllWereSpawned = begun;
        });
        world.Run();

        begunWhenAllWereSpawned.ShouldBeGreaterThan(Many / 2);
        begun.ShouldBe(Many);
        pool.Counts.ShouldBe(new PoolCounts(Many, 0, Many, 0, 0));
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_that_gives_way_with_a_slot_in_its_hand_keeps_it_and_can_be_canceled_like_any_other()
    {
        var world = new World();
        var slots = new TaskSlotManager(Many);
        int taken = 0;
        ManagedTask spawner = world.Spawn(async _ =>
        {
            while (true)
            {
                SlotLease lease = await slots.AcquireAsync();
                taken++;
                lease.Dispose();
            }
        });
        ManagedTask canceller = world.Spawn(async _ =>
        {
            spawner.Cancel("enough");
            await Future.Yield();
        });
        world.Run();

        canceller.State.ShouldBe(TaskState.Completed);
        spawner.State.ShouldBe(TaskState.Canceled);
        taken.ShouldBeGreaterThan(0);
        slots.InUse.ShouldBe(0, "a slot that was taken while the task gave way was lost");
    }
}
