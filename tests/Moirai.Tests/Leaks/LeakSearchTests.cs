using System.Runtime.CompilerServices;
using Moirai.Leaks;

namespace Moirai.Tests.Leaks;

/// <summary>When leaks are looked for: on request, at the end of a scope, after natural collections; and since when a leaked task waits.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class LeakSearchTests
{
    [Fact]
    public async Task Leak_ALeakedTaskIsToldWithHowLongItHasWaited()
    {
        var world = new World();
        world.Advance(5);
        _ = Lose(world, "early");
        world.Advance(70);
        _ = Lose(world, "late");
        world.Advance(50);
        LeakReport report = await world.Runtime.FindLeaksAsync(LeakPolicy.Report);
        report.Leaks.Select(static leak => (leak.Name, leak.Waited.TotalSeconds)).ShouldBe([("early", 120), ("late", 50)]);
        report.Leaks[0].ToString().ShouldMatch(@"waits since 120 s in LeakSearchTests\.WaitAsync \(LeakSearchTests\.cs:\d+\) for a Task that nobody completes");
    }

    [Fact]
    public async Task Leak_ASlotThatATaskHasTakenIsAmongWhatItHoldsUntilItIsGivenBack()
    {
        var world = new World();
        _ = LoseWithSlots(world);
        (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).Leaks.ShouldHaveSingleItem().Holds.ShouldBe(["a slot of 'seats'"]);
    }

    [Fact]
    public async Task Leak_ASearchAllocatesLittleForEachWhomItSuspects()
    {
        const int Tasks = 20_000;
        var world = new World();
        var held = new TaskCompletionSource();
        for (int i = 0; i < Tasks; i++)
        {
            _ = world.Runtime.SpawnDetached(WaitAsync(held.Task));
        }

        world.Run();
        (await world.Runtime.FindLeaksAsync()).Examined.ShouldBe(Tasks); // what is made once is made
        long before = GC.GetTotalAllocatedBytes(precise: true);
        LeakReport report = await world.Runtime.FindLeaksAsync();
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        report.Examined.ShouldBe(Tasks);
        (allocated / (double)Tasks).ShouldBeLessThan(25, "a seat and a handle each, and no object: more brings on a collection of the young while the search prepares its own");
        held.SetResult();
    }

    [Fact]
    public async Task Leak_ASearchInAScopeLooksThereAndNowhereElse()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        _ = Lose(world, "outside");
        LoseIn(scope, world, "inside");
        (await scope.FindLeaksAsync()).Leaks.ShouldHaveSingleItem().Name.ShouldBe("inside");
        (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).Leaks.ShouldHaveSingleItem().Name.ShouldBe("outside");
        world.Fails<LeakedTaskException>(scope.JoinAsync());
    }

    [Fact]
    public async Task Leak_AJoinThatLooksForLeaksEndsWhereAnotherWouldWaitForEver()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        LoseIn(scope, world, "inside");
        ManagedTask join = world.Runtime.SpawnDetached(scope.JoinFindingLeaksAsync(TimeSpan.FromSeconds(3)), "join");
        world.Run();
        world.Advance(2.9);
        world.Events.ShouldBeEmpty();
        world.Time.Advance(TimeSpan.FromSeconds(0.1));
        world.RunUntil(join);
        join.Exception.ShouldBeOfType<LeakedTaskException>();
        world.Events.ShouldHaveSingleItem().Kind.ShouldBe(RuntimeEventKind.Leaked);
        await Task.CompletedTask;
        world.ShouldBeEmpty();
        world.Time.ActiveTimers.ShouldBe(0);
    }

    [Fact]
    public void Leak_AJoinThatLooksForLeaksIsAJoin()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        _ = scope.Spawn(static async _ => await Future.Delay(TimeSpan.FromSeconds(10)));
        ManagedTask join = world.Runtime.SpawnDetached(scope.JoinFindingLeaksAsync(TimeSpan.FromHours(1)), "join");
        world.Run();
        world.Time.Advance(TimeSpan.FromSeconds(10));
        world.RunUntil(join);
        join.State.ShouldBe(TaskState.Completed);
        scope.IsClosed.ShouldBeTrue();
        world.ShouldBeEmpty();

        TaskScope canceled = world.Runtime.OpenScope("canceled");
        ManagedTask child = canceled.Spawn(static async _ => await Future.Delay(TimeSpan.FromSeconds(10)));
        ManagedTask left = world.Runtime.SpawnDetached(canceled.JoinFindingLeaksAsync(TimeSpan.FromHours(1)), "left");
        world.Run();
        left.Cancel();
        world.RunUntil(left);
        left.State.ShouldBe(TaskState.Canceled);
        child.State.ShouldBe(TaskState.Canceled);
        Should.Throw<ArgumentOutOfRangeException>(() => world.Run(canceled.JoinFindingLeaksAsync(TimeSpan.Zero)));
    }

    [Fact]
    public async Task Leak_AJoinThatLooksForLeaksLeavesNoSeatBehindAfterEachLook()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        _ = scope.Spawn(static async _ => await Future.Delay(TimeSpan.FromSeconds(10)));
        ManagedTask join = world.Runtime.SpawnDetached(scope.JoinFindingLeaksAsync(TimeSpan.FromSeconds(1)), "join");
        world.Run();
        int timers = world.Time.ActiveTimers;
        world.Census.Waiters.ShouldBe(1);
        for (int look = 0; look < 3; look++)
        {
            world.Time.Advance(TimeSpan.FromSeconds(1));
            await Eventually.IsAsync(() =>
            {
                world.Run();
                return world.Time.NextTimerIn == TimeSpan.FromSeconds(1); // it has looked, and is patient again
            });
            world.Census.Waiters.ShouldBe(1);
            world.Time.ActiveTimers.ShouldBe(timers);
        }

        join.Cancel();
        world.RunUntil(join);
        world.ShouldBeEmpty();
        await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        world.Time.ActiveTimers.ShouldBe(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Leak_WhoAsksForASearchInsideATaskIsNotLostMeanwhile(bool plain)
    {
        await using var runtime = new TaskRuntime();
        ManagedTask<LeakReport> asks = plain
            ? runtime.SpawnDetached(async Task<LeakReport> (_) => await runtime.FindLeaksAsync())
            : runtime.SpawnDetached(async Future<LeakReport> (_) => await runtime.FindLeaksAsync());
        (await asks).IsClean.ShouldBeTrue();
    }

    [Fact]
    public async Task Leak_WhatALeakedTaskGuardsIsAmongWhatItHolds()
    {
        var world = new World();
        _ = LoseWithGuard(world);
        LeakedTask leak = (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).Leaks.ShouldHaveSingleItem();
        leak.Holds.ShouldBe(["a connection (guarded)"]);
        leak.ToString().ShouldContain("; it holds a connection (guarded)");
    }

    [Fact]
    public void Leak_TheWatchHealsAfterANaturalCollection()
    {
        World world = Watching(LeakPolicy.Heal);
        ManagedTask task = Lose(world, "watched");
        UntilSearched(world, 1);
        world.RunUntil(task);
        task.State.ShouldBe(TaskState.Failed);
        world.Events.ShouldHaveSingleItem().Kind.ShouldBe(RuntimeEventKind.Leaked);
    }

    [Fact]
    public async Task Leak_TheWatchTellsOfALeakOnceAndItsOwnCollectionsStartNothing()
    {
        World world = Watching(LeakPolicy.Report);
        _ = Lose(world, "watched");
        UntilSearched(world, 1);
        int searches = world.Runtime.LeakWatch!.Searches;
        (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).Leaks.Count.ShouldBe(1);
        GC.WaitForPendingFinalizers();
        world.Runtime.LeakWatch.Searches.ShouldBe(searches, "a search is no natural collection");
        UntilSearched(world, searches + 1);
        world.Events.Count(static e => e.Kind == RuntimeEventKind.Leaked).ShouldBe(2, "one by the watch, one by the search that was asked for");
    }

    [Fact]
    public void Leak_TheWatchIsOffByDefaultAndRestsAfterASearch()
    {
        new World().Runtime.LeakWatch.ShouldBeNull();
        World world = Watching(LeakPolicy.Report, TimeSpan.FromSeconds(10));
        Collect();
        Collect();
        world.Runtime.LeakWatch!.Searches.ShouldBe(0, "the clock of this world stands still");
        world.Advance(10);
        UntilSearched(world, 1);
    }

    [Fact]
    public async Task Leak_TheWatchEndsWithItsRuntimeAndLeavesNothing()
    {
        World world = Watching(LeakPolicy.Report);
        WeakReference<LeakWatch.Bell> bell = world.Runtime.LeakWatch!.BellForTests;
        Collect();
        Exists(bell).ShouldBeTrue("it rings on");
        await world.Runtime.DisposeAsync();
        for (int i = 0; i < 5 && Exists(bell); i++)
        {
            Collect();
        }

        Exists(bell).ShouldBeFalse();
    }

    [Fact]
    public async Task Leak_AfterASearchAKeptWakerLeadsToTheTaskAndToNothingThatItHadThen()
    {
        var world = new World();
        var box = new WakerBox();
        WeakReference frame = WaitTwice(world, box);
        (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).IsClean.ShouldBeTrue("the waker is held");
        box.IsThere = true;
        box.Waker.Wake();
        world.Run();
        box.Second.ShouldBeTrue("it was asked again");
        Collect();
        IsAlive(frame).ShouldBeFalse("the wait is over, and its task goes on");
        world.Runtime.TakeCensus().Live.ShouldBe(1);
        GC.KeepAlive(box);
    }

    [Fact]
    public async Task Leak_AfterASearchAGroupHoldsAgainThoseWhomAnEndWakes()
    {
        var world = new World();
        var promise = new TaskCompletionSource();
        ManagedTask join = JoinOver(world, promise.Task);
        for (int i = 0; i < 2; i++)
        {
            (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).IsClean.ShouldBeTrue("the promise is held");
            Collect(); // what nobody holds is gone now
            Collect();
        }

        promise.SetResult();
        world.RunUntil(join);
        join.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Leak_WhomOnlyALeakedChildWouldWakeIsLeakedToo()
    {
        var world = new World();
        LoseBoth(world);
        (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).Leaks.Select(static leak => leak.Name).Order().ShouldBe(["child", "parent"]);
    }

    private static World Watching(LeakPolicy policy, TimeSpan pause = default) => new(options =>
    {
        options.LeakWatch = policy;
        options.LeakWatchPause = pause;
    });

    private static void UntilSearched(World world, int searches)
    {
        for (int i = 0; i < 50 && world.Runtime.LeakWatch!.Searches < searches; i++)
        {
            Collect();
            Eventually.Is(() => world.Runtime.LeakWatch!.Searches >= searches, TimeSpan.FromMilliseconds(200));
        }

        world.Runtime.LeakWatch!.Searches.ShouldBeGreaterThanOrEqualTo(searches);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Exists(WeakReference<LeakWatch.Bell> bell) => bell.TryGetTarget(out _);

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference WaitTwice(World world, WakerBox box)
    {
        ManagedTask task = world.Start(async _ =>
        {
            await Future.FromPoll(box, static (box, waker) =>
            {
                box.Waker = waker;
                return box.IsThere;
            });
            box.Second = true;
            await box.Never.Task;
        });
        return new WeakReference(task.Leaf);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsAlive(WeakReference reference) => reference.IsAlive;

    [MethodImpl(MethodImplOptions.NoInlining)] // the search may begin while the test is still on the stack: that must not have the promise
    private static void LoseBoth(World world) => _ = JoinOver(world, new TaskCompletionSource().Task);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask JoinOver(World world, Task promise)
    {
        ManagedTask parent = world.Runtime.SpawnDetached(ScopeOverAsync(world.Runtime, promise), "parent");
        world.Run();
        return parent;
    }

    private static async Future ScopeOverAsync(TaskRuntime runtime, Task promise) => await runtime.RunScopeAsync("scope", async scope =>
    {
        _ = scope.Spawn(WaitAsync(promise), "child");
        await Future.Yield();
    });

    private sealed class WakerBox
    {
        public Waker Waker { get; set; }

        public bool IsThere { get; set; }

        public bool Second { get; set; }

        public TaskCompletionSource Never { get; } = new();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask LoseWithSlots(World world)
    {
        var slots = new TaskSlotManager(3, "seats");
        return world.Start(async _ =>
        {
            using (await slots.AcquireAsync())
            {
                await Future.Yield();
            }

            using SlotLease held = await slots.AcquireAsync();
            await new TaskCompletionSource().Task;
        });
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask LoseWithGuard(World world) => world.Start(static async token =>
    {
        await using (ResourceGuard.Protect(0, static _ => Future.Completed(), "a file"))
        {
            await Future.Yield();
        }

        _ = ResourceGuard.Protect(0, static _ => Future.Completed(), "dismissed").Dismiss();
        await using ResourceGuard guard = ResourceGuard.Protect(0, static _ => Future.Completed(), "a connection");
        await new TaskCompletionSource().Task;
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask Lose(World world, string name)
    {
        ManagedTask task = world.Runtime.SpawnDetached(WaitAsync(new TaskCompletionSource().Task), name);
        world.Run();
        return task;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseIn(TaskScope scope, World world, string name)
    {
        _ = scope.Spawn(WaitAsync(new TaskCompletionSource().Task), name);
        world.Run();
    }

    private static async Future WaitAsync(Task what) => await what;
}
