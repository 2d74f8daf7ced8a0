namespace Moirai.Tests.Futures;

/// <summary>S119 and what else is to be said of intervals.</summary>
public sealed class IntervalTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    public static TheoryData<TimeSpan> NoPeriods => [TimeSpan.Zero, TimeSpan.FromTicks(-1), Timeout.InfiniteTimeSpan, TimeSpan.MinValue];

    [Theory]
    [InlineData(MissedTicks.Burst)]
    [InlineData(MissedTicks.Delay)]
    [InlineData(MissedTicks.Skip)]
    public void S119_ticks_that_are_taken_in_time_come_in_a_steady_rhythm(MissedTicks missed)
    {
        var world = new World();
        Ticker(world, () => new Interval(Second, missed));
        world.Pass(3.5);
        world.Trace.ShouldBe(["1: 1 s, late 0, dropped 0", "2: 2 s, late 0, dropped 0", "3: 3 s, late 0, dropped 0"]);
    }

    [Fact]
    public void S119_the_rhythm_does_not_drift_by_the_time_that_the_work_takes()
    {
        var world = new World();
        Ticker(world, () => new Interval(Second, MissedTicks.Burst), work: 0.4);
        world.Time.Advance(TimeSpan.Zero);
        StepBy(world, 0.1, 40);
        world.Trace.ShouldBe(["1: 1 s, late 0, dropped 0", "2: 2 s, late 0, dropped 0", "3: 3 s, late 0, dropped 0", "4: 4 s, late 0, dropped 0"]);
    }

    [Fact]
    public void S119_burst_catches_up_and_keeps_number_and_phase() => AfterAStop(
        MissedTicks.Burst,
        ["1: 1 s, late 0, dropped 0", "2: 4.6 s, late 2.6, dropped 0", "3: 4.6 s, late 1.6, dropped 0", "4: 4.6 s, late 0.6, dropped 0", "5: 5 s, late 0, dropped 0", "6: 6 s, late 0, dropped 0"]);

    [Fact]
    public void S119_delay_drops_what_was_missed_and_shifts_the_phase() => AfterAStop(
        MissedTicks.Delay,
        ["1: 1 s, late 0, dropped 0", "2: 4.6 s, late 2.6, dropped 2", "3: 5.6 s, late 0, dropped 0", "4: 6.6 s, late 0, dropped 0"]);

    [Fact]
    public void S119_skip_drops_what_was_missed_and_keeps_the_phase() => AfterAStop(
        MissedTicks.Skip,
        ["1: 1 s, late 0, dropped 0", "2: 4.6 s, late 2.6, dropped 2", "3: 5 s, late 0, dropped 0", "4: 6 s, late 0, dropped 0"]);

    [Fact]
    public void S119_the_lateness_of_a_thread_shifts_no_phase()
    {
        var world = new World();
        Interval? interval = null;
        Ticker(world, () => interval = new Interval(Second, MissedTicks.Delay));
        world.Time.Advance(TimeSpan.FromMilliseconds(1004)); // the tick's time has come; the task runs 4 ms after it
        world.Run();
        world.Time.Advance(TimeSpan.FromMilliseconds(996));
        world.Run();
        world.Trace.ShouldBe(["1: 1.004 s, late 0.004, dropped 0", "2: 2 s, late 0, dropped 0"]);
    }

    [Fact]
    public void S119_a_tick_that_is_late_by_a_short_period_or_more_was_missed()
    {
        var world = new World();
        Ticker(world, () => new Interval(TimeSpan.FromMilliseconds(1), MissedTicks.Skip));
        world.Time.Advance(TimeSpan.FromMilliseconds(3));
        world.Run();
        world.Time.Advance(TimeSpan.FromMilliseconds(1));
        world.Run();
        world.Trace.ShouldBe(["1: 0.003 s, late 0.002, dropped 2", "2: 0.004 s, late 0, dropped 0"]);
    }

    [Theory]
    [MemberData(nameof(NoPeriods))]
    public void S119_a_period_that_is_not_more_than_zero_is_refused(TimeSpan period)
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new Interval(period)).Message.ShouldContain("more than zero");
        Should.Throw<ArgumentOutOfRangeException>(() => new Interval(Second, period)).ParamName.ShouldBe("period");
    }

    [Fact]
    public void S119_a_first_tick_in_the_past_and_a_way_that_does_not_exist_are_refused()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new Interval(-Second, Second)).ParamName.ShouldBe("first");
        Should.Throw<ArgumentOutOfRangeException>(() => new Interval(Second, (MissedTicks)3)).ParamName.ShouldBe("missed");
        Should.Throw<ArgumentOutOfRangeException>(() => new Interval(Second).Reset(-Second)).ParamName.ShouldBe("first");
    }

    [Fact]
    public void S119_the_first_tick_may_come_at_once_or_at_another_time_than_the_rest()
    {
        var world = new World();
        Ticker(world, () => new Interval(TimeSpan.Zero, 2 * Second));
        world.Pass(5);
        world.Trace.ShouldBe(["1: 0 s, late 0, dropped 0", "2: 2 s, late 0, dropped 0", "3: 4 s, late 0, dropped 0"]);
    }

    [Fact]
    public void S119_a_reset_begins_the_rhythm_anew_and_moves_who_waits()
    {
        var world = new World();
        Interval? interval = null;
        Ticker(world, () => interval = new Interval(Second, MissedTicks.Skip));
        world.Pass(1.7);
        interval!.Reset();
        world.Pass(0.9); // 2.6: the old tick's time has passed
        world.Trace.Length.ShouldBe(1);
        world.Pass(0.1);
        world.Trace.ShouldBe(["1: 1 s, late 0, dropped 0", "2: 2.7 s, late 0, dropped 0"]);
        world.Timers.ShouldBe(1);
    }

    [Fact]
    public void S119_a_reset_to_now_ticks_at_once_and_one_to_later_waits_so_long()
    {
        var world = new World();
        Interval? interval = null;
        Ticker(world, () => interval = new Interval(10 * Second));
        world.Pass(3);
        interval!.Reset(TimeSpan.Zero);
        world.Run();
        interval.Reset(25 * Second);
        world.Pass(24);
        world.Trace.ShouldBe(["1: 3 s, late 0, dropped 0"]);
        world.Pass(12);
        world.Trace.ShouldBe(["1: 3 s, late 0, dropped 0", "2: 28 s, late 0, dropped 0", "3: 38 s, late 0, dropped 0"]);
    }

    [Fact]
    public void S119_a_reset_after_the_time_of_a_tick_and_before_it_is_taken_keeps_both_rhythms_apart()
    {
        var world = new World();
        Interval? interval = null;
        Ticker(world, () => interval = new Interval(Second));
        world.Time.Advance(Second); // the task is woken, and has not run
        interval!.Reset(5 * Second);
        world.Run();
        world.Trace.ShouldBe(["1: 1 s, late 0, dropped 0"]);
        world.Pass(5);
        world.Trace.ShouldBe(["1: 1 s, late 0, dropped 0", "2: 6 s, late 0, dropped 0"]);
    }

    [Fact]
    public void S107_the_longest_periods_do_not_overflow()
    {
        var world = new World();
        Ticker(world, () => new Interval(Second, TimeSpan.MaxValue, MissedTicks.Skip));
        world.Pass(100_000);
        world.Trace.ShouldBe(["1: 1 s, late 0, dropped 0"]);
        world.Timers.ShouldBe(1);
    }

    [Fact]
    public void S119_a_burst_gives_way_to_others()
    {
        var world = new World();
        int ticks = 0;
        int seen = -1;
        ManagedTask task = world.Spawn(async ct =>
        {
            var interval = new Interval(TimeSpan.FromTicks(1));
            await Future.Delay(Second);
            _ = world.Spawn(async _ =>
            {
                await Future.Yield();
                seen = ticks;
            });
            for (; ticks < 10_000; ticks++)
            {
                await interval.NextAsync();
            }
        });
        world.Run();
        world.Pass(1);
        task.State.ShouldBe(TaskState.Completed);
        seen.ShouldBeInRange(1, 200);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_an_interval_holds_an_entry_only_while_somebody_waits_and_a_canceled_wait_takes_no_tick()
    {
        var world = new World();
        Interval? interval = null;
        ManagedTask first = world.Start(async ct =>
        {
            interval = new Interval(Second);
            await interval.NextAsync();
        });
        world.Timers.ShouldBe(1);
        first.Cancel();
        world.Run();
        first.State.ShouldBe(TaskState.Canceled);
        world.Timers.ShouldBe(0);

        ManagedTask<IntervalTick> second = world.Spawn(async ct => await interval!.NextAsync());
        world.Run();
        world.Pass(1);
        second.Result.Number.ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S119_two_waiters_are_one_too_many()
    {
        var world = new World();
        Interval? interval = null;
        ManagedTask first = world.Start(async ct =>
        {
            interval = new Interval(Second);
            await interval.NextAsync();
        });
        world.Fails<InvalidOperationException>(NextAsync(interval!)).Message.ShouldContain("One waiter at a time");
        world.Pass(1);
        first.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();

        static async Future NextAsync(Interval interval) => await interval.NextAsync();
    }

    [Fact]
    public void S119_a_tick_may_be_timed_and_the_next_wait_still_gets_it()
    {
        var world = new World();
        ManagedTask<IntervalTick> task = world.Spawn(async ct =>
        {
            var interval = new Interval(10 * Second);
            try
            {
                await interval.NextAsync().WithTimeout(Second);
            }
            catch (TaskTimeoutException error)
            {
                error.WaitingFor.ShouldContain("an interval's tick");
            }

            return await interval.NextAsync();
        });
        world.Run();
        world.Pass(10);
        task.Result.ShouldBe(new IntervalTick(1, TimeSpan.Zero, 0));
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task S119_plain_code_may_await_ticks()
    {
        var interval = new Interval(TimeSpan.FromMilliseconds(1));
        for (int i = 1; i <= 5; i++)
        {
            IntervalTick tick = await interval.NextAsync();
            tick.Number.ShouldBe(i);
            tick.Lateness.ShouldBeGreaterThanOrEqualTo(TimeSpan.Zero);
        }
    }

    // A tick is taken; the next is taken 3.6 s later than its task could have; then all goes on.
    private static void AfterAStop(MissedTicks missed, string[] expected)
    {
        var world = new World();
        var stop = new Gate();
        _ = world.Start(async ct =>
        {
            var interval = new Interval(Second, missed);
            for (int i = 0; i < expected.Length; i++)
            {
                Log(world, await interval.NextAsync());
                if (i == 0)
                {
                    await stop.WaitAsync();
                }
            }
        });
        world.Pass(1);
        world.Pass(3.6);
        stop.Open();
        world.Run();
        StepBy(world, 0.1, 20);
        world.Trace.ShouldBe(expected);
        world.ShouldBeEmpty();
    }

    private static void Ticker(World world, Func<Interval> make, double work = 0)
    {
        _ = world.Start(async ct =>
        {
            Interval interval = make();
            while (true)
            {
                Log(world, await interval.NextAsync());
                if (work > 0)
                {
                    await Future.Delay(TimeSpan.FromSeconds(work));
                }
            }
        });
    }

    private static void Log(World world, IntervalTick tick) => world.Log(FormattableString.Invariant(
        $"{tick.Number}: {world.Time.Elapsed.TotalSeconds:0.###} s, late {tick.Lateness.TotalSeconds:0.###}, dropped {tick.Dropped}"));

    private static void StepBy(World world, double seconds, int times)
    {
        for (int i = 0; i < times; i++)
        {
            world.Pass(seconds);
        }
    }
}
