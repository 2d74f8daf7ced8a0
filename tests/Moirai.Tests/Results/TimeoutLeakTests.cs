using Moirai.Execution;
using Moirai.Results;
using Moirai.Tests.Timers;
using Moirai.Timers;

namespace Moirai.Tests.Results;

/// <summary>Rows A1 and A2 on whole tasks: whatever way an operation goes, its timeout leaves nothing in the timer queue.</summary>
public sealed class TimeoutLeakTests
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);

    /// <summary>How an operation is timed: by what is tested, or by a timeout in which a fault is planted.</summary>
    private delegate Future Timing(Future operation, TimeSpan within);

    public static TheoryData<string> Ways => ["value", "failure", "synchronous value", "synchronous failure"];

    [Theory]
    [MemberData(nameof(Ways))]
    public void A1_an_operation_that_ends_before_its_timeout_leaves_zero_timer_entries_at_once(string way) => LeavesNoEntry(way, Timed);

    [Theory]
    [MemberData(nameof(Ways))]
    public void A1_twin_a_timeout_whose_entry_stays_until_its_deadline_is_caught_whichever_way_the_operation_ends(string way) =>
        Twin.IsCaught(() => LeavesNoEntry(way, ForgetfulAsync), "entries are left");

    [Fact]
    public void A1_a_canceled_operation_leaves_zero_timer_entries_at_once() => LeavesNoEntryWhenCanceled(Timed);

    [Fact]
    public void A1_twin_a_timeout_whose_entry_outlives_the_cancellation_is_caught() =>
        Twin.IsCaught(() => LeavesNoEntryWhenCanceled(ForgetfulAsync), "entries are left");

    [Fact]
    public void A1_the_losers_of_a_race_leave_zero_timer_entries_at_once() => LosersLeaveNoEntry(Timed);

    [Fact]
    public void A1_twin_a_race_whose_losers_leave_their_entries_is_caught() => Twin.IsCaught(() => LosersLeaveNoEntry(ForgetfulAsync), "entries are left");

    [Fact]
    public void A1_timeouts_in_timeouts_leave_as_many_entries_as_still_go_on() => NestedLeaveWhatGoesOn(Timed);

    [Fact]
    public void A1_twin_a_nested_timeout_whose_entry_stays_is_caught() => Twin.IsCaught(() => NestedLeaveWhatGoesOn(ForgetfulAsync), "entries are left");

    [Theory]
    [InlineData(TaskState.Completed)]
    [InlineData(TaskState.Failed)]
    [InlineData(TaskState.Canceled)]
    public void A2_the_end_of_a_task_takes_out_an_entry_that_its_code_left_behind(TaskState end) =>
        EndsWithoutEntries(end, static (task, entry) => new TimeoutRegion(task, entry));

    [Theory]
    [InlineData(TaskState.Completed)]
    [InlineData(TaskState.Failed)]
    [InlineData(TaskState.Canceled)]
    public void A2_twin_an_end_that_does_not_ask_the_regions_is_caught(TaskState end) =>
        Twin.IsCaught(() => EndsWithoutEntries(end, static (task, _) => new ForgetfulRegion(task)), "timers 1");

    private static Future Timed(Future operation, TimeSpan within) => operation.WithTimeout(within);

    // The bug of embassy: when the operation is done first, its entry stays in the queue until the deadline, and longer than the task.
    private static async Future ForgetfulAsync(Future operation, TimeSpan within)
    {
        TimerQueue timers = ManagedTask.Current!.Engine.Timers;
        var entry = new TestWait();
        timers.Arm(entry, timers.DueIn(within), entry.Park());
        await operation;
    }

    private static void LeavesNoEntry(string way, Timing timed)
    {
        var world = new World();
        var gate = new Gate();
        var left = new Gate();
        int after = -1;
        ManagedTask task = world.Start(async ct =>
        {
            try
            {
                await timed(WorkAsync(way, gate), Long);
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
        after.ShouldBe(0, "entries are left");
        world.Timers.ShouldBe(0);
        task.State.ShouldBe(TaskState.Blocked);
        world.Time.Elapsed.ShouldBe(TimeSpan.Zero);
        left.Open();
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    private static void LeavesNoEntryWhenCanceled(Timing timed)
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await timed(Future.Delay(Long), Long));
        world.Timers.ShouldBe(2);

        task.Cancel().ShouldBeTrue();
        world.Timers.ShouldBe(1); // the wait was taken out by who canceled; the timeout goes when the task runs
        world.Run();

        world.Timers.ShouldBe(0, "entries are left");
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    private static void LosersLeaveNoEntry(Timing timed)
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
                    await timed(mine == 7 ? gate.WaitAsync() : Future.Delay(Long), Long);
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
        world.Timers.ShouldBe(0, "entries are left");
        world.ShouldBeEmpty();
    }

    private static void NestedLeaveWhatGoesOn(Timing timed)
    {
        var world = new World();
        var gates = new[] { new Gate(), new Gate(), new Gate() };
        ManagedTask task = world.Start(async ct => await NestAsync(gates, 2, timed));
        for (int open = 0; open < gates.Length; open++)
        {
            world.Timers.ShouldBe(gates.Length - open, "entries are left");
            gates[open].Open();
            world.Run();
        }

        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    private static void EndsWithoutEntries(TaskState end, Func<ManagedTask, TestWait, CancelRegion> region)
    {
        var world = new World();
        var gate = new Gate();
        Future rest = end switch
        {
            TaskState.Failed => Future.FromException(new ArithmeticException()),
            TaskState.Canceled => gate.WaitAsync(),
            _ => Future.Completed(),
        };
        ManagedTask task = world.Start(_ => LeaveBehindAsync(region, rest));
        task.Cancel().ShouldBe(end == TaskState.Canceled);
        world.Run();
        task.State.ShouldBe(end);
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

    private static async Future NestAsync(Gate[] gates, int level, Timing timed)
    {
        if (level >= 0)
        {
            await timed(NestAsync(gates, level - 1, timed), Long);
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

    private sealed class ForgetfulRegion(ManagedTask task) : CancelRegion(task, isShield: false);
}
