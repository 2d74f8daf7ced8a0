namespace Moirai.Tests.Futures;

/// <summary>A delay of zero has nothing to do with time: it goes on at once, and when it gives way it does so through the ready queue.</summary>
public sealed class ZeroDelayTests
{
    private const int Many = 1_000;

    // As many waits as a step may pass without giving way.
    private const int Turns = 64;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_zero_delay_gives_way_behind_all_that_is_ready_and_needs_no_timer(bool frozen)
    {
        var world = frozen ? FrozenWorld(out _) : new World();
        int passed = 0;
        List<int> seen = [];
        ManagedTask delays = world.Spawn(async _ =>
        {
            while (passed < Many)
            {
                await Future.Delay(TimeSpan.Zero);
                passed++;
            }
        });
        ManagedTask[] others = [.. Enumerable.Range(0, 3).Select(i => world.Spawn(async _ =>
        {
            while (passed < Many)
            {
                seen.Add(passed);
                await Future.Yield();
            }
        }))];
        world.Run();

        delays.State.ShouldBe(TaskState.Completed);
        others.ShouldAllBe(static other => other.State == TaskState.Completed);
        seen.Distinct().ShouldBe(Enumerable.Range(1, (Many - 1) / Turns + 1).Select(static turn => (turn * Turns) - 1).Where(static n => n < Many));
        seen.GroupBy(static n => n).ShouldAllBe(static turn => turn.Count() == 3); // each of the others ran each time, and once
        world.Runtime.Engine.Timers.Fired.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_zero_delay_asks_a_clock_that_stands_still_for_nothing_and_can_be_canceled()
    {
        World world = FrozenWorld(out FrozenClock clock);
        ManagedTask delays = world.Spawn(static async _ =>
        {
            while (true)
            {
                await Future.Delay(TimeSpan.Zero);
            }
        });
        _ = world.Spawn(async _ =>
        {
            await Future.Yield();
            delays.Cancel("enough");
        });
        world.Run();

        delays.State.ShouldBe(TaskState.Canceled);
        clock.TimersMade.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Plain_code_inside_a_step_gives_way_with_a_zero_delay_although_its_runtimes_clock_stands_still()
    {
        World world = FrozenWorld(out FrozenClock clock);
        int passed = 0;
        ManagedTask task = world.Runtime.SpawnDetached(_ => PlainAsync());
        using var failsafe = new CancellationTokenSource(TimeSpan.FromSeconds(20), TimeProvider.System);
        world.Executor.RunUntil(task, failsafe.Token);

        task.State.ShouldBe(TaskState.Completed);
        passed.ShouldBe(Many);
        clock.TimersMade.ShouldBe(0);
        world.ShouldBeEmpty();

        async Task PlainAsync()
        {
            while (passed < Many)
            {
                await Future.Delay(TimeSpan.Zero);
                passed++;
            }
        }
    }

    [Fact]
    public void The_twin_a_delay_that_is_not_zero_waits_for_the_clock_that_stands_still()
    {
        World world = FrozenWorld(out FrozenClock clock);
        ManagedTask task = world.Start(static async _ => await Future.Delay(TimeSpan.FromTicks(1)));
        task.State.ShouldBe(TaskState.Blocked);
        clock.TimersMade.ShouldBe(1);
        task.Cancel();
        world.ShouldBeEmpty();
    }

    private static World FrozenWorld(out FrozenClock clock)
    {
        FrozenClock frozen = clock = new FrozenClock();
        return new World(options => options.TimeProvider = frozen);
    }

    /// <summary>Shows one time for ever; its timers never fire.</summary>
    private sealed class FrozenClock : TimeProvider
    {
        public int TimersMade { get; private set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => 1;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            TimersMade++;
            return new NeverFires();
        }

        private sealed class NeverFires : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
