using Moirai.Testing;
using Moirai.Timers;

namespace Moirai.Tests.Timers;

/// <summary>The two directions of the bug again, for the whole queue and for deadlines that are moved: an entry that stays, and a timer that is lost after another was unlinked. Each has a twin with the fault planted.</summary>
public sealed class TimerQueueLeakTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private interface IDeadlines
    {
        int Count { get; }

        void Arm(TestWait wait, TimeSpan delay);

        void Cancel(TestWait wait);

        void Move(TestWait wait, TimeSpan delay);

        void Advance(TimeSpan by);
    }

    [Fact]
    public void A1_a_canceled_wait_leaves_no_entry_in_the_queue_and_none_that_fires() => LeavesNothing(new Queue());

    [Fact]
    public void A1_twin_a_cancel_that_only_claims_is_caught() => Should.Throw<ShouldAssertException>(() => LeavesNothing(new Queue { Unlinks = false }));

    [Fact]
    public void A1_a_cancel_among_neighbours_of_one_slot_and_of_others_loses_no_later_timer() => LosesNobody(new Queue(), moves: false);

    [Fact]
    public void A1_twin_a_cancel_that_takes_its_successors_along_is_caught() =>
        Should.Throw<ShouldAssertException>(() => LosesNobody(new Queue { TakesAlong = true }, moves: false));

    [Fact]
    public void S111_a_deadline_that_is_moved_among_neighbours_loses_no_other() => LosesNobody(new Queue(), moves: true);

    [Fact]
    public void S111_twin_a_move_that_takes_its_successors_along_is_caught() =>
        Should.Throw<ShouldAssertException>(() => LosesNobody(new Queue { TakesAlong = true }, moves: true));

    [Theory]
    [InlineData(10, 3)]
    [InlineData(10, 25)]
    [InlineData(10, 0)]
    [InlineData(10, 10)]
    [InlineData(0.001, 1_000_000)]
    public void S111_a_moved_deadline_fires_once_at_its_new_time_and_not_at_the_old_one(double first, double second) => FiresAtTheNewTime(new Queue(), first, second);

    [Fact]
    public void S111_twin_a_move_that_leaves_the_old_entry_is_caught() =>
        Should.Throw<ShouldAssertException>(() => FiresAtTheNewTime(new Queue { Copies = true }, 10, 25));

    [Fact]
    public void S117_moving_a_deadline_into_the_past_fires_it_at_once()
    {
        var queue = new Queue();
        var wait = new TestWait();
        queue.Advance(5 * Second);
        queue.Arm(wait, 100 * Second);
        queue.MoveTo(wait, 0).ShouldBeTrue();
        wait.Resumes.ShouldBe(1);
        queue.Count.ShouldBe(0);
    }

    [Fact]
    public void S111_a_node_that_has_fired_or_left_is_not_linked_again_by_a_move()
    {
        var queue = new Queue();
        var fired = new TestWait();
        var left = new TestWait();
        queue.Arm(fired, Second);
        queue.Arm(left, Second);
        queue.Cancel(left);
        queue.Advance(Second);
        fired.Resumes.ShouldBe(1);

        queue.MoveTo(fired, 100 * Second.Ticks).ShouldBeFalse();
        queue.MoveTo(left, 100 * Second.Ticks).ShouldBeFalse();
        queue.Count.ShouldBe(0);
        queue.Advance(200 * Second);
        fired.Resumes.ShouldBe(1);
        left.Resumes.ShouldBe(0);
    }

    [Fact]
    public void A4_ended_but_still_linked_is_harmless_while_it_lasts()
    {
        // Between the claim of a wait and its unlinking lie a few instructions of another thread. Whatever the queue is asked to do then, nobody else is touched.
        var queue = new Queue();
        TestWait[] waits = [.. Enumerable.Range(0, 6).Select(_ => new TestWait())];
        for (int i = 0; i < waits.Length; i++)
        {
            queue.Arm(waits[i], (i < 3 ? 1 : 5) * Second);
        }

        waits[1].TryClaim().ShouldBeTrue();
        waits[4].TryClaim().ShouldBeTrue();
        queue.Count.ShouldBe(6);
        queue.Advance(Second);
        waits.Select(wait => wait.Resumes).ShouldBe([1, 0, 1, 0, 0, 0]);

        queue.Inner.Remove(waits[1]); // the turn was faster
        queue.Inner.Remove(waits[4]);
        queue.Count.ShouldBe(2);
        queue.Advance(4 * Second);
        waits.Select(wait => wait.Resumes).ShouldBe([1, 0, 1, 1, 0, 1]);
        queue.Count.ShouldBe(0);
    }

    [Fact]
    public void A3_moving_a_deadline_allocates_nothing_and_leaves_one_entry()
    {
        var queue = new Queue();
        var wait = new TestWait();
        queue.Arm(wait, Second);
        Move(queue, wait, 10);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Move(queue, wait, 10_000);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
        queue.Count.ShouldBe(1);

        static void Move(Queue queue, TestWait wait, int times)
        {
            for (int i = 0; i < times; i++)
            {
                queue.MoveTo(wait, Second.Ticks + ((long)i << (i % 40)));
            }
        }
    }

    [Fact]
    public void A5_the_gauges_of_a_moment()
    {
        var queue = new Queue();
        queue.Inner.TakeGauges().ShouldBe(new TimerGauges(0, null, TimeSpan.Zero, 0, TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero));
        var wait = new TestWait();
        queue.Arm(wait, 3 * Second);
        queue.Arm(new TestWait(), Timeout.InfiniteTimeSpan);
        queue.Advance(Second);
        queue.Inner.TakeGauges().ShouldBe(new TimerGauges(2, 2 * Second, TimeSpan.Zero, 0, TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero));
        queue.Advance(2 * Second);
        queue.Inner.TakeGauges().ShouldBe(new TimerGauges(1, null, TimeSpan.Zero, 1, TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero));
    }

    private static void LeavesNothing(IDeadlines deadlines)
    {
        var wait = new TestWait();
        deadlines.Arm(wait, 30 * Second);
        deadlines.Count.ShouldBe(1);
        deadlines.Cancel(wait);
        deadlines.Count.ShouldBe(0);
        deadlines.Advance(31 * Second);
        wait.Resumes.ShouldBe(0);
    }

    private static void LosesNobody(Queue prototype, bool moves)
    {
        // Two of each deadline: near and far, in one slot and in different ones.
        double[] seconds = [0.001, 0.001, 0.002, 0.002, 0.5, 0.5, 40, 40, 100_000, 100_000];
        for (int touched = 0; touched < seconds.Length; touched++)
        {
            Queue queue = prototype.Another();
            TestWait[] waits = [.. seconds.Select(_ => new TestWait())];
            for (int i = 0; i < waits.Length; i++)
            {
                queue.Arm(waits[i], TimeSpan.FromSeconds(seconds[i]));
            }

            if (moves)
            {
                queue.Move(waits[touched], 7 * Second);
            }
            else
            {
                queue.Cancel(waits[touched]);
            }

            queue.Count.ShouldBe(waits.Length - (moves ? 0 : 1));
            queue.Advance(TimeSpan.FromSeconds(100_000));
            for (int i = 0; i < waits.Length; i++)
            {
                waits[i].Resumes.ShouldBe(i == touched && !moves ? 0 : 1, $"entry {i} after entry {touched} was touched");
            }

            queue.Count.ShouldBe(0);
        }
    }

    private static void FiresAtTheNewTime(Queue queue, double first, double second)
    {
        var wait = new TestWait();
        queue.Arm(wait, TimeSpan.FromSeconds(first));
        queue.Move(wait, TimeSpan.FromSeconds(second));
        queue.Count.ShouldBe(second > 0 ? 1 : 0);
        if (second > 0)
        {
            queue.Advance(TimeSpan.FromSeconds(second) - TimeSpan.FromTicks(1));
            wait.Resumes.ShouldBe(0);
            queue.Advance(TimeSpan.FromTicks(1));
        }

        wait.Resumes.ShouldBe(1);
        queue.Advance(TimeSpan.FromSeconds(first + 1));
        wait.Resumes.ShouldBe(1);
        queue.Count.ShouldBe(0);
    }

    /// <summary>The queue under virtual time; with a fault planted for the twins.</summary>
    private sealed class Queue : IDeadlines
    {
        private readonly VirtualTimeProvider _time = new();
        private readonly List<TestWait> _armed = [];

        public Queue() => Inner = new TimerQueue(_time);

        public TimerQueue Inner { get; }

        public bool Unlinks { get; init; } = true;

        public bool TakesAlong { get; init; }

        public bool Copies { get; init; }

        public int Count => Inner.Count;

        public Queue Another() => new() { Unlinks = Unlinks, TakesAlong = TakesAlong, Copies = Copies };

        public void Arm(TestWait wait, TimeSpan delay)
        {
            Inner.Arm(wait, Inner.DueIn(delay), wait.Park()).ShouldBeTrue();
            _armed.Add(wait);
        }

        public void Cancel(TestWait wait)
        {
            wait.TryClaim().ShouldBeTrue();
            if (Unlinks)
            {
                Inner.Remove(wait);
                TakeAlong(wait);
            }
        }

        public void Move(TestWait wait, TimeSpan delay)
        {
            if (Copies)
            {
                var copy = new TestWait();
                Inner.Arm(copy, Inner.DueIn(delay), copy.Park());
                return;
            }

            MoveTo(wait, Inner.DueIn(delay)).ShouldBeTrue();
            TakeAlong(wait);
        }

        public bool MoveTo(TestWait wait, long due)
        {
            Linking done = Inner.Move(wait, due);
            if (done == Linking.Earlier)
            {
                Inner.Plan();
            }

            return done != Linking.TooLate;
        }

        public void Advance(TimeSpan by) => _time.Advance(by);

        private void TakeAlong(TestWait wait)
        {
            int next = _armed.IndexOf(wait) + 1;
            if (TakesAlong && next < _armed.Count)
            {
                Inner.Remove(_armed[next]);
            }
        }
    }
}
