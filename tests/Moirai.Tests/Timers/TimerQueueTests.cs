using Moirai.Testing;
using Moirai.Timers;

namespace Moirai.Tests.Timers;

public sealed class TimerQueueTests : IDisposable
{
    private readonly VirtualTimeProvider _time = new();
    private readonly TimerQueue _queue;

    public TimerQueueTests() => _queue = new TimerQueue(_time);

    public void Dispose() => _queue.Dispose();

    [Fact]
    public void S121_a_deadline_of_less_than_a_millisecond_is_exact()
    {
        TestWait wait = Arm(TimeSpan.FromTicks(2_500));

        _time.Advance(TimeSpan.FromTicks(2_499));
        wait.Resumes.ShouldBe(0);
        _time.Advance(TimeSpan.FromTicks(1));
        wait.Resumes.ShouldBe(1);
    }

    [Fact]
    public void S121_deadlines_within_one_millisecond_fire_each_at_its_own_time_in_order()
    {
        List<long> fired = [];
        foreach (int ticks in (int[])[9_999, 1, 10_000, 5_000, 10_001, 4_999])
        {
            Arm(TimeSpan.FromTicks(ticks), new TestWait { OnResume = _ => fired.Add(_time.GetTimestamp()) });
        }

        _time.Advance(TimeSpan.FromSeconds(1));

        fired.ShouldBe([1, 4_999, 5_000, 9_999, 10_000, 10_001]);
        _queue.MaxLag.ShouldBe(0);
    }

    [Fact]
    public void S105_a_zero_delay_fires_at_once()
    {
        _time.Advance(TimeSpan.FromSeconds(3));
        Arm(TimeSpan.Zero).Resumes.ShouldBe(1);
        _queue.Count.ShouldBe(0);
    }

    [Fact]
    public void S117_an_insert_in_the_past_fires_at_once()
    {
        _time.Advance(TimeSpan.FromSeconds(3));
        TestWait later = Arm(TimeSpan.FromSeconds(1));
        var wait = new TestWait();
        _queue.Arm(wait, TimeSpan.FromSeconds(1).Ticks, wait.Park()).ShouldBeTrue();
        wait.Resumes.ShouldBe(1);
        later.Resumes.ShouldBe(0);
        _queue.LastLag.ShouldBe(TimeSpan.FromSeconds(2).Ticks);
    }

    [Fact]
    public void S117_an_earlier_insert_fires_before_the_one_that_the_queue_was_set_for()
    {
        List<string> fired = [];
        Arm(TimeSpan.FromSeconds(9), new TestWait { OnResume = _ => fired.Add("late") });
        Arm(TimeSpan.FromSeconds(2), new TestWait { OnResume = _ => fired.Add("early") });
        _time.Advance(TimeSpan.FromSeconds(2));
        fired.ShouldBe(["early"]);
        _time.Advance(TimeSpan.FromSeconds(7));
        fired.ShouldBe(["early", "late"]);
    }

    [Fact]
    public void S117_removing_the_last_entry_leaves_the_provider_nothing_to_do_once_the_queue_is_replanned()
    {
        TestWait wait = Arm(TimeSpan.FromSeconds(9));
        TestWait other = Arm(TimeSpan.FromSeconds(20));
        Cancel(wait);
        _queue.Replan();
        _time.NextTimerIn.ShouldBe(TimeSpan.FromSeconds(20));
        Cancel(other);
        _queue.Replan();
        _time.ActiveTimers.ShouldBe(0);
        _queue.NextDue.ShouldBeNull();
    }

    [Fact]
    public void S107_delays_up_to_the_largest_neither_overflow_nor_fire_early()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        TestWait[] never =
        [
            Arm(Timeout.InfiniteTimeSpan), Arm(TimeSpan.MaxValue), Arm(TimeSpan.MaxValue - TimeSpan.FromTicks(1)),
            Arm(TimeSpan.MaxValue - TimeSpan.FromSeconds(2)),
        ];
        TestWait tenYears = Arm(TimeSpan.FromDays(3650));
        _queue.Count.ShouldBe(5);

        _time.Advance(TimeSpan.FromDays(3650) - TimeSpan.FromTicks(1));
        tenYears.Resumes.ShouldBe(0);
        _time.Advance(TimeSpan.FromTicks(1));
        tenYears.Resumes.ShouldBe(1);
        _time.Advance(TimeSpan.FromDays(100_000));
        never.ShouldAllBe(wait => wait.Resumes == 0);
        _queue.MaxLag.ShouldBe(0);

        Array.ForEach(never, Cancel);
        _queue.Count.ShouldBe(0);
    }

    [Fact]
    public void S113_removing_a_hundred_timers_from_within_the_wake_of_one_is_safe()
    {
        List<TestWait> others = [];
        var first = new TestWait { OnResume = _ => others.ForEach(Cancel) };
        Arm(TimeSpan.FromMilliseconds(5), first);
        for (int i = 0; i < 100; i++)
        {
            others.Add(Arm(TimeSpan.FromMilliseconds(6 + (i % 7 * 11))));
        }

        _time.Advance(TimeSpan.FromSeconds(1));

        first.Resumes.ShouldBe(1);
        others.ShouldAllBe(wait => wait.Resumes == 0);
        _queue.Count.ShouldBe(0);
    }

    [Fact]
    public void S111_a_waiter_that_waits_again_from_within_its_wake_fires_at_each_of_its_times()
    {
        List<long> fired = [];
        var wait = new TestWait
        {
            OnResume = w =>
            {
                fired.Add(_time.GetTimestamp());
                if (fired.Count < 4)
                {
                    _queue.Arm(w, _queue.DueIn(TimeSpan.FromTicks(700)), w.Park());
                }
            },
        };
        Arm(TimeSpan.FromTicks(700), wait);
        _time.Advance(TimeSpan.FromSeconds(1));
        fired.ShouldBe([700, 1400, 2100, 2800]);
    }

    [Fact]
    public void A3_ten_thousand_entries_of_one_deadline_fire_in_the_order_in_which_they_came()
    {
        List<int> fired = [];
        for (int i = 0; i < 10_000; i++)
        {
            int number = i;
            Arm(TimeSpan.FromSeconds(5), new TestWait { OnResume = _ => fired.Add(number) });
        }

        _time.Advance(TimeSpan.FromSeconds(5));

        fired.ShouldBe(Enumerable.Range(0, 10_000));
        _queue.Fired.ShouldBe(10_000);
    }

    [Fact]
    public void A5_depth_next_deadline_overdue_and_lag_are_gauges()
    {
        var clock = new LateProvider();
        using var queue = new TimerQueue(clock);
        var wait = new TestWait();
        queue.Arm(wait, TimeSpan.FromSeconds(2).Ticks, wait.Park());
        queue.Count.ShouldBe(1);
        queue.NextDue.ShouldBe(TimeSpan.FromSeconds(2).Ticks);
        queue.OldestOverdue.ShouldBe(0);

        clock.Timestamp = TimeSpan.FromSeconds(5).Ticks * 3;
        queue.OldestOverdue.ShouldBe(TimeSpan.FromSeconds(3).Ticks);
        clock.Fire();

        queue.OldestOverdue.ShouldBe(0);
        queue.NextDue.ShouldBeNull();
        queue.LastLag.ShouldBe(TimeSpan.FromSeconds(3).Ticks);
        queue.MaxLag.ShouldBe(TimeSpan.FromSeconds(3).Ticks);
        queue.Fired.ShouldBe(1);

        queue.Arm(wait, queue.Now, wait.Park());
        clock.Timestamp += TimeSpan.FromSeconds(1).Ticks * 3;
        clock.Fire();
        queue.LastLag.ShouldBe(TimeSpan.FromSeconds(1).Ticks);
        queue.MaxLag.ShouldBe(TimeSpan.FromSeconds(3).Ticks, "the latest ever, not the last");
        queue.Fired.ShouldBe(2);
        TimerGauges gauges = queue.TakeGauges();
        (gauges.MeanLag, gauges.LastLag, gauges.MaxLag).ShouldBe((TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3)));
    }

    [Fact]
    public void A5_where_many_share_the_first_slot_the_next_deadline_is_told_by_the_slot_and_never_too_late()
    {
        var clock = new LateProvider();
        using var queue = new TimerQueue(clock);
        long earliest = TimeSpan.FromHours(1).Ticks;
        for (int i = 2_000; i >= 0; i--)
        {
            var wait = new TestWait();
            queue.Arm(wait, earliest + (i * TimeSpan.TicksPerMillisecond), wait.Park());
        }

        long told = queue.NextDue.ShouldNotBeNull();
        told.ShouldBeLessThanOrEqualTo(earliest, "who comes last is the first to fire");
        (earliest - told).ShouldBeLessThan(TimeSpan.FromMinutes(5).Ticks, "a slot of an hour's level is 262 s long");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void B3_a_clock_that_keeps_the_context_in_which_its_timer_was_made_keeps_nothing_of_who_waited_first(bool suppressed)
    {
        var ambient = new AsyncLocal<object?> { Value = new object() };
        var clock = new LateProvider();
        using var queue = new TimerQueue(clock);
        var wait = new TestWait();
        using (suppressed ? ExecutionContext.SuppressFlow() : default(IDisposable))
        {
            queue.Arm(wait, 0, wait.Park()).ShouldBeTrue();
            ExecutionContext.IsFlowSuppressed().ShouldBe(suppressed);
        }

        clock.MadeIn.ShouldBeNull("the timer keeps the ambient values of whoever came first, for ever");
        ambient.Value.ShouldNotBeNull();
    }

    [Fact]
    public void A_provider_may_fire_from_within_the_call_that_sets_its_timer()
    {
        var clock = new LateProvider { FiresInChange = true };
        using var queue = new TimerQueue(clock);
        var wait = new TestWait();
        int times = 0;
        var again = new TestWait { OnResume = w => { if (++times < 3) { queue.Arm(w, 0, w.Park()); } } };
        queue.Arm(wait, 0, wait.Park()).ShouldBeTrue();
        queue.Arm(again, 0, again.Park()).ShouldBeTrue();
        wait.Resumes.ShouldBe(1);
        again.Resumes.ShouldBe(3);
    }

    [Fact]
    public void A_clock_of_an_odd_frequency_gives_whole_ticks_rounded_down()
    {
        var clock = new LateProvider { Timestamp = 4 };
        using var queue = new TimerQueue(clock);
        clock.Timestamp = 4 + (3 * 77) + 2;
        queue.Now.ShouldBe(77);
        queue.DueIn(TimeSpan.FromTicks(10)).ShouldBe(88, "one more than the sum, because now was rounded down");
        clock.Timestamp = 0;
        queue.Now.ShouldBe(0, "a clock that went back does not take time below the beginning");
    }

    [Fact]
    public void Arming_after_dispose_throws_and_links_nothing()
    {
        TestWait linked = Arm(TimeSpan.FromSeconds(1));
        _queue.Dispose();
        var wait = new TestWait();
        int armed = wait.Park();

        ObjectDisposedException error = Should.Throw<ObjectDisposedException>(() => _queue.Arm(wait, 0, armed));

        error.Message.ShouldContain("timer queue has been disposed of");
        wait.IsLinked.ShouldBeFalse();
        wait.IsArmed(armed).ShouldBeTrue();
        _time.ActiveTimers.ShouldBe(0);
        _time.Advance(TimeSpan.FromSeconds(2));
        linked.Resumes.ShouldBe(0);
        _queue.Count.ShouldBe(1);
        Cancel(linked);
        _queue.Count.ShouldBe(0);
        _queue.Dispose();
    }

    [Fact]
    public void A_wait_for_time_is_described_by_the_time_that_is_left()
    {
        TestWait wait = Arm(TimeSpan.FromMilliseconds(4_200));
        _queue.DescribeWait(wait).ShouldBe("a timer due in 4.2 s");
        _time.Advance(TimeSpan.FromMilliseconds(4_100));
        _queue.DescribeWait(wait).ShouldBe("a timer due in 100 ms");
        _time.Advance(TimeSpan.FromMilliseconds(200));
        _queue.DescribeWait(wait).ShouldBe("a timer overdue by 100 ms");
        _queue.DescribeWait(Arm(Timeout.InfiniteTimeSpan)).ShouldBe("a timer that is never due");
    }

    private TestWait Arm(TimeSpan delay) => Arm(delay, new TestWait());

    private TestWait Arm(TimeSpan delay, TestWait wait)
    {
        _queue.Arm(wait, _queue.DueIn(delay), wait.Park()).ShouldBeTrue();
        return wait;
    }

    private void Cancel(TestWait wait)
    {
        wait.TryClaim().ShouldBeTrue();
        _queue.Remove(wait);
        wait.Finish();
    }

    /// <summary>A clock of 30 MHz that is set by hand, whose one timer fires when it is told to, or while it is being set.</summary>
    private sealed class LateProvider : TimeProvider, ITimer
    {
        private TimerCallback? _callback;
        private object? _state;

        public long Timestamp { get; set; }

        public bool FiresInChange { get; init; }

        /// <summary>What the platform's timers keep, too.</summary>
        public ExecutionContext? MadeIn { get; private set; }

        public override long TimestampFrequency => 30_000_000;

        public override long GetTimestamp() => Timestamp;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _callback = callback;
            _state = state;
            MadeIn = ExecutionContext.Capture();
            return this;
        }

        public void Fire() => _callback!(_state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (FiresInChange && dueTime == TimeSpan.Zero)
            {
                Fire();
            }

            return true;
        }

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
