namespace Moirai.Tests.Scopes;

/// <summary>A pool that is canceled stops what runs, refuses who waits, and takes nothing new.</summary>
public sealed class PoolCancelTests
{
    private readonly World _world = new();

    [Fact]
    public void C1_C4_a_canceled_pool_stops_its_tasks_refuses_who_waits_and_takes_no_more()
    {
        TaskPool pool = _world.Runtime.CreatePool("pool", 1);
        pool.TrySpawn(static _ => SleepAsync(), out ManagedTask? running).ShouldBeTrue();
        ManagedTask waiting = _world.Start(async _ => await pool.SpawnAsync(static _ => SleepAsync()));
        pool.WaitingCount.ShouldBe(1);

        pool.Cancel("enough").ShouldBeTrue();
        _world.Run();

        running!.State.ShouldBe(TaskState.Canceled);
        running.CancelCause!.Reason.ShouldBe("enough");
        waiting.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain("takes no work any more");
        pool.ActiveCount.ShouldBe(0);
        Should.Throw<InvalidOperationException>(() => pool.TrySpawn(static _ => SleepAsync(), out _)).Message.ShouldContain("'pool'");
        ManagedTask late = _world.Start(async _ => await pool.SpawnAsync(static _ => SleepAsync()));
        late.Exception.ShouldBeOfType<InvalidOperationException>();
        pool.Cancel().ShouldBeFalse("the first cause stays");
        pool.Counts.Created.ShouldBe(1);

        _world.Run(pool.DisposeAsync());
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C1_a_task_that_takes_its_time_to_stop_keeps_its_slot_until_it_has_ended()
    {
        TaskPool pool = _world.Runtime.CreatePool("pool", 1);
        pool.TrySpawn(static _ => StubbornAsync(), out ManagedTask? stubborn).ShouldBeTrue();
        _world.Run();

        pool.Cancel();
        _world.Run();
        pool.ActiveCount.ShouldBe(1);

        _world.Advance(1);
        stubborn!.State.ShouldBe(TaskState.Canceled);
        pool.ActiveCount.ShouldBe(0);
        _world.Run(pool.DrainAsync());
        _world.ShouldBeEmpty();
    }

    private static async Future SleepAsync() => await Future.Delay(TimeSpan.FromHours(1));

    private static async Future StubbornAsync()
    {
        try
        {
            await SleepAsync();
        }
        finally
        {
            using CancelShield shield = ManagedTask.Shield();
            await Future.Delay(TimeSpan.FromSeconds(1));
        }
    }
}
