using System.Runtime.CompilerServices;
using Moirai.Testing;

namespace Moirai.Tests.Testing;

/// <summary>Row B6: the assertion for users' tests. Each kind of thing that can be left is planted and named; what is put away in time passes.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class NothingLeftBehindTests
{
    public enum Kind
    {
        Task,
        LeakedTask,
        TimerEntry,
        Waiter,
        PoolSlot,
        OwnSlot,
        Scope,
        OneShot,
        ValueNobodyReceives,
        Timer,
        TrackedObject,
        PlainWait,
        PlainWaitInPrimitive,
    }

    public static TheoryData<Kind> Kinds => [.. Enum.GetValues<Kind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task B6_WhatIsPutAwayInTimePasses(Kind kind)
    {
        var world = new World();
        var nothing = new NothingLeftBehind(world.Runtime);
        Action putAway = Leave(kind, world, nothing);
        putAway();
        await nothing.DisposeAsync();
        world.Census.Live.ShouldBe(0);
    }

    [Theory]
    [InlineData(Kind.Task, "task #* 'kept' (Blocked), spawned at NothingLeftBehindTests.cs:*, waits in NothingLeftBehindTests.WaitAsync (NothingLeftBehindTests.cs:*) for a foreign awaitable in WaitAsync")]
    [InlineData(Kind.LeakedTask, "proved: #* 'lost', spawned at NothingLeftBehindTests.cs:*, waits in NothingLeftBehindTests.PlainAsync (NothingLeftBehindTests.cs:*) ← NothingLeftBehindTests.WaitAsync (NothingLeftBehindTests.cs:*) for a Task that nobody completes, and nothing can end that wait any more")]
    [InlineData(Kind.TimerEntry, "1 entries are in the timer queue")]
    [InlineData(Kind.Waiter, "1 waits for a slot, the end of a scope or a primitive go on")]
    [InlineData(Kind.PoolSlot, "1 slots of pools are held")]
    [InlineData(Kind.OwnSlot, "1 slots of 'seats' are held or waited for")]
    [InlineData(Kind.Scope, "scope, pool or collector 'forgotten' is open: dispose it")]
    [InlineData(Kind.OneShot, "one-shot 'answer', made at NothingLeftBehindTests.cs:* by plain code, not sent (0 waiting)")]
    [InlineData(Kind.ValueNobodyReceives, "one-shot 'answer', made at NothingLeftBehindTests.cs:* by plain code, sent and not received (0 waiting)")]
    [InlineData(Kind.Timer, "1 Timers of the process run (Timer.ActiveCount)")]
    [InlineData(Kind.TrackedObject, "tracked object 'the cache' is still reachable")]
    [InlineData(Kind.PlainWait, "waits in * for the end of the tasks of 'joined'")]
    [InlineData(Kind.PlainWaitInPrimitive, "plain code waits for *'bell'")]
    public async Task B6_S125_twin_WhatIsLeftIsNamed(Kind kind, string line)
    {
        var world = new World();
        var nothing = new NothingLeftBehind(world.Runtime, settle: TimeSpan.Zero);
        Action putAway = Leave(kind, world, nothing);
        LeftBehindException error = await Should.ThrowAsync<LeftBehindException>(async () => await nothing.DisposeAsync());
        error.Runtime.ShouldBe("world");
        error.Left.ShouldContain(left => System.Text.RegularExpressions.Regex.IsMatch(left, System.Text.RegularExpressions.Regex.Escape(line).Replace("\\*", ".*", StringComparison.Ordinal)), error.Message);
        error.Message.ShouldContain(error.Left[0]);
        putAway();
    }

    [Fact]
    public async Task B6_WhatWasThereBeforeDoesNotCount()
    {
        var world = new World();
        var gate = new TaskCompletionSource();
        _ = world.Runtime.SpawnDetached(WaitAsync(gate.Task), "before");
        _ = world.Start(static async _ => await Future.Delay(TimeSpan.FromHours(1)));
        TaskPool pool = world.Runtime.CreatePool("before", 1);
        using ITimer timer = TimeProvider.System.CreateTimer(static _ => { }, null, TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan);
        await using (new NothingLeftBehind(world.Runtime, settle: TimeSpan.Zero))
        {
            world.Run(Future.Completed());
        }

        world.Run(pool.DisposeAsync());
        GC.KeepAlive(gate);
    }

    [Fact]
    public async Task B6_WhatIsAboutToEndIsGivenTheTime()
    {
        var runtime = new TaskRuntime();
        await using (new NothingLeftBehind(runtime, settle: TimeSpan.FromSeconds(60)) { CountsTimers = false })
        {
            _ = runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromMilliseconds(30)));
        }

        runtime.TakeCensus().Completed.ShouldBe(1);
        await runtime.DisposeAsync();
    }

    [Fact]
    public async Task B6_OneShotsCountAlsoInsideAnInnerAssertionAndAfterIt()
    {
        var world = new World();
        var outer = new NothingLeftBehind(world.Runtime, TimeSpan.Zero);
        (OneShotSender<int> Sender, OneShotReceiver<int> Receiver) during;
        await using (var inner = new NothingLeftBehind(new World().Runtime, TimeSpan.Zero))
        {
            during = OneShot.Create<int>("during");
            during.Sender.Dispose(); // so the inner one has nothing to say
            during = OneShot.Create<int>("kept for the outer");
            await Should.ThrowAsync<LeftBehindException>(async () => await inner.DisposeAsync());
        }

        (OneShotSender<int> Sender, OneShotReceiver<int> Receiver) after = OneShot.Create<int>("after");
        LeftBehindException error = await Should.ThrowAsync<LeftBehindException>(async () => await outer.DisposeAsync());
        error.Left.Count.ShouldBe(2, error.Message);
        error.Left[0].ShouldContain("'kept for the outer'");
        error.Left[1].ShouldContain("'after'");
        GC.KeepAlive((during, after));
    }

    [Fact]
    public async Task B6_OneShotsCountAlsoWhenTheAssertionWasMadeInAnAsyncInitialization()
    {
        var world = new World();
        NothingLeftBehind? nothing = null;
        await InitializeAsync();
        (OneShotSender<int> Sender, OneShotReceiver<int> Receiver) stray = OneShot.Create<int>("stray");
        LeftBehindException error = await Should.ThrowAsync<LeftBehindException>(async () => await nothing!.DisposeAsync());
        error.Left.ShouldHaveSingleItem().ShouldContain("'stray'");
        GC.KeepAlive(stray);

        async Task InitializeAsync()
        {
            await Task.Yield();
            nothing = new NothingLeftBehind(world.Runtime, TimeSpan.Zero);
        }
    }

    [Fact]
    public async Task B6_OneShotsThatTheRuntimesOwnTasksMakeCountWhereverTheyRun()
    {
        var world = new World();
        var nothing = new NothingLeftBehind(world.Runtime, TimeSpan.Zero);
        (OneShotSender<int>, OneShotReceiver<int>) made = default;
        using (ExecutionContext.SuppressFlow())
        {
            _ = world.Spawn(async _ =>
            {
                made = OneShot.Create<int>("by a task");
                await Future.Yield();
            });
        }

        world.Run();
        LeftBehindException error = await Should.ThrowAsync<LeftBehindException>(async () => await nothing.DisposeAsync());
        error.Left.ShouldHaveSingleItem().ShouldContain("'by a task'");
        GC.KeepAlive(made);
    }

    [Fact]
    public async Task B6_ATimerEntryThatEndsHidesNoNewOneAndThoseOfOldTasksAreTheirs()
    {
        var world = new World();
        ManagedTask old = world.Start(static async _ => await Future.Delay(TimeSpan.FromHours(1)), "old");
        ManagedTask beats = world.Start(static async _ =>
        {
            for (int i = 0; i < 1_000; i++)
            {
                await Future.Delay(TimeSpan.FromSeconds(1));
            }
        });
        var nothing = new NothingLeftBehind(world.Runtime, TimeSpan.Zero);
        world.Advance(3);
        await nothing.DisposeAsync(); // another entry than before, of a task that was there before

        nothing = new NothingLeftBehind(world.Runtime, TimeSpan.Zero);
        _ = world.Start(static async _ => await Future.Delay(TimeSpan.FromHours(1)), "new");
        old.Cancel();
        world.Run();
        LeftBehindException error = await Should.ThrowAsync<LeftBehindException>(async () => await nothing.DisposeAsync());
        error.Left.ShouldContain("1 entries are in the timer queue");
        beats.Cancel();
        world.Run();
    }

    [Fact]
    public async Task B6_TheExceptionOfTheTestItselfIsToldAndIsTheInnerOne()
    {
        var world = new World();
        LeftBehindException error = await Should.ThrowAsync<LeftBehindException>(async () =>
        {
            await using var nothing = new NothingLeftBehind(world.Runtime, TimeSpan.Zero);
            _ = world.Runtime.OpenScope("forgotten");
            await Task.Yield();
            throw new ArithmeticException("why it was forgotten");
        });
        error.InnerException.ShouldBeOfType<ArithmeticException>();
        error.Message.ShouldContain("Before that ArithmeticException was thrown there: why it was forgotten");

        // Nothing was left: it goes its way.
        await Should.ThrowAsync<ArithmeticException>(async () =>
        {
            await using var nothing = new NothingLeftBehind(world.Runtime, TimeSpan.Zero);
            throw new ArithmeticException();
        });
    }

    [Fact]
    public async Task B6_ManyAreCountedAndTheFirstAreNamed()
    {
        var world = new World();
        var nothing = new NothingLeftBehind(world.Runtime, settle: TimeSpan.Zero);
        var gate = new TaskCompletionSource();
        for (int i = 0; i < 50; i++)
        {
            _ = world.Runtime.SpawnDetached(WaitAsync(gate.Task), "many");
        }

        LeftBehindException error = await Should.ThrowAsync<LeftBehindException>(async () => await nothing.DisposeAsync());
        error.Left.Count.ShouldBe(21);
        error.Left[^1].ShouldBe("and 30 tasks more");
        GC.KeepAlive(gate);
    }

    /// <summary>Leaves something, and gives the way to put it away.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Action Leave(Kind kind, World world, NothingLeftBehind nothing)
    {
        switch (kind)
        {
            case Kind.Task:
                var gate = new TaskCompletionSource();
                _ = world.Runtime.SpawnDetached(WaitAsync(gate.Task), "kept");
                world.Run();
                return gate.SetResult;
            case Kind.LeakedTask:
                Lose(world);
                return () => world.Runtime.FindLeaksAsync().GetAwaiter().GetResult().Leaks.ShouldHaveSingleItem();
            case Kind.TimerEntry:
                ManagedTask sleeper = world.Start(static async _ => await Future.Delay(TimeSpan.FromHours(1)));
                return () => sleeper.Cancel();
            case Kind.Waiter:
                var notify = new Notify("bell");
                _ = world.Start(async _ => await notify.WaitAsync());
                return notify.NotifyOne;
            case Kind.PoolSlot:
                TaskPool pool = world.Runtime.CreatePool("pool", 2);
                pool.TrySpawn(static async _ => await Future.Delay(TimeSpan.FromHours(1)), out ManagedTask? _).ShouldBeTrue();
                return () => world.Run(pool.DisposeAsync());
            case Kind.OwnSlot:
                var slots = new TaskSlotManager(2, "seats");
                nothing.Watch(slots);
                slots.TryAcquire(out SlotLease? lease).ShouldBeTrue();
                return lease!.Dispose;
            case Kind.Scope:
                TaskScope scope = world.Runtime.OpenScope("forgotten");
                return () => world.Run(scope.DisposeAsync());
            case Kind.OneShot:
                (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("answer");
                return () =>
                {
                    sender.TrySend(1).ShouldBeTrue();
                    receiver.TryReceive(out _).ShouldBeTrue();
                };
            case Kind.ValueNobodyReceives:
                (OneShotSender<int> sent, OneShotReceiver<int> unread) = OneShot.Create<int>("answer");
                sent.TrySend(1).ShouldBeTrue();
                return unread.Dispose;
            case Kind.Timer:
                ITimer timer = TimeProvider.System.CreateTimer(static _ => { }, null, TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan);
                return timer.Dispose;
            case Kind.PlainWaitInPrimitive:
                var plain = new Notify("bell");
                Task waits = AwaitPlainAsync(plain);
                return () =>
                {
                    plain.NotifyOne();
                    waits.GetAwaiter().GetResult();
                };
            case Kind.PlainWait:
                TaskScope joined = world.Runtime.OpenScope("joined");
                var held = new TaskCompletionSource();
                _ = joined.Spawn(WaitAsync(held.Task));
                world.Run();
                Task join = joined.JoinAsync().AsTask();
                return held.SetResult;
            default:
                List<object> cache = [nothing.Track(new object(), "the cache")];
                return cache.Clear;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose(World world)
    {
        _ = world.Runtime.SpawnDetached(WaitAsync(PlainAsync(new TaskCompletionSource().Task)), "lost");
        world.Run();
    }

    private static async Task AwaitPlainAsync(Notify notify) => await notify.WaitAsync();

    private static async Future WaitAsync(Task what) => await what;

    private static async Task PlainAsync(Task what) => await what;
}
