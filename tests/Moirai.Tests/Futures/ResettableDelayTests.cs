namespace Moirai.Tests.Futures;

/// <summary>S111: a delay that is moved before it is over, after, and after a wait that was done; and delays until an instant.</summary>
public sealed class ResettableDelayTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(10, 5, 25, 30)]
    [InlineData(10, 5, 2, 7)]
    [InlineData(10, 5, 0, 5)]
    [InlineData(10, 5, 5, 10)]
    public void S111_a_delay_that_is_reset_while_somebody_waits_ends_at_its_new_time(double delay, double at, double to, double end)
    {
        var world = new World();
        ResettableDelay? sleep = null;
        ManagedTask task = world.Start(async ct =>
        {
            sleep = new ResettableDelay(TimeSpan.FromSeconds(delay));
            await sleep;
            world.Log($"{world.Time.Elapsed.TotalSeconds}");
        });
        world.Pass(at);
        sleep!.Reset(TimeSpan.FromSeconds(to));
        world.Run();
        if (to > 0)
        {
            world.Pass(to - 0.001);
            task.State.ShouldBe(TaskState.Blocked);
            world.Timers.ShouldBe(1);
            world.Pass(0.001);
        }

        world.Trace.ShouldBe([$"{end}"]);
        sleep.IsElapsed.ShouldBeTrue();
        world.Pass(100);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S111_a_delay_that_is_over_and_is_reset_is_pending_again()
    {
        var world = new World();
        ResettableDelay? sleep = null;
        ManagedTask task = world.Start(async ct =>
        {
            sleep = new ResettableDelay(Second);
            for (int i = 0; i < 3; i++)
            {
                await sleep;
                world.Log($"{world.Time.Elapsed.TotalSeconds}");
                sleep.Reset(2 * Second);
                sleep.IsElapsed.ShouldBeFalse();
            }
        });
        world.Pass(10);
        world.Trace.ShouldBe(["1", "3", "5"]);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S111_a_reset_after_the_time_and_before_the_waiter_runs_lets_it_go_and_counts_for_the_next_wait()
    {
        var world = new World();
        ResettableDelay? sleep = null;
        ManagedTask task = world.Start(async ct =>
        {
            sleep = new ResettableDelay(Second);
            await sleep;
            world.Log($"{world.Time.Elapsed.TotalSeconds}");
            await sleep;
            world.Log($"{world.Time.Elapsed.TotalSeconds}");
        });
        world.Time.Advance(Second);
        sleep!.Reset(3 * Second);
        world.Run();
        world.Trace.ShouldBe(["1"]);
        world.Pass(3);
        world.Trace.ShouldBe(["1", "4"]);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S111_one_that_nobody_awaits_holds_no_entry_and_needs_no_disposal()
    {
        var world = new World();
        _ = world.Start(async ct =>
        {
            var sleep = new ResettableDelay(Second);
            sleep.Reset(5 * Second);
            sleep.Reset(Timeout.InfiniteTimeSpan);
            sleep.IsElapsed.ShouldBeFalse();
            world.Timers.ShouldBe(0);
            await Future.Yield();
        });
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A4_a_reset_never_touches_a_waiter_that_has_moved_on_to_another_wait() => LeavesOtherWaitsAlone(static (_, _) => { });

    [Fact]
    public void A4_twin_a_reset_that_moves_the_waiter_wherever_it_waits_is_caught() =>
        Should.Throw<ShouldAssertException>(() => LeavesOtherWaitsAlone(static (world, task) => world.Runtime.Engine.Timers.Move(task.Leaf!, due: 0)));

    private static void LeavesOtherWaitsAlone(Action<World, ManagedTask> plant)
    {
        var world = new World();
        ResettableDelay? sleep = null;
        ManagedTask task = world.Start(async ct =>
        {
            sleep = new ResettableDelay(Second);
            await sleep;
            world.Log($"{world.Time.Elapsed.TotalSeconds}");
            await Future.Delay(100 * Second);
            world.Log($"{world.Time.Elapsed.TotalSeconds}");
        });
        world.Pass(1);
        sleep!.Reset(Second); // the same frame waits in the same queue, for something else
        sleep.Reset(TimeSpan.Zero);
        plant(world, task);
        world.Runtime.Engine.Timers.Plan();
        world.Pass(50);
        world.Trace.ShouldBe(["1"]);
        world.Pass(50);
        world.Trace.ShouldBe(["1", "101"]);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_canceled_wait_leaves_no_entry_and_the_delay_serves_the_next_one()
    {
        var world = new World();
        ResettableDelay? sleep = null;
        ManagedTask canceled = world.Start(async ct =>
        {
            sleep = new ResettableDelay(10 * Second);
            await sleep;
        });
        canceled.Cancel();
        world.Timers.ShouldBe(0); // at once: who cancels takes the entry out
        ManagedTask next = world.Start(async ct => await sleep!);
        world.Timers.ShouldBe(1);
        world.Fails<InvalidOperationException>(AwaitAsync(sleep!)).Message.ShouldContain("One waiter at a time");
        sleep!.Reset(Second);
        world.Pass(1);
        next.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();

        static async Future AwaitAsync(ResettableDelay sleep) => await sleep;
    }

    [Fact]
    public void S105_negative_delays_are_refused_with_who_asked()
    {
        var world = new World();
        world.Fails<ArgumentOutOfRangeException>(Make(-Second)).Message.ShouldContain("negative delay");
        world.Fails<ArgumentOutOfRangeException>(Make(TimeSpan.MinValue)).ParamName.ShouldBe("delay");
        Should.Throw<ArgumentOutOfRangeException>(() => new ResettableDelay(Second).Reset(-Second)).ParamName.ShouldBe("delay");

        static async Future Make(TimeSpan delay)
        {
            await Future.Yield();
            _ = new ResettableDelay(delay);
        }
    }

    [Fact]
    public void S107_the_longest_delays_do_not_overflow_when_they_are_set_and_moved()
    {
        var world = new World();
        ResettableDelay? sleep = null;
        ManagedTask task = world.Start(async ct =>
        {
            sleep = new ResettableDelay(TimeSpan.MaxValue);
            await sleep;
        });
        world.Pass(1_000_000);
        sleep!.Reset(TimeSpan.MaxValue - Second);
        sleep.Reset(TimeSpan.FromDays(3653));
        world.Time.Advance(TimeSpan.FromDays(3653) - TimeSpan.FromTicks(1));
        world.Run();
        task.State.ShouldBe(TaskState.Blocked);
        world.Time.Advance(TimeSpan.FromTicks(1));
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task S111_plain_code_may_await_it_and_be_moved()
    {
        var sleep = new ResettableDelay(TimeSpan.FromHours(1));
        Task waits = WaitAsync(sleep);
        sleep.Reset(TimeSpan.Zero);
        await waits;
        sleep.IsElapsed.ShouldBeTrue();

        static async Task WaitAsync(ResettableDelay sleep) => await sleep;
    }

    [Fact]
    public void DelayUntil_waits_for_an_instant_and_one_that_has_passed_is_there_at_once()
    {
        var world = new World();
        DateTimeOffset start = world.Time.GetUtcNow();
        ManagedTask task = world.Start(async ct =>
        {
            await Future.DelayUntil(start.AddSeconds(-5));
            await Future.DelayUntil(DateTimeOffset.MinValue);
            world.Log("at once");
            await Future.DelayUntil(start.AddSeconds(90));
            world.Log($"{world.Time.Elapsed.TotalSeconds}");
            await Future.DelayUntil(DateTimeOffset.MaxValue);
        });
        world.Trace.ShouldBe(["at once"]);
        world.Pass(89.999);
        world.Trace.Length.ShouldBe(1);
        world.Pass(0.001);
        world.Trace.ShouldBe(["at once", "90"]);
        task.Cancel();
        world.Run();
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void DelayUntil_waits_for_the_rest_when_the_wall_clock_was_set_back_and_is_late_when_it_was_set_forward()
    {
        var clock = new SteppedClock();
        var executor = new LocalExecutor();
        var runtime = new TaskRuntime(new TaskRuntimeOptions { Executor = executor, TimeProvider = clock });
        List<double> ended = [];
        foreach (double seconds in (double[])[10, 100])
        {
            _ = runtime.SpawnDetached(async ct =>
            {
                await Future.DelayUntil(SteppedClock.Start.AddSeconds(seconds));
                ended.Add(clock.Passed);
            });
        }

        executor.RunUntilStalled();
        clock.StepBy(-7); // after this 10 o'clock is 17 s away
        Pass(10);
        ended.ShouldBeEmpty();
        Pass(7);
        ended.ShouldBe([17]);
        clock.StepBy(1000); // 100 o'clock has passed, and nobody is woken for it
        Pass(82.999);
        ended.ShouldBe([17]);
        Pass(0.001);
        ended.ShouldBe([17, 100]);

        void Pass(double seconds)
        {
            clock.Pass(seconds);
            executor.RunUntilStalled();
        }
    }

    /// <summary>Virtual time whose wall clock can be set, as an operator or a time server does.</summary>
    private sealed class SteppedClock : TimeProvider
    {
        public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        private readonly Moirai.Testing.VirtualTimeProvider _time = new(Start);
        private TimeSpan _offset;

        public double Passed => _time.Elapsed.TotalSeconds;

        public override long TimestampFrequency => _time.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => _time.GetUtcNow() + _offset;

        public override long GetTimestamp() => _time.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => _time.CreateTimer(callback, state, dueTime, period);

        public void StepBy(double seconds) => _offset += TimeSpan.FromSeconds(seconds);

        public void Pass(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));
    }
}
