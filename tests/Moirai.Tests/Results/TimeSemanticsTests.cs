namespace Moirai.Tests.Results;

/// <summary>The lines S105 to S121 of the part "Time".</summary>
public sealed class TimeSemanticsTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TenYears = TimeSpan.FromDays(3653);

    public static TheoryData<TimeSpan> Spent => [TimeSpan.Zero, TimeSpan.FromTicks(-1), TimeSpan.FromHours(-1), TimeSpan.MinValue];

    public static TheoryData<TimeSpan> Huge =>
        [TenYears, TimeSpan.FromDays(100 * 366), TimeSpan.MaxValue - TimeSpan.FromTicks(1), TimeSpan.MaxValue, Timeout.InfiniteTimeSpan];

    [Theory]
    [MemberData(nameof(Spent))]
    public void S105_a_timeout_of_zero_or_less_over_pending_work_runs_no_further_than_the_first_wait(TimeSpan within)
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await Steps().WithTimeout(within));
        world.Trace.ShouldBe(["first step", "clean-up"]);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().Within.ShouldBe(within);
        world.ShouldBeEmpty();

        async Future Steps()
        {
            try
            {
                world.Log("first step");
                await Future.Yield();
                world.Log("second step");
            }
            finally
            {
                world.Log("clean-up");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Spent))]
    public void S105_work_that_needs_no_wait_keeps_its_value_under_a_timeout_of_zero_or_less(TimeSpan within)
    {
        var world = new World();
        ManagedTask<int> task = world.Spawn(async ct => await Future.FromResult(5).WithTimeout(within));
        world.Run();
        task.Result.ShouldBe(5);
        world.Events.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Huge))]
    public void S107_huge_timeouts_and_delays_neither_overflow_nor_fire_early(TimeSpan huge)
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask timed = world.Start(async ct => await gate.WaitAsync().WithTimeout(huge));
        ManagedTask delayed = world.Start(async ct => await Future.Delay(huge));
        world.Time.Advance(TenYears - TimeSpan.FromTicks(1));
        world.Run();
        timed.State.ShouldBe(TaskState.Blocked);
        delayed.State.ShouldBe(TaskState.Blocked);
        world.Time.Advance(TimeSpan.FromTicks(1));
        world.Run();
        timed.IsEnded.ShouldBe(huge == TenYears);
        delayed.IsEnded.ShouldBe(huge == TenYears);

        timed.Cancel();
        delayed.Cancel();
        world.Run();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S109_a_body_that_swallows_the_cancel_and_returns_a_value_has_timed_out()
    {
        var world = new World();
        ManagedTask<int> task = world.Spawn(async ct => await SwallowAsync(null).WithTimeout(Second));
        world.Run();
        world.Advance(1);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().WaitingFor.ShouldContain("time");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S109_an_error_of_the_bodys_own_wins_over_the_timeout()
    {
        var world = new World();
        var own = new ArithmeticException("own");
        ManagedTask<int> task = world.Spawn(async ct => await SwallowAsync(own).WithTimeout(Second));
        world.Run();
        world.Advance(1);
        task.Exception.ShouldBeSameAs(own);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S109_a_body_that_was_ready_before_it_could_be_told_keeps_its_value()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask<int> task = world.Spawn(async ct => await ValueAsync(gate).WithTimeout(Second));
        world.Run();
        gate.Open();
        world.Time.Advance(Second); // woken, not run, when the time is over
        world.Run();
        task.Result.ShouldBe(3);
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S085_a_timeout_inside_a_shield_still_times_out()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
        {
            using (ManagedTask.Shield())
            {
                await Future.Delay(TimeSpan.FromHours(1)).WithTimeout(Second);
            }
        });
        task.Cancel();
        world.Run();
        task.State.ShouldBe(TaskState.Blocked);
        world.Advance(1);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S083_of_two_timeouts_that_are_over_the_outer_one_catches()
    {
        var world = new World();
        string? caught = null;
        ManagedTask task = world.Start(async ct =>
        {
            try
            {
                await InnerAsync().WithTimeout(Second);
            }
            catch (TaskTimeoutException error) when (error.Operation.StartsWith("InnerAsync", StringComparison.Ordinal))
            {
                caught = "outer";
            }
        });
        world.Advance(1);
        caught.ShouldBe("outer");
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();

        static async Future InnerAsync()
        {
            try
            {
                await WaitLongAsync().WithTimeout(Second);
            }
            catch (TaskTimeoutException error)
            {
                throw new InvalidOperationException("the inner one caught", error);
            }
        }

        static async Future WaitLongAsync()
        {
            using (ManagedTask.Shield())
            {
                await Future.Delay(Second); // both are over when this ends
            }

            await Future.Delay(TimeSpan.FromHours(1));
        }
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 1)]
    public void S095_the_effective_deadline_is_the_earliest_of_those_around(int outer, int inner)
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
            await Future.Delay(TimeSpan.FromHours(1)).WithTimeout(TimeSpan.FromSeconds(inner)).WithTimeout(TimeSpan.FromSeconds(outer)));
        world.Advance(0.999);
        task.IsEnded.ShouldBeFalse();
        world.Advance(0.001);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().Within.ShouldBe(Second);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S113_canceling_a_hundred_timed_tasks_from_inside_a_timers_own_wake_is_safe()
    {
        var world = new World();
        List<ManagedTask> others = [];
        for (int i = 0; i < 100; i++)
        {
            others.Add(world.Start(static async ct => await Future.Delay(Second).WithTimeout(2 * Second)));
        }

        // A provider's timer and the wheel's turn share the thread that advances: this cancels while the wheel is being turned.
        using ITimer timer = world.Time.CreateTimer(_ => others.ForEach(task => task.Cancel()), null, Second, Timeout.InfiniteTimeSpan);
        _ = world.Spawn(async ct =>
        {
            await Future.Delay(Second);
            others.ForEach(task => task.Cancel());
        });
        world.Run();
        world.Advance(1);
        world.Run();
        others.ShouldAllBe(task => task.State == TaskState.Canceled || task.State == TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S115_a_finished_operation_leaves_no_timer_and_its_slot_serves_the_next_at_once()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("one", 1);
        for (int i = 0; i < 3; i++)
        {
            pool.TrySpawn(static async ct => await Future.FromResult(1).WithTimeout(Second), out ManagedTask? task).ShouldBeTrue();
            world.Run();
            task.State.ShouldBe(TaskState.Completed);
            world.Timers.ShouldBe(0);
        }

        _ = world.Start(async ct => await pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S121_advancing_moves_exactly_so_far_and_runs_what_became_due_and_nothing_later()
    {
        var world = new World();
        foreach (int ticks in (int[])[1, 9_999, 10_000, 10_001])
        {
            _ = world.Start(async ct =>
            {
                await Future.Delay(TimeSpan.FromTicks(ticks));
                world.Log($"{ticks} at {world.Time.Elapsed.Ticks}");
            });
        }

        world.Time.Advance(TimeSpan.FromTicks(1));
        world.Run();
        world.Trace.ShouldBe(["1 at 1"]);
        world.Time.Advance(TimeSpan.FromTicks(9_999));
        world.Run();
        world.Trace.ShouldBe(["1 at 1", "9999 at 10000", "10000 at 10000"]);
        world.Time.Advance(TimeSpan.FromTicks(1));
        world.Run();
        world.Trace[^1].ShouldBe("10001 at 10001");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S123_the_clock_stands_still_while_anything_is_ready()
    {
        var world = new World();
        bool jumped = false;
        ManagedTask task = world.Spawn(async ct =>
        {
            await Future.Delay(Second);
            for (int i = 0; i < 100; i++)
            {
                await Future.Yield();
                jumped |= world.Time.Elapsed != Second;
            }
        });
        _ = world.Spawn(static async ct => await Future.Delay(2 * Second));
        world.Run();
        while (world.Time.AdvanceToNextTimer())
        {
            world.Run();
        }

        task.State.ShouldBe(TaskState.Completed);
        jumped.ShouldBeFalse();
        world.Time.Elapsed.ShouldBe(2 * Second);
        world.ShouldBeEmpty();
    }

    private static async Future<int> ValueAsync(Gate gate)
    {
        await gate.WaitAsync();
        return 3;
    }

    private static async Future<int> SwallowAsync(Exception? own)
    {
        try
        {
            await Future.Delay(TimeSpan.FromHours(1));
        }
        catch (OperationCanceledException)
        {
            if (own is not null)
            {
                throw own;
            }
        }

        return 1;
    }
}
