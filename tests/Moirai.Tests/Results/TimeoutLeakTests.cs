using Moirai.Execution;
using Moirai.Results;
using Moirai.Testing;
using Moirai.Tests.Timers;
using Moirai.Timers;

namespace Moirai.Tests.Results;

/// <summary>Rows A1, A2, A3 and A6 on whole tasks: whatever way an operation goes, its timeout leaves nothing in the timer queue.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class TimeoutLeakTests
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);

    [Theory]
    [InlineData("value")]
    [InlineData("failure")]
    [InlineData("synchronous value")]
    [InlineData("synchronous failure")]
    public void A1_an_operation_that_ends_before_its_timeout_leaves_zero_timer_entries_at_once(string way)
    {
        var world = new World();
        var gate = new Gate();
        var left = new Gate();
        int after = -1;
        ManagedTask task = world.Start(async ct =>
        {
            try
            {
                await WorkAsync(way, gate).WithTimeout(Long);
            }
            catch (ArithmeticException)
            {
                // the failure that was asked for
            }

            after = world.Timers;
            await left.WaitAsync();
        });
        if (!way.StartsWith("sync", StringComparison.Ordinal))
        {
            world.Timers.ShouldBe(1);
            gate.Open();
            world.Run();
        }

        // The task lives on, the deadline is far away, and the entry is gone.
        after.ShouldBe(0);
        world.Timers.ShouldBe(0);
        task.State.ShouldBe(TaskState.Blocked);
        world.Time.Elapsed.ShouldBe(TimeSpan.Zero);
        left.Open();
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_canceled_operation_leaves_zero_timer_entries_at_once()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await Future.Delay(Long).WithTimeout(Long));
        world.Timers.ShouldBe(2);

        task.Cancel().ShouldBeTrue();
        world.Timers.ShouldBe(1); // the wait was taken out by who canceled; the timeout goes when the task runs
        world.Run();

        world.Timers.ShouldBe(0);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_the_losers_of_a_race_leave_zero_timer_entries_at_once()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask<int> race = world.Spawn(async ct => await world.Runtime.RunScopeAsync("race", async scope =>
        {
            await using var collector = new TaskCollector<int>(scope);
            for (int i = 0; i < 10; i++)
            {
                int mine = i;
                _ = collector.Add(async ct =>
                {
                    await (mine == 7 ? gate.WaitAsync() : Future.Delay(Long)).WithTimeout(Long);
                    return mine;
                });
            }

            return await collector.CollectFirstAsync();
        }));
        world.Run();
        world.Timers.ShouldBe(10 + 9);

        gate.Open();
        world.Run();

        race.Result.ShouldBe(7);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_timeouts_in_timeouts_leave_as_many_entries_as_still_go_on()
    {
        var world = new World();
        var gates = new[] { new Gate(), new Gate(), new Gate() };
        ManagedTask task = world.Start(async ct => await NestAsync(gates, 2));
        for (int open = 0; open < gates.Length; open++)
        {
            world.Timers.ShouldBe(gates.Length - open);
            gates[open].Open();
            world.Run();
        }

        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A2_the_end_of_a_task_takes_out_an_entry_that_its_code_left_behind() =>
        EndsWithoutEntries((task, entry) => new TimeoutRegion(task, entry));

    [Fact]
    public void A2_twin_an_end_that_does_not_ask_the_regions_is_caught() =>
        Should.Throw<ShouldAssertException>(() => EndsWithoutEntries((task, _) => new ForgetfulRegion(task)));

    [Fact]
    public void A2_the_end_takes_out_what_was_left_also_when_the_body_fails_or_is_canceled()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask failing = world.Start(_ => LeaveBehindAsync((task, entry) => new TimeoutRegion(task, entry), Future.FromException(new ArithmeticException())));
        ManagedTask canceled = world.Start(_ => LeaveBehindAsync((task, entry) => new TimeoutRegion(task, entry), gate.WaitAsync()));
        world.Timers.ShouldBe(1);
        canceled.Cancel();
        world.Run();

        failing.State.ShouldBe(TaskState.Failed);
        canceled.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A3_a_delay_allocates_nothing_for_its_timer_entry() => DelaysAllocateNothing(static () => { });

    [Fact]
    public void A3_twin_an_entry_of_its_own_for_each_delay_is_caught() =>
        Should.Throw<ShouldAssertException>(() => DelaysAllocateNothing(static () => GC.KeepAlive(new TestWait())));

    [Fact]
    public void A6_a_hundred_thousand_short_tasks_with_timeouts_leave_depth_zero_and_flat_memory() =>
        MemoryStaysFlat(10, static (_, _) => { });

    [Fact]
    public void A6_twin_entries_that_stay_until_their_deadline_are_caught() => Should.Throw<ShouldAssertException>(() => MemoryStaysFlat(0, static (timers, _) =>
    {
        var entry = new TestWait();
        timers.Arm(entry, timers.DueIn(Long), entry.Park());
    }));

    [Fact]
    public void A6_twin_memory_that_each_task_leaves_behind_is_caught() =>
        Should.Throw<ShouldAssertException>(() => MemoryStaysFlat(4, static (_, kept) => kept.Add(new byte[1_000])));

    private static void MemoryStaysFlat(int rounds, Action<TimerQueue, List<byte[]>> plant)
    {
        var world = new World();
        List<byte[]> kept = [];
        long before = 0;
        for (int round = 0; round <= rounds; round++)
        {
            for (int i = 0; i < 5_000; i++)
            {
                _ = world.Spawn(async ct =>
                {
                    await Future.Yield();
                    plant(world.Runtime.Engine.Timers, kept);
                    await Future.Yield();
                });
                _ = world.Spawn(static async ct => await YieldAsync().WithTimeout(Long));
            }

            world.Run();
            world.Timers.ShouldBe(0);
            if (round == 0)
            {
                before = GC.GetTotalMemory(forceFullCollection: true);
            }
        }

        (GC.GetTotalMemory(forceFullCollection: true) - before).ShouldBeLessThan(4_000_000);
        GC.KeepAlive(kept);
        world.ShouldBeEmpty();
    }

    private static void DelaysAllocateNothing(Action plant)
    {
        // Code that the compiler has not optimized yet boxes the awaiter, 24 bytes; an entry of its own has at least 64.
        const int Delays = 300;
        const int MostRounds = 3;
        long allowed = CostOfTheClock(Delays) + (40 * Delays);
        var world = new World();
        long best = long.MaxValue;
        ManagedTask task = world.Spawn(async ct =>
        {
            for (int round = 0; round < MostRounds && best > allowed; round++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < Delays; i++)
                {
                    plant();
                    await Future.Delay(TimeSpan.FromMilliseconds(1));
                }

                best = Math.Min(best, GC.GetAllocatedBytesForCurrentThread() - before);
            }
        });
        world.Run();
        while (!task.IsEnded)
        {
            world.Time.Advance(TimeSpan.FromMilliseconds(1));
            world.Run();
        }

        // What the virtual clock allocates to set its one timer is not the entry's: it is measured and taken off.
        best.ShouldBeLessThanOrEqualTo(allowed);
    }

    private static long CostOfTheClock(int times)
    {
        var time = new VirtualTimeProvider();
        using var queue = new TimerQueue(time);
        var wait = new TestWait();
        long bytes = 0;
        for (int i = 0; i < 2 * times; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            queue.Arm(wait, queue.DueIn(TimeSpan.FromMilliseconds(1)), wait.Park());
            time.Advance(TimeSpan.FromMilliseconds(1));
            bytes += i < times ? 0 : GC.GetAllocatedBytesForCurrentThread() - before;
        }

        return bytes;
    }

    private static void EndsWithoutEntries(Func<ManagedTask, TestWait, CancelRegion> region)
    {
        var world = new World();
        ManagedTask task = world.Start(_ => LeaveBehindAsync(region, Future.Completed()));
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    // Code that enters a timed region, arms its entry, and never leaves it.
    private static async Future LeaveBehindAsync(Func<ManagedTask, TestWait, CancelRegion> region, Future rest)
    {
        ManagedTask task = ManagedTask.Current!;
        var entry = new TestWait();
        region(task, entry).Enter();
        task.Engine.Timers.Arm(entry, task.Engine.Timers.DueIn(Long), entry.Park());
        await rest;
    }

    private static async Future NestAsync(Gate[] gates, int level)
    {
        if (level >= 0)
        {
            await NestAsync(gates, level - 1).WithTimeout(Long);
            await gates[Math.Min(level + 1, gates.Length - 1)].WaitAsync();
            return;
        }

        await gates[0].WaitAsync();
    }

    private static async Future WorkAsync(string way, Gate gate)
    {
        if (!way.StartsWith("sync", StringComparison.Ordinal))
        {
            await gate.WaitAsync();
        }

        if (way.EndsWith("failure", StringComparison.Ordinal))
        {
            throw new ArithmeticException();
        }
    }

    private static async Future YieldAsync() => await Future.Yield();

    private sealed class ForgetfulRegion(ManagedTask task) : CancelRegion(task, isShield: false);
}
