using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Moirai.Tests.Scopes;

/// <summary>Rows B1 and B2, the published scenario: a task that captured a tracked object waits for a request which is never answered; executor and spawner go away. In its
/// variants: disposed or merely unreachable, the waker kept in a static or not kept, on both executors.</summary>
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

    public static TheoryData<On, bool> Variants => new() { { On.ThreadPool, false }, { On.ThreadPool, true }, { On.Local, false }, { On.Local, true } };

    [Theory]
    [MemberData(nameof(Variants))]
    public Task B1_DisposingTheRuntimeRunsTheCleanUpAndLeavesNothingReachable(On on, bool wakerKept) => DisposedAsync(on, wakerKept, static (_, _) => { });

    [Theory]
    [InlineData(On.ThreadPool)]
    [InlineData(On.Local)]
    public Task B1_twin_ARequestThatKeepsWhatTheTaskCapturedIsCaught(On on) =>
        Twin.IsCaughtAsync(() => DisposedAsync(on, wakerKept: true, s_planted.Add), "still reachable");

    [Theory]
    [InlineData(On.ThreadPool)]
    [InlineData(On.Local)]
    public void B2_ARuntimeThatIsMerelyLostIsStoppedByTheCollectorAndLeavesNothingReachable(On on) => Lost(on, static (_, _) => { });

    [Theory]
    [InlineData(On.ThreadPool)]
    [InlineData(On.Local)]
    public void B2_twin_SomebodyWhoKeepsWhatTheTaskCapturedIsCaught(On on) =>
        Twin.IsCaught(() => Lost(on, static (request, tracked) => s_static[Guid.NewGuid()] = new Request { Stowaway = tracked }), "still reachable");

    [Fact]
    public void B2_AKeptWakerKeepsItsTaskAliveAndAWakeLetsItGoOn()
    {
        // By design: what can wake a task holds it. Nothing was lost here.
        (WeakReference tracked, Story story, Guid key) = Begin(On.ThreadPool, wakerKept: true, static (_, _) => { });
        Collect();
        tracked.IsAlive.ShouldBeTrue("whoever has the waker can let the task go on");
        story.CleanUps.ShouldBe(0);

        Answer(key);
        Eventually.Is(() => story.CleanUps == 1, Limit).ShouldBeTrue();
        story.Ended.ShouldBe("answered");
        Garbage.ShouldBeGone(tracked);
        story.Events.ShouldBeEmpty();
        Forget(key);
    }

    [Theory]
    [InlineData(On.ThreadPool)]
    [InlineData(On.Local)]
    public void B2_AKeptWakerThatIsLetGoIsTheSameAsNone(On on)
    {
        (WeakReference tracked, Story story, Guid key) = Begin(on, wakerKept: true, static (_, _) => { });
        Collect();
        story.CleanUps.ShouldBe(0);
        Forget(key);
        ShouldBeStoppedByTheCollector(tracked, story);
    }

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

    private static async Task DisposedAsync(On on, bool wakerKept, Action<Request, object> plant)
    {
        var story = new Story();
        TaskRuntime runtime = Make(on, story);
        (WeakReference tracked, Guid key) = Suspend(runtime, story, wakerKept, plant);

        StopReport report = await runtime.StopAsync(TimeSpan.Zero, Limit);

        story.CleanUps.ShouldBe(1);
        story.Ended.ShouldBe("canceled");
        report.IsComplete.ShouldBeTrue(report.ToString());
        report.Canceled.ShouldBe(1);
        Garbage.ShouldBeGone(tracked);
        World.ShouldBeEmpty(runtime);

        // Whoever still has the waker may use it for ever.
        if (wakerKept)
        {
            Census before = runtime.TakeCensus();
            Answer(key);
            Answer(key);
            runtime.TakeCensus().ShouldBe(before);
            story.CleanUps.ShouldBe(1);
            Forget(key);
        }
    }

    private static void Lost(On on, Action<Request, object> plant)
    {
        (WeakReference tracked, Story story, _) = Begin(on, wakerKept: false, plant);
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
    private static (WeakReference Tracked, Story Story, Guid Key) Begin(On on, bool wakerKept, Action<Request, object> plant)
    {
        var story = new Story();
        (WeakReference tracked, Guid key) = Suspend(Make(on, story), story, wakerKept, plant);
        return (tracked, story, key);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TaskRuntime Make(On on, Story story) => new(new TaskRuntimeOptions
    {
        Name = "lost and found",
        Executor = on == On.Local ? new LocalExecutor() : null,
        OnEvent = story.Events.Enqueue,
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference Tracked, Guid Key) Suspend(TaskRuntime runtime, Story story, bool wakerKept, Action<Request, object> plant)
    {
        var request = new Request();
        var tracked = new object();
        plant(request, tracked);
        var key = Guid.NewGuid();
        if (wakerKept)
        {
            s_static[key] = request;
        }

        ManagedTask task = runtime.SpawnDetached(AskAsync(request, tracked, story), "asking");
        if (runtime.Executor is LocalExecutor local)
        {
            local.RunUntilStalled();
        }

        Eventually.Is(() => task.State == TaskState.Blocked, Limit).ShouldBeTrue();
        return (new WeakReference(tracked), key);
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
    private static void Answer(Guid key)
    {
        Request request = s_static[key];
        request.IsAnswered = true;
        request.Waker.Wake();
    }

    // In a method of its own: what an out parameter brings stays on the stack of who asked.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(Guid key) => s_static.TryRemove(key, out _);

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
