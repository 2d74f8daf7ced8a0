using System.Runtime.CompilerServices;

namespace Moirai.Tests.Shutdown;

/// <summary>Row B5, the end of a stop: what can neither end nor be canceled is healed if it was leaked, else abandoned, and named with where it waits.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class StopReportTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public Task B5_ALeakedTaskThatNoCancellationReachesIsHealedSoThatItsCleanUpRuns() => HealsAtTheStopAsync(static _ => { });

    [Fact]
    public Task B5_twin_AStopThatDoesNotLookForLeaksIsCaught() =>
        Twin.IsCaughtAsync(() => HealsAtTheStopAsync(static options => options.LeaksAtStop = null), "the leaked task was left");

    [Fact]
    public async Task B5_WhatLeakedIsOnlyNamedWhereTheOptionsSaySo()
    {
        var world = new World(static options => options.LeaksAtStop = LeakPolicy.Report);
        Lose(world);
        StopReport report = await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        report.Leaks.ShouldHaveSingleItem().Remedy.ShouldBe(LeakRemedy.None);
        report.Left.ShouldHaveSingleItem().Name.ShouldBe("deaf");
        world.Trace.ShouldBeEmpty();
    }

    [Fact]
    public async Task B5_TheReportSaysHowManyEndedHow()
    {
        var world = new World();
        var held = new TaskCompletionSource();
        _ = world.Start(static async _ => await Future.Yield(), "long over");
        _ = world.Spawn(static async _ => await Future.Delay(Second), "in time 1");
        _ = world.Spawn(static async _ => await Future.Delay(Second), "in time 2");
        for (int i = 0; i < 3; i++)
        {
            _ = world.Spawn(static async _ => await Future.Delay(TimeSpan.FromHours(1)), "canceled");
        }

        ManagedTask left = world.Runtime.SpawnDetached(_ => held.Task, "left");
        Lose(world);

        Task<StopReport> stop = world.Runtime.StopAsync(2 * Second, Second);
        world.Time.Advance(Second);
        await UntilAsync(() => world.Census.Live == 5);
        world.Time.Advance(Second);
        await UntilAsync(() => world.Census.Live == 2 && world.Time.ActiveTimers > 0);
        world.Time.Advance(Second);
        StopReport report = await stop;

        report.Completed.ShouldBe(3);
        report.Canceled.ShouldBe(3);
        report.Failed.ShouldBe(1, "the leaked one");
        report.Drained.ShouldBe(2);
        report.Interrupted.ShouldBe(3);
        report.Leaks.ShouldHaveSingleItem().Name.ShouldBe("deaf");
        report.Left.ShouldHaveSingleItem().Id.ShouldBe(left.Id);
        report.ToString().ShouldContain("since the stop began 2 ended by themselves and 3 after they were canceled; 1 had leaked");
        world.Census.IsBalanced.ShouldBeTrue();
        GC.KeepAlive(held);
    }

    [Fact]
    public async Task B5_WhatIsLeftIsNamedWithItsChainOfMethodsItsWaitAndSinceWhen()
    {
        var world = new World();
        var held = new TaskCompletionSource();
        ManagedTask left = world.Runtime.SpawnDetached(OuterAsync(held.Task), "left");
        world.Run();
        world.Advance(90);
        StopReport report = await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);

        LeftTask task = report.Left.ShouldHaveSingleItem();
        task.Id.ShouldBe(left.Id);
        task.SpawnSite.ShouldStartWith("StopReportTests.cs:");
        task.Frames.Select(MethodOf).ShouldBe(["PlainAsync", "PlainAsync", "InnerAsync", "OuterAsync"]);
        task.WaitingFor.ShouldBe("a foreign awaitable in InnerAsync");
        task.Waited.ShouldBe(90 * Second);
        task.Holds.ShouldBe(["mutex 'ledger'"]);
        report.ToString().ShouldContain("'left' (Blocked), spawned at StopReportTests.cs:");
        report.ToString().ShouldContain($"waits since 90 s in {string.Join(" ← ", task.Frames)} for a foreign awaitable in InnerAsync; it holds mutex 'ledger'");
        held.SetResult();
    }

    [Fact]
    public async Task B5_ALeakedTaskWhoseCleanUpHangsIsAbandonedWhenItsTimeIsOver()
    {
        var world = new World();
        var held = new TaskCompletionSource();
        LoseWithCleanUp(world, held.Task);
        Task<StopReport> stop = world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero, 7 * Second);
        for (double round = 0.05; round < 6; round *= 2)
        {
            await UntilAsync(() => world.Time.NextTimerIn == Math.Min(round, 7 - world.Time.Elapsed.TotalSeconds) * Second); // so long a round is; the next finds that nothing more is lost
            stop.IsCompleted.ShouldBeFalse();
            world.Time.AdvanceToNextTimer();
        }

        world.Time.Elapsed.ShouldBe(6.35 * Second);
        await UntilAsync(() => world.Time.NextTimerIn == 0.65 * Second);
        world.Time.Advance(0.65 * Second);
        StopReport report = await stop;

        report.Leaks.ShouldHaveSingleItem().Remedy.ShouldBe(LeakRemedy.Resumed);
        report.Left.ShouldHaveSingleItem().Name.ShouldBe("hanging");
        held.SetResult();
        await UntilAsync(() =>
        {
            world.Run();
            return world.Census.Live == 0;
        });
    }

    public enum Limit
    {
        Timeout,
        TimeoutUnderDeadline,
        DeadlineOfTheScope,
        TimeoutOfTheParent,
    }

    [Theory]
    [InlineData(Limit.Timeout)]
    [InlineData(Limit.TimeoutUnderDeadline)]
    [InlineData(Limit.DeadlineOfTheScope)]
    [InlineData(Limit.TimeoutOfTheParent)]
    public async Task B5_ADeafTaskUnderATimeoutOrADeadlineIsHealedAtTheStop(Limit limit)
    {
        var world = new World();
        LoseUnder(world, limit);
        StopReport report = await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        report.Left.ShouldBeEmpty();
        report.Leaks.ShouldContain(static leak => leak.Frames.Any(static frame => MethodOf(frame) == "DeafAsync"), report.ToString());
        world.Trace.ShouldBe(["cleaned up"]);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Limit.Timeout)]
    [InlineData(Limit.TimeoutUnderDeadline)]
    [InlineData(Limit.DeadlineOfTheScope)]
    [InlineData(Limit.TimeoutOfTheParent)]
    public async Task B5_twin_ADeafTaskThatSomebodyCanEndIsLeftWithItsTimeout(Limit limit)
    {
        var world = new World();
        var held = new TaskCompletionSource();
        _ = world.Runtime.SpawnDetached(UnderAsync(world, held.Task, limit), "deaf");
        world.Run();
        int timers = world.Timers;
        StopReport report = await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        report.Leaks.ShouldBeEmpty();
        report.Left.ShouldNotBeEmpty();
        world.Timers.ShouldBe(timers, "a search gives back what it takes out");
        held.SetResult();
        await UntilAsync(() =>
        {
            world.Run();
            return world.Census.Live == 0;
        });
        world.Timers.ShouldBe(0);
    }

    [Fact]
    public async Task Leak_ATimeoutThatListensOrThatCanInterruptIsNoTimeoutInVain()
    {
        var world = new World();
        LoseListening(world);
        (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).IsClean.ShouldBeTrue("the timeout cancels the token that the foreign code heeds, and a wait of ours");
        world.Advance(5);
        await UntilAsync(() =>
        {
            world.Run();
            return world.Census.Live == 0;
        });
    }

    [Fact]
    public async Task B5_ACleanUpThatWaitsForSomethingLostAgainIsHealedAgain()
    {
        var world = new World();
        LoseTwice(world);
        Task<StopReport> stop = world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        int seen = 0;
        await UntilAsync(() =>
        {
            if (world.Trace.Length > seen && world.Time.NextTimerIn is { } next && next < Second)
            {
                seen = world.Trace.Length;
                world.Time.Advance(next); // a round is over, in which the clean-up has come to its next wait
            }

            return stop.IsCompleted;
        });
        StopReport report = await stop;
        report.Left.ShouldBeEmpty();
        report.Leaks.ShouldHaveSingleItem().Name.ShouldBe("twice");
        world.Trace.ShouldBe(["first", "second", "third"]);
        world.ShouldBeEmpty();
        world.Time.ActiveTimers.ShouldBe(0);
    }

    [Fact]
    public async Task B5_DrainingEndsBeforeItsTimeWhenWhoStopsIsInAHurry()
    {
        var world = new World();
        ManagedTask slow = world.Spawn(static async _ => await Future.Delay(TimeSpan.FromHours(1)), "slow");
        using var hurry = new CancellationTokenSource();
        Task<StopReport> stop = world.Runtime.StopAsync(TimeSpan.FromHours(2), Second, abandon: null, hurry.Token);
        await UntilAsync(() => world.Time.ActiveTimers == 2);
        stop.IsCompleted.ShouldBeFalse();

        await hurry.CancelAsync();
        StopReport report = await stop;

        slow.State.ShouldBe(TaskState.Canceled);
        report.Interrupted.ShouldBe(1);
        report.IsComplete.ShouldBeTrue();
        world.Time.Elapsed.ShouldBe(TimeSpan.Zero);
        world.Time.ActiveTimers.ShouldBe(0);
    }

    [Fact]
    public async Task B5_APoolThatIsDisposedAfterTheStopDoesNotWaitForWhatTheStopLeft()
    {
        var world = new World();
        var held = new TaskCompletionSource();
        TaskPool pool = world.Runtime.CreatePool("deaf ones", 1);
        pool.TrySpawn(_ => held.Task, out ManagedTask? left).ShouldBeTrue();
        world.Run();
        (await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero)).Left.ShouldHaveSingleItem().Id.ShouldBe(left.Id);

        ValueTask disposed = ((IAsyncDisposable)pool).DisposeAsync();
        await UntilAsync(() =>
        {
            world.Run();
            return disposed.IsCompleted;
        });
        await disposed;
        pool.ActiveCount.ShouldBe(1, "the account says the truth");
        held.SetResult();
    }

    private static async Task HealsAtTheStopAsync(Action<TaskRuntimeOptions> configure)
    {
        var world = new World(configure);
        Lose(world);
        StopReport report = await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);

        report.Left.ShouldBeEmpty("the leaked task was left");
        LeakedTask leak = report.Leaks.ShouldHaveSingleItem();
        leak.Name.ShouldBe("deaf");
        leak.SpawnSite.ShouldStartWith("StopReportTests.cs:");
        leak.Frames.Select(MethodOf).ShouldBe(["PlainAsync", "PlainAsync", "DeafAsync"]);
        leak.WaitsFor.ShouldBe("a Task that nobody completes");
        leak.Remedy.ShouldBe(LeakRemedy.Resumed);
        world.Trace.ShouldBe(["cleaned up"]);
        report.Failed.ShouldBe(1);
        report.ToString().ShouldContain("leaked: #");
        world.ShouldBeEmpty();
        world.Time.ActiveTimers.ShouldBe(0);
    }

    // In methods of their own: what is still on a stack counts as held.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose(World world)
    {
        _ = world.Runtime.SpawnDetached(DeafAsync(world, new TaskCompletionSource().Task), "deaf");
        world.Run();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseWithCleanUp(World world, Task cleanUp)
    {
        _ = world.Runtime.SpawnDetached(HangingAsync(new TaskCompletionSource().Task, cleanUp), "hanging");
        world.Run();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseUnder(World world, Limit limit)
    {
        _ = world.Runtime.SpawnDetached(UnderAsync(world, new TaskCompletionSource().Task, limit), "deaf");
        world.Run();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseListening(World world)
    {
        _ = world.Runtime.SpawnDetached(ShieldedAsync(HearAsync()), "listens");
        _ = world.Runtime.SpawnDetached(ShieldedAsync(new Notify().WaitAsync().AsFuture()), "waits");
        world.Run();
        foreach (ManagedTask task in world.Runtime.Engine.Root.CollectTasks())
        {
            task.Cancel();
        }

        static async Future HearAsync()
        {
            var heard = new TaskCompletionSource();
            using CancellationTokenRegistration token = ManagedTask.CurrentToken.UnsafeRegister(static heard => ((TaskCompletionSource)heard!).TrySetResult(), heard);
            await heard.Task;
        }

        static async Future ShieldedAsync(Future what)
        {
            using CancelShield shield = ManagedTask.Shield();
            try
            {
                await what.WithTimeout(5 * Second);
            }
            catch (TaskTimeoutException)
            {
                // that is what it is for
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseTwice(World world)
    {
        _ = world.Runtime.SpawnDetached(TwiceAsync(world), "twice");
        world.Run();
    }

    private static async Future TwiceAsync(World world)
    {
        try
        {
            await new TaskCompletionSource().Task;
        }
        finally
        {
            world.Log("first");
            try
            {
                await new TaskCompletionSource().Task;
            }
            finally
            {
                world.Log("second");
                try
                {
                    await new TaskCompletionSource().Task;
                }
                finally
                {
                    world.Log("third");
                }
            }
        }
    }

    private static Future UnderAsync(World world, Task what, Limit limit) => limit switch
    {
        Limit.Timeout => DeafAsync(world, what).WithTimeout(Second),
        Limit.TimeoutUnderDeadline => ScopeAsync(world, DeafAsync(world, what).WithTimeout(Second), 2 * Second),
        Limit.DeadlineOfTheScope => ScopeAsync(world, DeafAsync(world, what), Second),
        _ => ScopeAsync(world, DeafAsync(world, what), Timeout.InfiniteTimeSpan).WithTimeout(Second),
    };

    private static async Future ScopeAsync(World world, Future inside, TimeSpan deadline) => await world.Runtime.RunScopeAsync(
        "scope",
        async scope =>
        {
            if (deadline != Timeout.InfiniteTimeSpan)
            {
                scope.CancelAfter(deadline);
            }

            _ = scope.Spawn(inside, "inside");
        });

    private static async Future DeafAsync(World world, Task lost)
    {
        try
        {
            await PlainAsync(lost, 1);
        }
        finally
        {
            world.Log("cleaned up");
        }
    }

    private static async Future HangingAsync(Task lost, Task cleanUp)
    {
        try
        {
            await lost;
        }
        finally
        {
            await cleanUp;
        }
    }

    private static async Future OuterAsync(Task held)
    {
        var ledger = new AsyncMutex("ledger");
        using (await ledger.LockAsync())
        {
            await InnerAsync(held);
        }
    }

    private static async Future InnerAsync(Task held) => await PlainAsync(held, 1);

    private static async Task PlainAsync(Task what, int depth) => await (depth == 0 ? what : PlainAsync(what, depth - 1));

    private static Task UntilAsync(Func<bool> condition) => Eventually.IsAsync(condition);

    // The await site of each method is told too: the file and some line.
    private static string MethodOf(string frame)
    {
        System.Text.RegularExpressions.Match match = System.Text.RegularExpressions.Regex.Match(frame, @"^StopReportTests\.(\w+) \(StopReportTests\.cs:\d+\)$");
        return match.Success ? match.Groups[1].Value : frame;
    }
}
