using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using System.Runtime.CompilerServices;

namespace Moirai.Tests.Execution;

/// <summary>Row C10: a failure at which nobody ever looks is told once, with its spawn site, when nobody can look any more; and nobody keeps what nobody asked for.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class ZombieTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    // The planted fault: whoever holds the key keeps the handle too.
    private static readonly ConditionalWeakTable<object, object> s_planted = new();

    public enum Place
    {
        Detached,
        IsolatingScope,
        Pool,
    }

    public enum Look
    {
        Await,
        AwaitAsTask,
        Exception,
        GetResult,
    }

    public static TheoryData<Place> Places => [.. Enum.GetValues<Place>()];

    public static TheoryData<Look> Looks => [.. Enum.GetValues<Look>()];

    [Theory]
    [MemberData(nameof(Places))]
    public void C10_AFailureWhoseHandleIsLostIsToldOnceWithItsSpawnSite(Place place) => LostHandleIsTold(place, static (_, _) => { }, static world => world.EventsAfterCollection(1));

    [Theory]
    [MemberData(nameof(Places))]
    public void C10_twin_ARegisterThatKeepsTheHandleIsCaught(Place place) => Twin.IsCaught(() => LostHandleIsTold(place, s_planted.Add, static world => world.EventsAfterNothingWasFound()), "is told once");

    [Theory]
    [MemberData(nameof(Looks))]
    public void C10_AFailureThatSomebodyLooksAtHoweverLateIsNotTold(Look look) => LookIsEnough(look);

    [Fact]
    public void C10_twin_ALookAtTheStateAloneIsNoLook() => Twin.IsCaught(() => LookIsEnough(look: null), "should be");

    [Fact]
    public async Task C10_WhatNobodyHasLookedAtIsToldWhenTheRuntimeStops()
    {
        var world = new World();
        ManagedTask held = world.Start(static _ => Future.FromException(new ArithmeticException("held")), "held");
        ManagedTask seen = world.Start(static _ => Future.FromException(new ArithmeticException("seen")), "seen");
        _ = seen.Exception;
        world.Census.Unobserved.ShouldBe(1);
        world.Census.Zombies.ShouldBe(0);
        world.Events.ShouldBeEmpty("somebody may still look");

        (await world.Runtime.StopAsync(Second, Second)).Unobserved.ShouldBe(1);
        RuntimeEvent told = world.Events.ShouldHaveSingleItem();
        told.Task.ShouldBe(held.Id);
        told.Message.ShouldContain("'held', spawned at World.cs:");
        told.Message.ShouldContain("before the runtime stopped");
        world.Census.Unobserved.ShouldBe(0);
        world.Census.Zombies.ShouldBe(1);

        // Not again, neither when somebody looks late nor when the handle is lost.
        held.Exception.ShouldNotBeNull();
        world.EventsAfterNothingWasFound().Length.ShouldBe(1);
    }

    [Fact]
    public void C10_AFailureThatSomebodyAwaitsAlreadyIsNotTold()
    {
        var world = new World();
        ManagedTask failing = world.Spawn(static async _ =>
        {
            await Future.Yield();
            throw new ArithmeticException();
        });
        ManagedTask waiting = world.Start(async _ => await Should.ThrowAsync<ArithmeticException>(failing.AsTask()));
        world.Executor.RunUntil(waiting);
        waiting.State.ShouldBe(TaskState.Completed);
        world.Census.Unobserved.ShouldBe(0);
    }

    [Theory]
    [InlineData("task")]
    [InlineData("future")]
    public void C10_AFailureThatWasPassedOnIntoATaskAtWhichNobodyLooksIsTold(string by)
    {
        var world = new World();
        PassOn(world, by, looks: false);
        RuntimeEvent told = world.EventsAfterCollection(1).ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.UnobservedFailure);
        told.Message.ShouldContain("nobody has looked at it at the Task into which AsTask passed it on: ArithmeticException");
        told.TaskName.ShouldNotBeNull();
        told.SpawnSite.ShouldNotBeNull();
        world.Census.Zombies.ShouldBe(1);
        world.EventsAfterNothingWasFound().Length.ShouldBe(1);
    }

    [Theory]
    [InlineData("task")]
    [InlineData("future")]
    public void C10_twin_AFailureThatWasPassedOnAndLookedAtThereIsNotTold(string by)
    {
        var world = new World();
        PassOn(world, by, looks: true);
        world.EventsAfterNothingWasFound().ShouldBeEmpty();
        world.Census.Zombies.ShouldBe(0);
    }

    [Fact]
    public void C10_AFailureThatWasPassedOnInVainAndLookedAtOnTheHandleIsNotTold()
    {
        var world = new World();
        PassOnAndLook(world);
        world.EventsAfterNothingWasFound().ShouldBeEmpty();
    }

    [Fact]
    public void C10_TheEventSourceCarriesNameIdAndSpawnSite()
    {
        using var listener = new Listener();
        var world = new World();
        LoseFailure(world);
        RuntimeEvent told = world.EventsAfterCollection(1).ShouldHaveSingleItem();
        told.TaskName.ShouldBe("zombie");
        told.SpawnSite.ShouldStartWith("ZombieTests.cs:");
        EventWrittenEventArgs written = listener.Of(told.Task).ShouldHaveSingleItem();
        written.PayloadNames.ShouldBe(["kind", "task", "message", "name", "spawnSite", "runtime"]);
        written.Payload.ShouldBe([(long)RuntimeEventKind.UnobservedFailure, told.Task.Value, told.Message, "zombie", told.SpawnSite, "world"]);
    }

    [Fact]
    public void C10_AScopeThatThrowsItsFailuresHasShownThem()
    {
        var world = new World();
        world.Fails<ArithmeticException>(world.Runtime.RunScopeAsync("scope", async scope =>
        {
            _ = scope.Spawn(static _ => Future.FromException(new ArithmeticException()));
            await Future.Yield();
        }));
        world.Census.Unobserved.ShouldBe(0);

        TaskScope open = world.Runtime.OpenScope("open");
        _ = open.Spawn(static _ => Future.FromException(new ArithmeticException()));
        world.Run();
        world.Census.Unobserved.ShouldBe(1, "nobody has joined yet");
        world.Fails<ArithmeticException>(open.JoinAsync());
        world.Census.Unobserved.ShouldBe(0);
        world.EventsAfterNothingWasFound().ShouldBeEmpty();
        world.CloseAndBeEmpty(open);
    }

    [Fact]
    public void C10_ThousandsAreToldOnceEach()
    {
        var world = new World();
        FailMany(world, 5_000);
        RuntimeEvent[] told = world.EventsAfterCollection(5_000);
        told.Length.ShouldBe(5_000);
        told.Select(static e => e.Task).Distinct().Count().ShouldBe(5_000);
        world.Census.Zombies.ShouldBe(5_000);
        world.Census.Unobserved.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C10_AResultThatNobodyLooksAtIsToldWhereTheOptionsSaySo()
    {
        var world = new World(static options => options.ReportUnseenResults = true);
        LoseResult(world);
        RuntimeEvent told = world.EventsAfterCollection(1).ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.UnobservedResult);
        told.Message.ShouldContain("'given', spawned at ZombieTests.cs:");
        world.Run(Future.FromResult(3)).ShouldBe(3);
        world.Census.Unobserved.ShouldBe(0);

        var silent = new World();
        LoseResult(silent);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        silent.Census.Zombies.ShouldBe(0);
        silent.Events.ShouldBeEmpty();
    }

    [Fact]
    public async Task C10_AResultThatNobodyHasLookedAtIsToldAtTheStopWhereTheOptionsSaySo()
    {
        var world = new World(static options => options.ReportUnseenResults = true);
        ManagedTask<object> held = world.Runtime.SpawnDetached(GiveAsync(new object()), "given");
        ManagedTask<object> seen = world.Runtime.SpawnDetached(GiveAsync(new object()), "seen");
        world.Run();
        _ = seen.Result;
        (await world.Runtime.StopAsync(Second, Second)).Unobserved.ShouldBe(1);
        RuntimeEvent told = world.Events.ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.UnobservedResult);
        told.Task.ShouldBe(held.Id);
        told.SpawnSite.ShouldStartWith("ZombieTests.cs:");
        world.Census.Zombies.ShouldBe(1);
    }

    [Theory]
    [InlineData("a branch of a race")]
    [InlineData("an operation that was given up")]
    public void C10_WhatFailsWhenNobodyNeedsItIsToldWithItsSpawnSiteAndCounted(string what)
    {
        var world = new World();
        if (what == "a branch of a race")
        {
            world.Run(new Race<int>("price").Add(static async _ =>
            {
                try
                {
                    await Future.Delay(TimeSpan.FromHours(1));
                }
                finally
                {
                    Throw(); // since it is canceled
                }

                return 0;
            }).Add(static async _ =>
            {
                await Future.Yield();
                await Future.Yield();
                return 1;
            }).FirstCompletedAsync());
        }
        else
        {
            var late = new TaskCompletionSource();
            ManagedTask caller = world.Start(async _ => await Should.ThrowAsync<TaskTimeoutException>(AwaitAsync(late.Task).WithTimeout(Second, Second).AsTask()));
            world.Pass(3);
            late.SetException(new ArithmeticException());
            world.RunUntil(caller);
            Eventually.Is(
                () =>
                {
                    world.Run();
                    return world.Census.Live == 0;
                },
                TimeSpan.FromSeconds(30)).ShouldBeTrue();
        }

        RuntimeEvent told = world.Events.Where(static e => e.Kind == RuntimeEventKind.UnobservedFailure).ShouldHaveSingleItem();
        told.TaskName.ShouldNotBeNull();
        told.SpawnSite.ShouldNotBeNull();
        told.Message.ShouldContain($", spawned at {told.SpawnSite}, ");
        told.Error.ShouldBeOfType<ArithmeticException>();
        world.Census.Zombies.ShouldBe(1);
        world.Census.Unobserved.ShouldBe(0);
        world.EventsAfterCollection(2).Count(static e => e.Kind == RuntimeEventKind.UnobservedFailure).ShouldBe(1, "once");

        static void Throw() => throw new ArithmeticException();
    }

    [Theory]
    [InlineData("pool")]
    [InlineData("scope")]
    [InlineData("collector")]
    [InlineData("disposed collector")]
    [InlineData("collector that has collected")]
    public void C10_NobodyKeepsAResultThatNobodyAskedFor(string keeper) => KeepsNoResult(keeper, static (_, _) => { });

    [Theory]
    [InlineData("pool")]
    [InlineData("scope")]
    [InlineData("collector")]
    [InlineData("disposed collector")]
    [InlineData("collector that has collected")]
    public void C10_twin_AKeeperOfResultsIsCaught(string keeper) => Twin.IsCaught(() => KeepsNoResult(keeper, s_planted.Add), "still reachable");

    private static void LostHandleIsTold(Place place, Action<object, object> plant, Func<World, RuntimeEvent[]> collect)
    {
        var world = new World();
        long id = Fail(world, place, plant);
        collect(world).Length.ShouldBe(1, "what nobody can look at any more is told once");
        RuntimeEvent told = world.Events[0];
        told.Kind.ShouldBe(RuntimeEventKind.UnobservedFailure);
        told.Task.Value.ShouldBe(id);
        told.Error.ShouldBeOfType<ArithmeticException>();
        told.Message.ShouldContain("'failing', spawned at ZombieTests.cs:");
        told.Message.ShouldContain("before its handle was lost");
        world.Census.Zombies.ShouldBe(1);
        world.Census.Unobserved.ShouldBe(0);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        world.Events.Length.ShouldBe(1);
        GC.KeepAlive(world);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Fail(World world, Place place, Action<object, object> plant)
    {
        ManagedTask task;
        switch (place)
        {
            case Place.Pool:
                world.Runtime.CreatePool("pool", 1).TrySpawn(FailAsync(), out ManagedTask? spawned, "failing").ShouldBeTrue();
                task = spawned!;
                break;
            case Place.IsolatingScope:
                task = world.Runtime.OpenScope("scope", ScopePolicy.Isolate).Spawn(FailAsync(), "failing");
                break;
            default:
                task = world.Runtime.SpawnDetached(FailAsync(), "failing");
                break;
        }

        plant(world, task);
        world.Run();
        task.State.ShouldBe(TaskState.Failed);
        world.Census.Unobserved.ShouldBe(1);
        return task.Id.Value;
    }

    private static void LookIsEnough(Look? look)
    {
        var world = new World();
        FailAndLook(world, look);
        world.EventsAfterNothingWasFound().ShouldBeEmpty();
        world.Census.Zombies.ShouldBe(0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void FailAndLook(World world, Look? look)
    {
        ManagedTask<int> task = world.Runtime.SpawnDetached(FailWithValueAsync(), "failing");
        world.Run();
        world.Census.Unobserved.ShouldBe(1);
        switch (look)
        {
            case Look.Await:
                world.Fails<ArithmeticException>(AwaitAsync(task));
                break;
            case Look.AwaitAsTask:
                Should.Throw<ArithmeticException>(() => task.AsTask().GetAwaiter().GetResult());
                break;
            case Look.Exception:
                task.Exception.ShouldBeOfType<ArithmeticException>();
                break;
            case Look.GetResult:
                Should.Throw<ArithmeticException>(() => task.Result);
                break;
            default:
                task.State.ShouldBe(TaskState.Failed);
                return;
        }

        world.Census.Unobserved.ShouldBe(0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void FailMany(World world, int count)
    {
        for (int i = 0; i < count; i++)
        {
            _ = world.Runtime.SpawnDetached(FailAsync());
        }

        world.Run();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseResult(World world)
    {
        _ = world.Runtime.SpawnDetached(GiveAsync(new object()), "given");
        world.Run();
    }

    private static void KeepsNoResult(string keeper, Action<object, object> plant)
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        (object kept, WeakReference result) = Give(world, scope, keeper, plant);
        Garbage.ShouldBeGone(result);
        GC.KeepAlive(kept);
        GC.KeepAlive(scope);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (object Keeper, WeakReference Result) Give(World world, TaskScope scope, string keeper, Action<object, object> plant)
    {
        var result = new object();
        object kept;
        if (keeper == "pool")
        {
            TaskPool pool = world.Runtime.CreatePool("pool", 2);
            pool.TrySpawn(GiveAsync(result), out ManagedTask<object>? _).ShouldBeTrue();
            kept = pool;
        }
        else if (keeper == "scope")
        {
            _ = scope.Spawn(GiveAsync(result));
            kept = scope;
        }
        else
        {
            var collector = new TaskCollector<object>(scope);
            _ = collector.Add(GiveAsync(result));
            kept = collector;
            world.Run();
            switch (keeper)
            {
                case "disposed collector":
                    world.Run(collector.DisposeAsync());
                    break;
                case "collector that has collected":
                    world.Run(CollectAsync(collector));
                    break;
                default:
                    world.Run(ReadOneAsync(collector));
                    break;
            }
        }

        world.Run();
        plant(kept, result);
        return (kept, new WeakReference(result));
    }

    // What was given out one by one is with who was given it.
    private static async Future ReadOneAsync(TaskCollector<object> collector)
    {
        await foreach (TaskOutcome<object> outcome in collector.AsCompleted())
        {
            outcome.IsCompleted.ShouldBeTrue();
        }
    }

    private static async Future CollectAsync(TaskCollector<object> collector) => (await collector.CollectAsync()).Count.ShouldBe(1);

    private static async Future AwaitAsync(ManagedTask task) => await task;

    private static async Future AwaitAsync(Task what) => await what;

    private static async Future FailAsync()
    {
        await Future.Yield();
        throw new ArithmeticException("nobody looks");
    }

    private static async Future<int> FailWithValueAsync()
    {
        await Future.Yield();
        throw new ArithmeticException("nobody looks");
    }

    private static async Future<object> GiveAsync(object what)
    {
        await Future.Yield();
        return what;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PassOn(World world, string by, bool looks)
    {
        Future body = Future.FromException(new ArithmeticException());
        Task passed = by == "task"
            ? world.Runtime.SpawnDetached(body).AsTask()
            : world.Run(AsTaskAsync(body));
        world.Run();
        if (looks)
        {
            Should.Throw<ArithmeticException>(() => passed.GetAwaiter().GetResult());
        }
        else
        {
            Eventually.Is(() => passed.IsCompleted, TimeSpan.FromSeconds(30));
        }

        static async Future<Task> AsTaskAsync(Future body)
        {
            await Future.Yield();
            return body.AsTask();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PassOnAndLook(World world)
    {
        ManagedTask task = world.Start(static _ => Future.FromException(new ArithmeticException()));
        Task passed = task.AsTask();
        Eventually.Is(() => passed.IsCompleted, TimeSpan.FromSeconds(30));
        task.Exception.ShouldNotBeNull();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseFailure(World world)
    {
        _ = world.Runtime.SpawnDetached(static _ => Future.FromException(new ArithmeticException()), "zombie");
        world.Run();
    }

    private sealed class Listener : EventListener
    {
        private readonly ConcurrentQueue<EventWrittenEventArgs> _written = new();

        public EventWrittenEventArgs[] Of(TaskId task) => [.. _written.Where(one => one.Payload is [_, long id, ..] && id == task.Value)];

        protected override void OnEventSourceCreated(EventSource source)
        {
            if (source.Name == "Moirai")
            {
                EnableEvents(source, EventLevel.Warning);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs what) => _written.Enqueue(what);
    }
}
