using Moirai.Testing;

namespace Moirai.Tests.Testing;

public sealed class VirtualTimeProviderTests
{
    private readonly VirtualTimeProvider _time = new();
    private readonly List<string> _fired = [];

    [Fact]
    public void Time_stands_still_until_it_is_advanced()
    {
        _time.GetUtcNow().ShouldBe(VirtualTimeProvider.DefaultStart);
        _time.GetTimestamp().ShouldBe(0);
        _time.TimestampFrequency.ShouldBe(10_000_000);
        new VirtualTimeProvider(new DateTimeOffset(2020, 5, 5, 2, 0, 0, TimeSpan.FromHours(2))).GetUtcNow()
            .ShouldBe(new DateTimeOffset(2020, 5, 5, 0, 0, 0, TimeSpan.Zero));
    }

    [Fact]
    public void S121_advance_moves_exactly_and_fires_each_timer_at_its_own_deadline_in_order()
    {
        Set("c", 30_001);
        Set("a", 7);
        Set("b", 30_000);
        Set("future", 50_001);

        _time.Advance(TimeSpan.FromTicks(50_000));

        _fired.ShouldBe(["a@7", "b@30000", "c@30001"]);
        _time.GetTimestamp().ShouldBe(50_000);
        _time.GetUtcNow().ShouldBe(VirtualTimeProvider.DefaultStart + TimeSpan.FromTicks(50_000));
        _time.ActiveTimers.ShouldBe(1);
        _time.NextTimerIn.ShouldBe(TimeSpan.FromTicks(1));
    }

    [Fact]
    public void Equal_deadlines_fire_in_the_order_in_which_they_were_set()
    {
        ITimer first = Set("first", 10);
        Set("second", 10);
        first.Change(TimeSpan.FromTicks(10), Timeout.InfiniteTimeSpan).ShouldBeTrue();
        _time.Advance(TimeSpan.FromTicks(10));
        _fired.ShouldBe(["second@10", "first@10"]);
    }

    [Fact]
    public void Callbacks_may_make_change_and_dispose_timers()
    {
        ITimer disposed = Set("disposed", 20);
        ITimer changed = Set("changed", 20);
        _time.CreateTimer(
            _ =>
            {
                disposed.Dispose();
                changed.Change(TimeSpan.FromTicks(90), Timeout.InfiniteTimeSpan);
                Set("made", 5);
                Set("at once", 0);
            },
            null, TimeSpan.FromTicks(10), Timeout.InfiniteTimeSpan);

        _time.Advance(TimeSpan.FromTicks(99));
        _fired.ShouldBe(["at once@10", "made@15"]);
        _time.Advance(TimeSpan.FromTicks(1));
        _fired.ShouldBe(["at once@10", "made@15", "changed@100"]);
        disposed.Change(TimeSpan.Zero, TimeSpan.Zero).ShouldBeFalse();
    }

    [Fact]
    public void S113_a_hundred_timers_disposed_by_the_callback_of_one_never_fire()
    {
        List<ITimer> others = [];
        _time.CreateTimer(_ => others.ForEach(timer => timer.Dispose()), null, TimeSpan.FromTicks(1), Timeout.InfiniteTimeSpan);
        for (int i = 0; i < 100; i++)
        {
            others.Add(Set("other", 1 + (i % 3)));
        }

        _time.Advance(TimeSpan.FromSeconds(1));
        _fired.ShouldBeEmpty();
        _time.ActiveTimers.ShouldBe(0);
    }

    [Fact]
    public void A_periodic_timer_fires_at_every_multiple_until_it_is_disposed_of()
    {
        ITimer? timer = null;
        timer = _time.CreateTimer(
            _ =>
            {
                _fired.Add($"{_time.GetTimestamp()}");
                if (_fired.Count == 4)
                {
                    timer!.Dispose();
                }
            },
            null, TimeSpan.FromTicks(3), TimeSpan.FromTicks(10));
        _time.Advance(TimeSpan.FromTicks(1_000));
        _fired.ShouldBe(["3", "13", "23", "33"]);
        _time.ActiveTimers.ShouldBe(0);
    }

    [Fact]
    public void Advancing_to_the_next_timer_moves_to_its_deadline_and_fires_all_of_that_time()
    {
        Set("a", 500);
        Set("b", 500);
        Set("c", 501);
        _time.AdvanceToNextTimer().ShouldBeTrue();
        _fired.ShouldBe(["a@500", "b@500"]);
        _time.AdvanceToNextTimer().ShouldBeTrue();
        _time.AdvanceToNextTimer().ShouldBeFalse();
        _time.GetTimestamp().ShouldBe(501);
    }

    [Fact]
    public void A_timer_that_is_due_already_fires_before_the_call_that_set_it_returns()
    {
        Set("now", 0);
        _fired.ShouldBe(["now@0"]);
    }

    [Fact]
    public void A_negative_advance_and_negative_times_throw()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => _time.Advance(TimeSpan.FromTicks(-1)));
        Should.Throw<ArgumentOutOfRangeException>(() => _time.Advance(TimeSpan.MaxValue));
        Should.Throw<ArgumentOutOfRangeException>(() => Set("never", -5));
        Should.Throw<ArgumentNullException>(() => _time.CreateTimer(null!, null, TimeSpan.Zero, TimeSpan.Zero));
        _time.GetTimestamp().ShouldBe(0);
    }

    [Fact]
    public void S107_a_timer_beyond_the_end_of_time_is_set_and_never_fires()
    {
        ITimer timer = _time.CreateTimer(_ => _fired.Add("never"), null, TimeSpan.MaxValue, Timeout.InfiniteTimeSpan);
        _time.Advance(TimeSpan.FromDays(1_000_000));
        _time.AdvanceToNextTimer().ShouldBeFalse();
        _time.ActiveTimers.ShouldBe(1);
        timer.Dispose();
        _time.ActiveTimers.ShouldBe(0);
    }

    [Fact]
    public void A_callback_that_advances_time_is_told_why_it_cannot()
    {
        _time.CreateTimer(_ => _time.Advance(TimeSpan.FromSeconds(1)), null, TimeSpan.FromTicks(5), Timeout.InfiniteTimeSpan);
        Should.Throw<InvalidOperationException>(() => _time.Advance(TimeSpan.FromSeconds(1))).Message.ShouldContain("advance is under way");

        // The failure ended that advance where the timer fired; the clock goes on.
        _time.GetTimestamp().ShouldBe(5);
        _time.Advance(TimeSpan.FromTicks(5));
        _time.GetTimestamp().ShouldBe(10);
    }

    [Fact]
    public void Threads_that_advance_at_once_add_up()
    {
        int count = 0;
        _time.CreateTimer(_ => count++, null, TimeSpan.FromTicks(1), TimeSpan.FromTicks(1));
        var threads = new Thread[4];
        for (int t = 0; t < threads.Length; t++)
        {
            threads[t] = new Thread(() =>
            {
                for (int i = 0; i < 1_000; i++)
                {
                    _time.Advance(TimeSpan.FromTicks(2));
                }
            });
            threads[t].Start();
        }

        Array.ForEach(threads, thread => thread.Join());
        _time.GetTimestamp().ShouldBe(8_000);
        count.ShouldBe(8_000);
    }

    private ITimer Set(string name, long ticks) => _time.CreateTimer(
        _ => _fired.Add($"{name}@{_time.GetTimestamp()}"), null, TimeSpan.FromTicks(ticks), Timeout.InfiniteTimeSpan);
}
