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
        task.Frames.ShouldBe(["PlainAsync", "PlainAsync", "InnerAsync", "OuterAsync"]);
        task.WaitingFor.ShouldBe("a foreign awaitable in InnerAsync");
        task.Waited.ShouldBe(90 * Second);
        task.Holds.ShouldBe(["mutex 'ledger'"]);
        report.ToString().ShouldContain("'left' (Blocked), spawned at StopReportTests.cs:");
        report.ToString().ShouldContain("waits since 90 s in PlainAsync ← PlainAsync ← InnerAsync ← OuterAsync for a foreign awaitable in InnerAsync; it holds mutex 'ledger'");
        held.SetResult();
    }

    [Fact]
    public async Task B5_ALeakedTaskWhoseCleanUpHangsIsAbandonedWhenItsTimeIsOver()
    {
        var world = new World();
        var held = new TaskCompletionSource();
        LoseWithCleanUp(world, held.Task);
        Task<StopReport> stop = world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero, 7 * Second);
        await UntilAsync(() => world.Time.NextTimerIn == 7 * Second);
        stop.IsCompleted.ShouldBeFalse();
        world.Time.Advance(7 * Second);
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
        leak.Frames.ShouldBe(["PlainAsync", "PlainAsync", "DeafAsync"]);
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

    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Yield();
        }
    }
}
