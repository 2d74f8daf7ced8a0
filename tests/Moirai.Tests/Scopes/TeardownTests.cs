using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Moirai.Tests.Scopes;

/// <summary>Rows B1 and B2, the published scenario: a task that captured a tracked object waits for a request which is never answered; executor and spawner go away. In its four
/// variants: disposed or merely unreachable, the waker not kept or kept (in a static, or by an object of somebody outside), on both executors. Each has a twin in which somebody keeps the tracked object.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class TeardownTests
{
    // Where somebody outside keeps requests, and the wakers in them.
    private static readonly ConcurrentDictionary<Guid, Request> s_static = new();

    // The planted fault: whoever holds the key keeps the tracked object too.
    private static readonly ConditionalWeakTable<object, object> s_planted = new();

    public enum On
    {
        ThreadPool,
        Local,
    }

    public enum Kept
    {
        Not,
        InAStatic,
        Outside,
    }

    public static MatrixTheoryData<On, Kept> Variants => new(Enum.GetValues<On>(), Enum.GetValues<Kept>());

    public static MatrixTheoryData<On, Kept> KeptVariants => new(Enum.GetValues<On>(), [Kept.InAStatic, Kept.Outside]);

    [Theory]
    [MemberData(nameof(Variants))]
    public Task B1_DisposingTheRuntimeRunsTheCleanUpAndLeavesNothingReachable(On on, Kept kept) => DisposedAsync(on, kept, static (_, _) => { });

    [Theory]
    [MemberData(nameof(Variants))]
    public Task B1_twin_SomebodyWhoKeepsWhatTheTaskCapturedIsCaught(On on, Kept kept) => Twin.IsCaughtAsync(() => DisposedAsync(on, kept, Keep), "still reachable");

    [Theory]
    [MemberData(nameof(KeptVariants))]
    public Task B1_twin_ARequestThatKeepsWhatTheTaskCapturedIsCaught(On on, Kept kept) =>
        Twin.IsCaughtAsync(() => DisposedAsync(on, kept, s_planted.Add), "still reachable");

    [Theory]
    [InlineData(On.ThreadPool)]
    [InlineData(On.Local)]
    public void B2_ARuntimeThatIsMerelyLostIsStoppedByTheCollectorAndLeavesNothingReachable(On on) => Lost(on, static (_, _) => { });

    [Theory]
    [InlineData(On.ThreadPool)]
    [InlineData(On.Local)]
    public void B2_twin_SomebodyWhoKeepsWhatTheTaskCapturedIsCaught(On on) => Twin.IsCaught(() => Lost(on, Keep), "still reachable");

    [Theory]
    [InlineData(Kept.InAStatic)]
    [InlineData(Kept.Outside)]
    public void B2_AKeptWakerKeepsItsTaskAliveAndAWakeLetsItGoOn(Kept kept) => LostAndAnswered(kept, static (_, _) => { });

    [Theory]
    [InlineData(Kept.InAStatic)]
    [InlineData(Kept.Outside)]
    public void B2_twin_ATaskThatWasWokenAndLeavesSomethingIsCaught(Kept kept) => Twin.IsCaught(() => LostAndAnswered(kept, Keep), "still reachable");

    [Theory]
    [MemberData(nameof(KeptVariants))]
    public void B2_AKeptWakerThatIsLetGoIsTheSameAsNone(On on, Kept kept) => LostAndForgotten(on, kept, static (_, _) => { });

    [Theory]
    [MemberData(nameof(KeptVariants))]
    public void B2_twin_AWakerThatIsLetGoWhileSomebodyKeepsWhatTheTaskCapturedIsCaught(On on, Kept kept) =>
        Twin.IsCaught(() => LostAndForgotten(on, kept, Keep), "still reachable");

    [Fact]
    public void B2_ALostRuntimeInWhichNothingLivesIsNotWorthAWord()
    {
        var story = new Story();
        WeakReference runtime = LoseEmpty(story);
        Garbage.ShouldBeGone(runtime);
        story.Events.ShouldBeEmpty();

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference LoseEmpty(Story story)
        {
            TaskRuntime runtime = Make(On.Local, story);
            runtime.Run(Future.Completed());
            return new WeakReference(runtime.Engine);
        }
    }

    [Fact]
    public async Task B2_ARuntimeThatWasDisposedIsNotStoppedAgainByTheCollector()
    {
        var story = new Story();
        WeakReference engine = await DisposeAsync(story);
        Garbage.ShouldBeGone(engine);
        story.Events.ShouldBeEmpty();

        [MethodImpl(MethodImplOptions.NoInlining)]
        static async Task<WeakReference> DisposeAsync(Story story)
        {
            TaskRuntime runtime = Make(On.Local, story);
            await runtime.DisposeAsync();
            return new WeakReference(runtime.Engine);
        }
    }

    private static TimeSpan Limit => TimeSpan.FromSeconds(60);

    // The other planted fault.
    private static void Keep(Request request, object tracked) => s_static[Guid.NewGuid()] = new Request { Stowaway = tracked };

    private static async Task DisposedAsync(On on, Kept kept, Action<Request, object> plant)
    {
        var story = new Story();
        TaskRuntime runtime = Make(on, story);
        (WeakReference tracked, Keeper keeper) = Suspend(runtime, story, kept, plant);

        StopReport report = await runtime.StopAsync(TimeSpan.Zero, Limit);

        story.CleanUps.ShouldBe(1);
        story.Ended.ShouldBe("canceled");
        report.IsComplete.ShouldBeTrue(report.ToString());
        report.Canceled.ShouldBe(1);
        Garbage.ShouldBeGone(tracked);
        World.ShouldBeEmpty(runtime);

        // Whoever still has the waker may use it for ever.
        if (kept != Kept.Not)
        {
            Census before = runtime.TakeCensus();
            keeper.Answer();
            keeper.Answer();
            runtime.TakeCensus().ShouldBe(before);
            story.CleanUps.ShouldBe(1);
            keeper.Forget();
        }
    }

    private static void Lost(On on, Action<Request, object> plant)
    {
        (WeakReference tracked, Story story, _) = Begin(on, Kept.Not, plant);
        ShouldBeStoppedByTheCollector(tracked, story);
    }

    // By design: what can wake a task holds it. Nothing was lost here.
    private static void LostAndAnswered(Kept kept, Action<Request, object> plant)
    {
        (WeakReference tracked, Story story, Keeper keeper) = Begin(On.ThreadPool, kept, plant);
        Collect();
        tracked.IsAlive.ShouldBeTrue("whoever has the waker can let the task go on");
        story.CleanUps.ShouldBe(0);

        keeper.Answer();
        Eventually.Is(() => story.CleanUps == 1, Limit).ShouldBeTrue();
        story.Ended.ShouldBe("answered");
        Garbage.ShouldBeGone(tracked);
        story.Events.ShouldBeEmpty();
        keeper.Forget();
    }

    private static void LostAndForgotten(On on, Kept kept, Action<Request, object> plant)
    {
        (WeakReference tracked, Story story, Keeper keeper) = Begin(on, kept, plant);
        Collect();
        story.CleanUps.ShouldBe(0);
        keeper.Forget();
        ShouldBeStoppedByTheCollector(tracked, story);
    }

    private static void ShouldBeStoppedByTheCollector(WeakReference tracked, Story story)
    {
        for (int i = 0; i < 5 && story.CleanUps == 0; i++)
        {
            Collect();
            Eventually.Is(() => story.Ended is not null, TimeSpan.FromSeconds(i));
        }

        Eventually.Is(() => story.CleanUps == 1, Limit).ShouldBeTrue("the clean-up of the lost task has not run");
        story.Ended.ShouldBe("canceled");
        story.CleanUps.ShouldBe(1);
        RuntimeEvent told = story.Events.ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.RuntimeLost);
        told.Message.ShouldContain("'lost and found'");
        told.Message.ShouldContain("'asking', spawned at TeardownTests.cs:");

        // Its stop may still be on its way through the thread pool.
        Eventually.Is(
            () =>
            {
                Collect();
                return !tracked.IsAlive;
            },
            TimeSpan.FromSeconds(2));
        Garbage.ShouldBeGone(tracked);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference Tracked, Story Story, Keeper Keeper) Begin(On on, Kept kept, Action<Request, object> plant)
    {
        var story = new Story();
        (WeakReference tracked, Keeper keeper) = Suspend(Make(on, story), story, kept, plant);
        return (tracked, story, keeper);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TaskRuntime Make(On on, Story story) => new(new TaskRuntimeOptions
    {
        Name = "lost and found",
        Executor = on == On.Local ? new LocalExecutor() : null,
        OnEvent = story.Events.Enqueue,
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference Tracked, Keeper Keeper) Suspend(TaskRuntime runtime, Story story, Kept kept, Action<Request, object> plant)
    {
        var request = new Request();
        var tracked = new object();
        plant(request, tracked);
        var keeper = new Keeper(kept, request);
        ManagedTask task = runtime.SpawnDetached(AskAsync(request, tracked, story), "asking");
        if (runtime.Executor is LocalExecutor local)
        {
            local.RunUntilStalled();
        }

        Eventually.Is(() => task.State == TaskState.Blocked, Limit).ShouldBeTrue();
        return (new WeakReference(tracked), keeper);
    }

    private static async Future AskAsync(Request request, object tracked, Story story)
    {
        string ended = "failed";
        try
        {
            await Future.FromPoll(waker =>
            {
                request.Waker = waker;
                return request.IsAnswered;
            });
            ended = "answered";
        }
        catch (ManagedTaskCanceledException)
        {
            ended = "canceled";
            throw;
        }
        finally
        {
            GC.KeepAlive(tracked);
            story.End(ended);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    private sealed class Request
    {
        public Waker Waker { get; set; }

        public volatile bool IsAnswered;

        public object? Stowaway { get; init; }
    }

    /// <summary>Somebody outside who keeps the request, and the waker in it.</summary>
    private sealed class Keeper
    {
        private readonly Guid _key = Guid.NewGuid();
        private Request? _own;

        public Keeper(Kept kept, Request request)
        {
            switch (kept)
            {
                case Kept.InAStatic:
                    s_static[_key] = request;
                    break;
                case Kept.Outside:
                    _own = request;
                    break;
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Answer()
        {
            Request request = _own ?? s_static[_key];
            request.IsAnswered = true;
            request.Waker.Wake();
        }

        // In a method of its own: what an out parameter brings stays on the stack of who asked.
        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Forget()
        {
            _own = null;
            s_static.TryRemove(_key, out _);
        }
    }

    /// <summary>What the test knows of a task that it must not hold.</summary>
    private sealed class Story
    {
        private int _cleanUps;
        private volatile string? _ended;

        public int CleanUps => Volatile.Read(ref _cleanUps);

        public string? Ended => _ended;

        public ConcurrentQueue<RuntimeEvent> Events { get; } = new();

        public void End(string how)
        {
            _ended = how;
            Interlocked.Increment(ref _cleanUps);
        }
    }
}
