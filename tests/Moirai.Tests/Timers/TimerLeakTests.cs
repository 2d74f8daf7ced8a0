using Moirai.Testing;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Tests.Timers;

/// <summary>Both directions of the bug that embassy had in its timer queue, each with a planted twin that the same assertion catches.</summary>
public sealed class TimerLeakTests
{
    private interface ITimers
    {
        int Count { get; }

        void Insert(WaitNode node);

        void Remove(WaitNode node);

        List<WaitNode> FireUntil(long now);
    }

    [Fact]
    public void A1_an_operation_that_ends_before_its_timeout_leaves_no_entry_behind() => LeavesNothingBehind(new Wheel());

    [Fact]
    public void A1_twin_a_queue_that_keeps_entries_until_their_deadline_is_caught() =>
        Should.Throw<ShouldAssertException>(() => LeavesNothingBehind(new KeepsUntilDeadline()));

    [Fact]
    public void A1_removing_an_entry_loses_no_later_one() => LosesNobody(new Wheel());

    [Fact]
    public void A1_twin_a_queue_that_loses_what_comes_after_a_removed_entry_is_caught() =>
        Should.Throw<ShouldAssertException>(() => LosesNobody(new LosesTheRest()));

    [Fact]
    public void A1_one_entry_a_wait_at_every_moment_and_none_after_whichever_way_it_ends()
    {
        var time = new VirtualTimeProvider();
        using var queue = new TimerQueue(time);
        var fires = new TestWait();
        var canceled = new TestWait();
        queue.Arm(fires, queue.DueIn(TimeSpan.FromSeconds(1)), fires.Park()).ShouldBeTrue();
        queue.Arm(canceled, queue.DueIn(TimeSpan.FromSeconds(30)), canceled.Park()).ShouldBeTrue();
        queue.Count.ShouldBe(2);

        time.Advance(TimeSpan.FromSeconds(1));
        queue.Count.ShouldBe(1);

        canceled.TryClaim().ShouldBeTrue();
        queue.Remove(canceled);
        queue.Count.ShouldBe(0);
        queue.Fired.ShouldBe(1);
    }

    [Fact]
    public void A4_a_timer_that_fires_after_the_wait_was_won_elsewhere_wakes_nothing()
    {
        var time = new VirtualTimeProvider();
        using var queue = new TimerQueue(time);
        var wait = new TestWait();
        queue.Arm(wait, queue.DueIn(TimeSpan.FromSeconds(1)), wait.Park());

        // The winner has not come to removing the entry when the timer fires.
        wait.TryClaim().ShouldBeTrue();
        time.Advance(TimeSpan.FromSeconds(2));
        wait.Resumes.ShouldBe(0);
        queue.Fired.ShouldBe(0);
        queue.Count.ShouldBe(0);

        queue.Remove(wait);
        wait.Finish();
        queue.Arm(wait, queue.DueIn(TimeSpan.FromSeconds(1)), wait.Park()).ShouldBeTrue();
        queue.Count.ShouldBe(1);
        time.Advance(TimeSpan.FromSeconds(1));
        wait.Resumes.ShouldBe(1);
    }

    [Fact]
    public void A4_a_wait_that_is_won_before_it_is_linked_is_never_linked()
    {
        using var queue = new TimerQueue(new VirtualTimeProvider());
        var wait = new TestWait { Due = 17 };
        int armed = wait.Park();
        wait.TryClaim();

        queue.Arm(wait, queue.DueIn(TimeSpan.FromSeconds(1)), armed).ShouldBeFalse();

        queue.Count.ShouldBe(0);
        wait.Due.ShouldBe(17);
        wait.IsLinked.ShouldBeFalse();
    }

    [Fact]
    public void A6_a_hundred_thousand_short_operations_with_timeouts_leave_depth_zero_and_allocate_nothing() => LeaveAndAllocateNothing(static _ => { });

    [Fact]
    public void A6_twin_an_entry_that_is_left_and_an_object_for_each_operation_are_caught()
    {
        Twin.IsCaught(static () => LeaveAndAllocateNothing(static _ => GC.KeepAlive(new object())), "bytes were allocated");
        var left = new TestWait();
        Twin.IsCaught(
            () => LeaveAndAllocateNothing(queue =>
            {
                if (left.IsIdle)
                {
                    queue.Arm(left, queue.DueIn(TimeSpan.FromHours(1)), left.Park());
                }
            }),
            "entries are left");
    }

    private static void LeaveAndAllocateNothing(Action<TimerQueue> plant)
    {
        var time = new VirtualTimeProvider();
        using var queue = new TimerQueue(time);
        var wait = new TestWait();
        RunShortOperations(queue, wait, 100, plant);
        long before = GC.GetAllocatedBytesForCurrentThread();
        RunShortOperations(queue, wait, 100_000, plant);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0, "bytes were allocated");
        queue.Count.ShouldBe(0, "entries are left");
        time.ActiveTimers.ShouldBeLessThanOrEqualTo(1);
    }

    private static void RunShortOperations(TimerQueue queue, TestWait wait, int count, Action<TimerQueue> plant)
    {
        for (int i = 0; i < count; i++)
        {
            plant(queue);
            queue.Arm(wait, queue.DueIn(TimeSpan.FromSeconds(30)), wait.Park());
            wait.TryClaim();
            queue.Remove(wait);
            wait.Finish();
        }
    }

    private static void LeavesNothingBehind(ITimers timers)
    {
        var wait = new TestWait { Due = TimeSpan.FromSeconds(30).Ticks };
        timers.Insert(wait);
        timers.Count.ShouldBe(1);

        // The operation is done first: its wait is claimed, and whoever claims removes.
        timers.Remove(wait);

        timers.Count.ShouldBe(0);
        timers.FireUntil(TimeSpan.FromSeconds(31).Ticks).ShouldBeEmpty();
    }

    private static void LosesNobody(ITimers timers)
    {
        // Two of each deadline: near and far, in one slot and in different ones.
        long[] dues = [10_000, 10_000, 20_000, 20_000, 5_000_000, 5_000_000, 400_000_000, 400_000_000];
        for (int removed = 0; removed < dues.Length; removed++)
        {
            List<WaitNode> left = [];
            foreach (long due in dues)
            {
                var wait = new TestWait { Due = due };
                timers.Insert(wait);
                left.Add(wait);
            }

            timers.Remove(left[removed]);
            left.RemoveAt(removed);

            timers.Count.ShouldBe(left.Count);
            timers.FireUntil(400_000_000).ShouldBe(left, ignoreOrder: true);
            timers = timers is Wheel ? new Wheel() : timers;
        }
    }

    private sealed class Wheel : ITimers
    {
        private readonly TimerWheel _wheel = new();

        public int Count => _wheel.Count;

        public void Insert(WaitNode node) => _wheel.Insert(node);

        public void Remove(WaitNode node) => _wheel.Remove(node);

        public List<WaitNode> FireUntil(long now)
        {
            var due = default(DueChain);
            _wheel.Advance(now, exact: false, int.MaxValue, ref due).ShouldBeTrue();
            List<WaitNode> fired = [];
            for (WaitNode? node = due.Head; node is not null; node = node.Next)
            {
                fired.Add(node);
            }

            return fired;
        }
    }

    /// <summary>The first twin: leaving only marks the entry as one that is not wanted; it stays until its time.</summary>
    private sealed class KeepsUntilDeadline : ITimers
    {
        private readonly List<WaitNode> _nodes = [];

        public int Count => _nodes.Count;

        public void Insert(WaitNode node) => _nodes.Add(node);

        public void Remove(WaitNode node) => node.Queue = null;

        public List<WaitNode> FireUntil(long now)
        {
            List<WaitNode> fired = _nodes.FindAll(node => node.Due <= now);
            _nodes.RemoveAll(node => node.Due <= now);
            return fired;
        }
    }

    /// <summary>The second twin: unlinking clears the link of the predecessor, and with it everybody behind.</summary>
    private sealed class LosesTheRest : ITimers
    {
        private WaitNode? _head;

        public int Count { get; private set; }

        public void Insert(WaitNode node)
        {
            node.Next = _head;
            _head = node;
            Count++;
        }

        public void Remove(WaitNode node)
        {
            Count--;
            if (_head == node)
            {
                _head = node.Next;
                return;
            }

            for (WaitNode? at = _head; at is not null; at = at.Next)
            {
                if (at.Next == node)
                {
                    at.Next = null;
                }
            }
        }

        public List<WaitNode> FireUntil(long now)
        {
            List<WaitNode> fired = [];
            for (; _head is not null; _head = _head.Next)
            {
                fired.Add(_head);
            }

            return fired;
        }
    }
}
