using System.Runtime.CompilerServices;
using Moirai.Timers;

namespace Moirai.Tests.Timers;

/// <summary>The queue under the system clock. Nothing here depends on speed: tests wait for events, and ask only for "not early".</summary>
public sealed class ThreadDriverTests
{
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(60);

    [Fact]
    public void A_timer_fires_on_a_thread_of_the_queue_and_never_early()
    {
        using var queue = new TimerQueue(TimeProvider.System);
        foreach (int micros in (int[])[1, 500, 1_000, 1_001, 7_777, 20_000])
        {
            Probe probe = Arm(queue, TimeSpan.FromMicroseconds(micros));
            probe.Wait();
            probe.Early.ShouldBeLessThanOrEqualTo(0);
            probe.Thread!.Name.ShouldBe("Moirai timers");
            probe.Thread.IsThreadPoolThread.ShouldBeFalse();
            probe.Thread.IsBackground.ShouldBeTrue();
        }

        queue.Count.ShouldBe(0);
    }

    [Fact]
    public void S117_an_earlier_insert_cuts_the_sleep_of_the_thread_short()
    {
        using var queue = new TimerQueue(TimeProvider.System);
        Probe late = Arm(queue, TimeSpan.FromHours(1));
        Arm(queue, TimeSpan.FromMilliseconds(2)).Wait();
        late.HasFired.ShouldBeFalse();
        queue.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(25)]
    [InlineData(50)]
    [InlineData(3_650)]
    public void S107_a_deadline_farther_away_than_the_longest_sleep_of_a_thread_lets_it_sleep(int days)
    {
        using var queue = new TimerQueue(TimeProvider.System);
        Probe far = Arm(queue, TimeSpan.FromDays(days));
        Thread thread = ((ThreadDriver)queue.Driver).Thread!;
        Eventually.Is(() => (thread.ThreadState & ThreadState.WaitSleepJoin) != 0, Failsafe).ShouldBeTrue("it does not sleep");
        Arm(queue, TimeSpan.FromMilliseconds(1)).Wait();
        far.HasFired.ShouldBeFalse();
        queue.Count.ShouldBe(1);
    }

    [Fact]
    public void S117_an_insert_in_the_past_fires_at_once_also_under_a_later_one()
    {
        using var queue = new TimerQueue(TimeProvider.System);
        Arm(queue, TimeSpan.FromHours(1));
        Arm(queue, TimeSpan.Zero).Wait();
        Probe past = new(queue);
        queue.Arm(past.Node, 0, past.Node.Park()).ShouldBeTrue();
        past.Wait();
    }

    [Fact]
    public void A3_inserts_that_are_not_earlier_never_wake_the_thread_and_allocate_nothing() => NeverWakeAndAllocateNothing(static _ => { });

    [Fact]
    public void A3_twin_inserts_that_wake_the_thread_or_allocate_are_caught()
    {
        Twin.IsCaught(static () => NeverWakeAndAllocateNothing(static _ => GC.KeepAlive(new object())), "bytes were allocated");
        Twin.IsCaught(static () => NeverWakeAndAllocateNothing(static driver => driver.Plan()), "the thread was called");
    }

    private static void NeverWakeAndAllocateNothing(Action<ThreadDriver> plant)
    {
        using var queue = new TimerQueue(TimeProvider.System);
        var driver = (ThreadDriver)queue.Driver;
        Arm(queue, TimeSpan.FromHours(1));
        var wait = new TestWait();
        ArmAndRemove(queue, wait, 10);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ArmAndRemove(queue, wait, 100_000);
        plant(driver);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0, "bytes were allocated");

        driver.Calls.ShouldBe(1, "the thread was called");
        driver.Starts.ShouldBe(1);
        queue.Count.ShouldBe(1);
    }

    [Fact]
    public void The_thread_of_an_idle_queue_ends_and_the_next_timer_starts_another()
    {
        using var queue = new TimerQueue(TimeProvider.System, TimeSpan.FromMilliseconds(1));
        var driver = (ThreadDriver)queue.Driver;
        for (int i = 1; i <= 3; i++)
        {
            Probe probe = Arm(queue, TimeSpan.FromMilliseconds(1));
            probe.Wait();
            probe.Thread!.Join(Failsafe).ShouldBeTrue();
            driver.Thread.ShouldBeNull();
            driver.Starts.ShouldBe(i);
        }
    }

    [Fact]
    public void A_queue_whose_thread_goes_and_comes_all_the_time_loses_no_timer()
    {
        using var queue = new TimerQueue(TimeProvider.System, TimeSpan.Zero);
        for (int i = 0; i < 300; i++)
        {
            Arm(queue, TimeSpan.FromMicroseconds(i % 3 * 400)).Wait();
        }

        queue.Fired.ShouldBe(300);
    }

    [Fact]
    public void An_entry_that_is_never_due_needs_no_thread()
    {
        using var queue = new TimerQueue(TimeProvider.System);
        Arm(queue, Timeout.InfiniteTimeSpan);
        Arm(queue, TimeSpan.MaxValue);
        queue.Count.ShouldBe(2);
        ((ThreadDriver)queue.Driver).Starts.ShouldBe(0);
    }

    [Fact]
    public void B2_a_queue_that_nobody_holds_is_collected_once_its_thread_has_ended()
    {
        WeakReference queue = UseAndForget();
        for (int i = 0; i < 10 && queue.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        queue.IsAlive.ShouldBeFalse();
    }

    [Fact]
    public void Dispose_ends_the_thread_and_leaves_the_entries_alone()
    {
        var queue = new TimerQueue(TimeProvider.System);
        Probe late = Arm(queue, TimeSpan.FromHours(1));
        Probe first = Arm(queue, TimeSpan.Zero);
        first.Wait();

        queue.Dispose();

        first.Thread!.Join(Failsafe).ShouldBeTrue();
        queue.Count.ShouldBe(1);
        late.HasFired.ShouldBeFalse();
        queue.Remove(late.Node);
        queue.Count.ShouldBe(0);
    }

    [Fact]
    public void Timers_of_many_threads_all_fire_and_none_early()
    {
        using var queue = new TimerQueue(TimeProvider.System);
        var probes = new Probe[4][];
        var threads = new Thread[probes.Length];
        for (int t = 0; t < threads.Length; t++)
        {
            int mine = t;
            threads[t] = new Thread(() =>
            {
                var random = new Random(mine);
                probes[mine] = new Probe[500];
                for (int i = 0; i < probes[mine].Length; i++)
                {
                    probes[mine][i] = Arm(queue, TimeSpan.FromMicroseconds(random.Next(5_000)));
                }
            });
            threads[t].Start();
        }

        Array.ForEach(threads, thread => thread.Join(Failsafe).ShouldBeTrue());
        foreach (Probe probe in probes.SelectMany(all => all))
        {
            probe.Wait();
            probe.Early.ShouldBeLessThanOrEqualTo(0);
        }

        queue.Count.ShouldBe(0);
        queue.Fired.ShouldBe(2_000);
    }

    private static void ArmAndRemove(TimerQueue queue, TestWait wait, int times)
    {
        for (int i = 0; i < times; i++)
        {
            queue.Arm(wait, queue.DueIn(TimeSpan.FromHours(2)), wait.Park());
            wait.TryClaim();
            queue.Remove(wait);
            wait.Finish();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference UseAndForget()
    {
        var queue = new TimerQueue(TimeProvider.System, TimeSpan.FromMilliseconds(1));
        Probe probe = Arm(queue, TimeSpan.Zero);
        probe.Wait();
        probe.Thread!.Join(Failsafe).ShouldBeTrue();
        return new WeakReference(queue);
    }

    private static Probe Arm(TimerQueue queue, TimeSpan delay)
    {
        var probe = new Probe(queue);
        long before = TimeProvider.System.GetTimestamp();
        probe.NotBefore = delay > TimeSpan.FromDays(1) || delay < TimeSpan.Zero
            ? long.MaxValue
            : before + (long)(delay.TotalSeconds * TimeProvider.System.TimestampFrequency);
        queue.Arm(probe.Node, queue.DueIn(delay), probe.Node.Park()).ShouldBeTrue();
        return probe;
    }

    private sealed class Probe
    {
        private readonly ManualResetEventSlim _fired = new();

        public Probe(TimerQueue queue)
        {
            Queue = queue;
            Node = new TestWait { OnResume = _ => Fire() };
        }

        public TimerQueue Queue { get; }

        public TestWait Node { get; }

        public long NotBefore { get; set; }

        public long Early { get; private set; }

        public Thread? Thread { get; private set; }

        public bool HasFired => _fired.IsSet;

        public void Wait() => _fired.Wait(Failsafe, TestContext.Current.CancellationToken).ShouldBeTrue();

        private void Fire()
        {
            Early = NotBefore - TimeProvider.System.GetTimestamp();
            Thread = Thread.CurrentThread;
            _fired.Set();
        }
    }
}
