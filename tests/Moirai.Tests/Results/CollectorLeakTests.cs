namespace Moirai.Tests.Results;

/// <summary>Row C9: however a collection ends, what was collected has ended before it. Each with gatherings by hand that get it wrong.</summary>
public sealed class CollectorLeakTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    public enum Ends
    {
        /// <summary>A member fails.</summary>
        ByFailure,

        /// <summary>A member is canceled by somebody else.</summary>
        ByCanceledMember,

        /// <summary>Who collects is canceled.</summary>
        ByCancellation,

        /// <summary>The time of a partial collection is over.</summary>
        ByDeadline,

        /// <summary>One was enough.</summary>
        ByTheFirst,

        /// <summary>Who reads one outcome after the other has read enough.</summary>
        ByLeaving,
    }

    public static TheoryData<Ends> AllEnds => [.. Enum.GetValues<Ends>()];

    private delegate Future Gather(World world, TaskScope scope, Ends how, Func<CancellationToken, Future<int>>[] members);

    [Theory]
    [MemberData(nameof(AllEnds))]
    public void C9_however_a_collection_ends_the_rest_is_canceled_and_awaited_and_nothing_is_left(Ends how) => LeavesNothing(how, CollectAsync);

    [Theory]
    [MemberData(nameof(AllEnds))]
    public void C9_twin_a_gathering_that_leaves_the_rest_running_is_caught(Ends how) =>
        Twin.IsCaught(() => LeavesNothing(how, LeaveTheRestAsync), "the rest was not awaited");

    [Theory]
    [MemberData(nameof(AllEnds))]
    public void C9_twin_a_gathering_that_waits_for_the_rest_and_does_not_cancel_it_is_caught(Ends how) =>
        Twin.IsCaught(() => LeavesNothing(how, WaitForTheRestAsync), "the rest was not canceled");

    [Theory]
    [InlineData(null)]
    [InlineData(3600.0)]
    public void C9_a_partial_collection_in_time_leaves_no_timer(double? seconds) => InTimeLeavesNoTimer(
        collector => collector.CollectPartialAsync(seconds is { } s ? TimeSpan.FromSeconds(s) : null));

    [Fact]
    public void C9_twin_a_partial_collection_whose_deadline_outlives_it_is_caught() => Twin.IsCaught(
        static () => InTimeLeavesNoTimer(static async collector =>
        {
            var entry = new Timers.TestWait();
            Moirai.Timers.TimerQueue timers = ManagedTask.Current!.Engine.Timers;
            timers.Arm(entry, timers.DueIn(Deadline), entry.Park());
            return await collector.CollectPartialAsync();
        }),
        "entries are left");

    private static void LeavesNothing(Ends how, Gather gather)
    {
        var world = new World();
        var trigger = new Gate();
        var cleanUp = new Gate();
        ManagedTask? rest = null;
        TaskScope scope = world.Runtime.OpenScope("shop");
        ManagedTask collecting = world.Start(async _ =>
        {
            try
            {
                await gather(world, scope, how, [RestAsync, MemberAsync]);
            }
            catch (Exception error) when (error is FormatException or ManagedTaskCanceledException { Cause.Reason: "not wanted" })
            {
                world.Log("failed");
            }
        });
        switch (how)
        {
            case Ends.ByCancellation:
                collecting.Cancel();
                world.Run();
                break;
            case Ends.ByDeadline:
                world.Advance(Deadline.TotalSeconds);
                break;
            default:
                trigger.Open();
                world.Run();
                break;
        }

        collecting.IsEnded.ShouldBeFalse("the rest was not awaited");
        cleanUp.Open();
        world.Run();
        collecting.IsEnded.ShouldBeTrue("the rest was not canceled");
        collecting.State.ShouldBe(how == Ends.ByCancellation ? TaskState.Canceled : TaskState.Completed);
        rest!.State.ShouldBe(TaskState.Canceled);
        world.Trace.Length.ShouldBe(how is Ends.ByFailure or Ends.ByCanceledMember ? 1 : 0);
        scope.CancelCause.ShouldBeNull();
        world.CloseAndBeEmpty(scope);

        async Future<int> RestAsync(CancellationToken token)
        {
            rest = ManagedTask.Current;
            try
            {
                await Future.Delay(TimeSpan.FromHours(1));
            }
            finally
            {
                using CancelShield shield = ManagedTask.Shield();
                await cleanUp.WaitAsync();
            }

            return 1;
        }

        async Future<int> MemberAsync(CancellationToken token)
        {
            await trigger.WaitAsync();
            if (how == Ends.ByCanceledMember)
            {
                ManagedTask.Current!.Cancel("not wanted");
                await Future.Yield();
            }

            return how == Ends.ByFailure ? throw new FormatException("as planned") : 2;
        }
    }

    private static async Future CollectAsync(World world, TaskScope scope, Ends how, Func<CancellationToken, Future<int>>[] members)
    {
        await using var collector = new TaskCollector<int>(scope, "prices");
        foreach (Func<CancellationToken, Future<int>> member in members)
        {
            _ = collector.Add(member);
        }

        switch (how)
        {
            case Ends.ByDeadline:
                PartialResults<int> partial = await collector.CollectPartialAsync(Deadline);
                partial.InTime.ShouldBeFalse();
                break;
            case Ends.ByTheFirst:
                (await collector.CollectFirstAsync()).ShouldBe(2);
                break;
            case Ends.ByLeaving:
                await foreach (TaskOutcome<int> outcome in collector.AsCompleted())
                {
                    outcome.Index.ShouldBe(1);
                    break;
                }

                break;
            default:
                await collector.CollectAsync();
                break;
        }
    }

    // As one waits by hand for what was started by hand: the other one is nobody's.
    private static async Future LeaveTheRestAsync(World world, TaskScope scope, Ends how, Func<CancellationToken, Future<int>>[] members)
    {
        _ = world.Runtime.SpawnDetached(members[0]);
        ManagedTask<int> member = world.Runtime.SpawnDetached(members[1]);
        if (how == Ends.ByDeadline)
        {
            await Future.Delay(Deadline);
            return;
        }

        _ = await member;
    }

    private static async Future WaitForTheRestAsync(World world, TaskScope scope, Ends how, Func<CancellationToken, Future<int>>[] members)
    {
        ManagedTask<int> rest = world.Runtime.SpawnDetached(members[0]);
        try
        {
            await LeaveTheRestAsync(world, scope, how, [static _ => Future.FromResult(0), members[1]]);
        }
        finally
        {
            using CancelShield shield = ManagedTask.Shield();
            _ = await rest;
        }
    }

    private static void InTimeLeavesNoTimer(Func<TaskCollector<int>, Future<PartialResults<int>>> collect)
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("shop");
        var collector = new TaskCollector<int>(scope, "prices");
        _ = collector.Add(async _ => await Future.FromResult(1));
        PartialResults<int> some = world.Run(collect(collector));
        (some.InTime, some.IsComplete).ShouldBe((true, true));
        world.Census.TimerEntries.ShouldBe(0, "entries are left");
        world.CloseAndBeEmpty(scope);
    }
}
