using FsCheck;
using FsCheck.Fluent;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Tests.Timers;

public sealed class TimerWheelTests
{
    [Fact]
    public void Any_sequence_of_inserts_removes_and_turns_does_what_a_sorted_list_does() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(400).WithEndSize(200),
            Prop.ForAll(ArbMap.Default.ArbFor<(byte Kind, int Size, byte Scale)[]>(), steps => FollowModel(steps, exact: false)));

    [Fact]
    public void Any_sequence_turned_exactly_yields_each_deadline_at_its_time_and_none_before() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(400).WithEndSize(200),
            Prop.ForAll(ArbMap.Default.ArbFor<(byte Kind, int Size, byte Scale)[]>(), steps => FollowModel(steps, exact: true)));

    [Fact]
    public void Entries_of_one_tick_fire_in_the_order_in_which_they_came_however_far_away_they_were()
    {
        var wheel = new TimerWheel();
        long due = TimeSpan.FromHours(7).Ticks;
        TestWait[] waits = new TestWait[20];
        for (int i = 0; i < waits.Length; i++)
        {
            waits[i] = Insert(wheel, due);
            Turn(wheel, due / waits.Length * i).ShouldBeEmpty();
        }

        Turn(wheel, due).ShouldBe(waits);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(262_143)]
    [InlineData(262_144)]
    [InlineData(16_777_216)]
    [InlineData(1_073_741_824)]
    [InlineData(68_719_476_736)]
    [InlineData(4_398_046_511_104)]
    [InlineData(281_474_976_710_656)]
    public void S107_an_entry_on_the_border_of_a_level_fires_in_its_tick_and_not_one_before(long tick)
    {
        var wheel = new TimerWheel();
        TestWait wait = Insert(wheel, tick * TimerWheel.TickLength);

        Turn(wheel, (tick * TimerWheel.TickLength) - 1).ShouldBe(tick == 0 ? [wait] : []);
        Turn(wheel, tick * TimerWheel.TickLength).ShouldBe(tick == 0 ? [] : [wait]);
        wheel.Count.ShouldBe(0);
    }

    [Fact]
    public void S107_the_largest_deadlines_neither_overflow_nor_fire_early()
    {
        var wheel = new TimerWheel();
        TestWait last = Insert(wheel, long.MaxValue - 1);
        TestWait never = Insert(wheel, TimerWheel.Never);

        Turn(wheel, TimeSpan.FromDays(3650).Ticks).ShouldBeEmpty();
        Turn(wheel, long.MaxValue - 2).ShouldBeEmpty();
        wheel.TryEarliestDue(10, out long due).ShouldBeTrue();
        due.ShouldBe(long.MaxValue - 1);
        Turn(wheel, long.MaxValue - 1, exact: true).ShouldBe([last]);

        wheel.Count.ShouldBe(1);
        wheel.NextTurn().ShouldBe(TimerWheel.Never);
        wheel.Remove(never).ShouldBeTrue();
        wheel.Count.ShouldBe(0);
    }

    [Fact]
    public void S107_a_deadline_in_ten_years_costs_a_handful_of_turns()
    {
        var wheel = new TimerWheel();
        TestWait wait = Insert(wheel, TimeSpan.FromDays(3650).Ticks + 12_345_678);
        int turns = 0;
        while (wheel.Count > 0)
        {
            long next = wheel.NextTurn();
            Turn(wheel, next).ShouldBe(next < wait.Due ? [] : [wait]);
            turns++;
        }

        turns.ShouldBeLessThanOrEqualTo(9);
    }

    [Fact]
    public void A3_a_turn_touches_no_more_than_its_budget_and_the_next_one_goes_on()
    {
        var wheel = new TimerWheel();
        for (int i = 0; i < 1000; i++)
        {
            Insert(wheel, TimeSpan.FromSeconds(1).Ticks);
        }

        int turns = 0;
        int yielded = 0;
        bool done;
        do
        {
            var due = default(DueChain);
            done = wheel.Advance(TimeSpan.FromSeconds(2).Ticks, exact: false, budget: 64, ref due);
            int now = ToList(due).Count;
            now.ShouldBeLessThanOrEqualTo(64);
            yielded += now;
            turns++;
            if (!done)
            {
                wheel.NextTurn().ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(2).Ticks);
            }
        }
        while (!done);

        yielded.ShouldBe(1000);
        turns.ShouldBeGreaterThan(2 * 1000 / 64, "each is touched twice: dealt out to a lower level, and taken out");
        wheel.Count.ShouldBe(0);
    }

    [Fact]
    public void A3_inserting_and_removing_allocates_nothing() => AllocatesNothing(static () => { });

    [Fact]
    public void A3_twin_one_object_for_an_insertion_is_caught() => Twin.IsCaught(static () => AllocatesNothing(static () => GC.KeepAlive(new object())), "bytes were allocated");

    private static void AllocatesNothing(Action plant)
    {
        var wheel = new TimerWheel();
        var wait = new TestWait();
        InsertAndRemove(wheel, wait, 10);
        plant();
        long before = GC.GetAllocatedBytesForCurrentThread();
        InsertAndRemove(wheel, wait, 10_000);
        plant();
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0, "bytes were allocated");
    }

    [Fact]
    public void Removing_an_entry_twice_is_harmless()
    {
        var wheel = new TimerWheel();
        TestWait wait = Insert(wheel, 5);
        wheel.Remove(wait).ShouldBeTrue();
        wheel.Remove(wait).ShouldBeFalse();
        wheel.Count.ShouldBe(0);
    }

    private static void InsertAndRemove(TimerWheel wheel, TestWait wait, int times)
    {
        for (int i = 0; i < times; i++)
        {
            wait.Due = (long)i << (i % 48);
            wheel.Insert(wait);
            wheel.Remove(wait);
        }
    }

    private static TestWait Insert(TimerWheel wheel, long due)
    {
        var wait = new TestWait { Due = due };
        wheel.Insert(wait);
        return wait;
    }

    private static List<WaitNode> Turn(TimerWheel wheel, long now, bool exact = false, int budget = int.MaxValue)
    {
        List<WaitNode> all = [];
        bool done;
        do
        {
            var due = default(DueChain);
            done = wheel.Advance(now, exact, budget, ref due);
            all.AddRange(ToList(due));
        }
        while (!done);

        return all;
    }

    private static List<WaitNode> ToList(DueChain chain)
    {
        List<WaitNode> nodes = [];
        for (WaitNode? node = chain.Head; node is not null; node = node.Next)
        {
            node.IsLinked.ShouldBeFalse();
            nodes.Add(node);
        }

        return nodes;
    }

    private static void FollowModel((byte Kind, int Size, byte Scale)[] steps, bool exact)
    {
        var wheel = new TimerWheel();
        List<(WaitNode Node, long Tick, int Order)> model = [];
        long now = 0;
        int order = 0;
        foreach ((byte kind, int size, byte scale) in steps)
        {
            long span = Math.Abs((long)size) << (scale % 40);
            switch (kind % 5)
            {
                case 0 or 1 or 2:
                    long due = kind % 16 == 0 ? TimerWheel.Never : Math.Max(0, now + (size < 0 && kind % 2 == 0 ? -span : span));
                    // What is overdue belongs to the tick in which it came.
                    long tick = Math.Max(TimerWheel.RoundUp(due), now / TimerWheel.TickLength * TimerWheel.TickLength);
                    model.Add((Insert(wheel, due), tick, order++));
                    break;

                case 3 when model.Count > 0:
                    int at = (int)(span % model.Count);
                    wheel.Remove(model[at].Node).ShouldBeTrue();
                    wheel.Remove(model[at].Node).ShouldBeFalse();
                    model.RemoveAt(at);
                    break;

                default:
                    now += span;
                    var expected = model.Where(e => exact ? e.Node.Due <= now : e.Tick <= now)
                        .OrderBy(e => e.Tick).ThenBy(e => e.Order).Select(e => e.Node).ToList();
                    List<WaitNode> yielded = Turn(wheel, now, exact, budget: 1 + (scale % 7));
                    yielded.ShouldBe(expected, ignoreOrder: exact);
                    model.RemoveAll(e => expected.Contains(e.Node));
                    break;
            }

            wheel.Count.ShouldBe(model.Count);
            long earliest = model.Count == 0 ? TimerWheel.Never : model.Min(e => e.Node.Due);
            wheel.TryEarliestDue(int.MaxValue, out long found).ShouldBeTrue();
            found.ShouldBe(earliest);
            if (!exact)
            {
                wheel.NextTurn().ShouldBeLessThanOrEqualTo(Math.Max(TimerWheel.RoundUp(earliest), now));
            }
        }
    }
}
