using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Tests.Execution;

/// <summary>What survives a task: its outcome. Not its frame, whoever still holds a waker, a handle, a future or a continuation.</summary>
public sealed class EndedTaskLeakTests
{
    private static readonly AsyncLocal<object?> s_ambient = new();

    // The planted fault: whoever holds the key keeps the locals too, as if the key had a field for them.
    private static readonly ConditionalWeakTable<object, object> s_planted = new();

    public enum Way
    {
        Completes,
        Fails,
        IsCanceled,
        IsCanceledBeforeItsStart,
    }

    public static TheoryData<Way> Ways => [.. Enum.GetValues<Way>()];

    public static TheoryData<string> Kinds => ["polled", "timed", "timed, too late", "scope", "ready", "of a value", "called", "called for its value", "timed for its value", "called through a scope"];

    public static TheoryData<Way> StartedWays => [Way.Completes, Way.Fails, Way.IsCanceled];

    [Theory]
    [MemberData(nameof(Ways))]
    public void B4_a_kept_handle_keeps_the_outcome_and_no_locals(Way way) => HandleKeepsNoLocals(way, static (_, _) => { });

    [Theory]
    [MemberData(nameof(Ways))]
    public void B4_twin_a_handle_that_keeps_the_locals_is_caught(Way way) => IsCaught(() => HandleKeepsNoLocals(way, s_planted.Add));

    [Theory]
    [MemberData(nameof(Ways))]
    public void B4_a_kept_future_keeps_no_locals(Way way) => FutureKeepsNoLocals(way, static (_, _) => { });

    [Theory]
    [MemberData(nameof(Ways))]
    public void B4_twin_a_future_that_keeps_the_locals_is_caught(Way way) => IsCaught(() => FutureKeepsNoLocals(way, s_planted.Add));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void B4_a_kept_future_of_another_kind_keeps_nothing_of_what_it_was_made_with(string kind) => FutureKeepsNothing(kind, static (_, _) => { });

    [Theory]
    [MemberData(nameof(Kinds))]
    public void B4_twin_a_future_of_another_kind_that_keeps_what_it_was_made_with_is_caught(string kind) =>
        IsCaught(() => FutureKeepsNothing(kind, s_planted.Add));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void B4_a_kept_future_keeps_no_ambient_value_of_its_body(bool called) => FutureKeepsNoAmbientValue(called, static (_, _) => { });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void B4_twin_a_future_that_keeps_the_context_of_its_last_step_is_caught(bool called) =>
        IsCaught(() => FutureKeepsNoAmbientValue(called, static (future, context) => future.FrameOrNull!.Context = context));

    [Fact]
    public void B4_a_kept_result_is_kept_and_nothing_beside_it() => ResultKeepsNothingBeside(static (_, _) => { });

    [Fact]
    public void B4_twin_a_handle_that_keeps_more_than_the_result_is_caught() => IsCaught(() => ResultKeepsNothingBeside(s_planted.Add));

    [Fact]
    public void B4_what_a_delegate_captured_is_gone_with_its_task() => HandlesKeepNothingCaptured(static (_, _) => { });

    [Fact]
    public void B4_twin_a_handle_that_keeps_its_delegate_is_caught() => IsCaught(() => HandlesKeepNothingCaptured(s_planted.Add));

    [Theory]
    [MemberData(nameof(StartedWays))]
    public void B3_a_kept_waker_keeps_nothing_of_an_ended_task_and_wakes_nothing_for_ever(Way way) => WakerKeepsNothing(way, plant: null);

    [Theory]
    [MemberData(nameof(StartedWays))]
    public void B3_twin_a_waker_that_comes_with_its_local_is_caught(Way way) => IsCaught(() => WakerKeepsNothing(way, plant: []));

    [Fact]
    public void B3_a_foreign_continuation_that_is_kept_keeps_no_locals_and_resumes_nothing() => ForeignContinuationKeepsNothing(static (_, _) => { });

    [Fact]
    public void B3_twin_a_foreign_continuation_that_keeps_the_locals_is_caught() => IsCaught(() => ForeignContinuationKeepsNothing(s_planted.Add));

    private static void IsCaught(Action planted) => Twin.IsCaught(planted, "still reachable");

    private static void HandleKeepsNoLocals(Way way, Action<ManagedTask, object> plant)
    {
        var world = new World();
        (ManagedTask<int> handle, _, WeakReference local) = Live(world, way, (handle, _, local) => plant(handle, local));
        Garbage.ShouldBeGone(local);
        ShouldHaveEnded(handle, way);
        world.ShouldBeEmpty();
    }

    private static void FutureKeepsNoLocals(Way way, Action<Frame, object> plant)
    {
        var world = new World();
        (_, Future<int> future, WeakReference local) = Live(world, way, (_, future, local) => plant(future.FrameOrNull!, local));
        Garbage.ShouldBeGone(local);
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(future)).Message.ShouldContain("runs once");
        world.ShouldBeEmpty();
    }

    private static void FutureKeepsNoAmbientValue(bool called, Action<Future, ExecutionContext> plant)
    {
        var world = new World();
        (Future outer, Future inner, WeakReference value) = SetAmbient(world, called, plant);
        Garbage.ShouldBeGone(value);
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(outer));
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(inner));
    }

    private static void FutureKeepsNothing(string kind, Action<Frame, object> plant)
    {
        var world = new World();
        (Future future, WeakReference made) = RunKind(world, kind, plant);
        Garbage.ShouldBeGone(made);
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(future)).Message.ShouldContain("runs once");
        world.ShouldBeEmpty();
    }

    private static void ResultKeepsNothingBeside(Action<ManagedTask, object> plant)
    {
        var world = new World();
        (ManagedTask<object> handle, WeakReference local, WeakReference result) = ResultBeside(world, plant);
        Garbage.ShouldBeGone(local);
        result.IsAlive.ShouldBeTrue();
        handle.Result.ShouldBeSameAs(result.Target);
    }

    private static void HandlesKeepNothingCaptured(Action<ManagedTask, object> plant)
    {
        var world = new World();
        (ManagedTask[] handles, WeakReference captured) = SpawnCapturing(world, plant);
        Garbage.ShouldBeGone(captured);
        handles.ShouldAllBe(handle => handle.State == TaskState.Completed);
        world.ShouldBeEmpty();
    }

    private static void WakerKeepsNothing(Way way, List<object>? plant)
    {
        var world = new World();
        (ManagedTask task, Waker waker, WeakReference local) = KeepWaker(world, way, plant);
        Garbage.ShouldBeGone(local);
        TaskState ended = task.State;
        long steps = world.Census.Steps;
        Parallel.For(0, 1000, _ => waker.Wake());
        world.Run().ShouldBe(0);
        world.Census.Steps.ShouldBe(steps);
        task.State.ShouldBe(ended);
        waker.Task.ShouldBe(task.Id);
        world.ShouldBeEmpty();
        GC.KeepAlive(plant);
    }

    private static void ForeignContinuationKeepsNothing(Action<Action, object> plant)
    {
        var world = new World();
        var source = new StoredContinuation();
        (ManagedTask task, WeakReference local) = AwaitForeign(world, source, plant);
        Garbage.ShouldBeGone(local);
        for (int i = 0; i < 100; i++)
        {
            source.Continuation!();
        }

        world.Run().ShouldBe(0);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    private static void ShouldHaveEnded(ManagedTask handle, Way way)
    {
        handle.State.ShouldBe(way switch
        {
            Way.Completes => TaskState.Completed,
            Way.Fails => TaskState.Failed,
            _ => TaskState.Canceled,
        });
        handle.Place.ShouldBeNull("the handle keeps the frame, or the thread that stepped it");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask<int> Handle, Future<int> Future, WeakReference Local) Live(
        World world, Way way, Action<ManagedTask, Future<int>, object> plant)
    {
        var local = new object();
        Future<int> future = BodyAsync(local, way == Way.IsCanceled ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, way == Way.Fails);
        ManagedTask<int> handle = world.Runtime.SpawnDetached(future);
        if (way != Way.IsCanceledBeforeItsStart)
        {
            world.Run();
        }

        handle.Cancel().ShouldBe(way is Way.IsCanceled or Way.IsCanceledBeforeItsStart);
        world.Run();
        plant(handle, future, local);
        return (handle, future, new WeakReference(local));
    }

    private static async Future<int> BodyAsync(object local, TimeSpan wait, bool fail)
    {
        await Future.Yield();
        try
        {
            await Future.Delay(wait);
            return fail ? throw new FormatException("as planned") : await InnerAsync(local);
        }
        finally
        {
            GC.KeepAlive(local);
        }
    }

    private static async Future<int> InnerAsync(object local)
    {
        await Future.Yield();
        GC.KeepAlive(local);
        return 7;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (Future Future, WeakReference Made) RunKind(World world, string kind, Action<Frame, object> plant)
    {
        var made = new object();
        Future<object> value = ValueAsync(made);
        Future future = kind switch
        {
            "polled" => Future.FromPoll(_ => made.GetHashCode() == made.GetHashCode()),
            "timed" => BodyAsync(made, TimeSpan.Zero, fail: false).WithTimeout(TimeSpan.FromHours(1)),
            "timed, too late" => BodyAsync(made, Timeout.InfiniteTimeSpan, fail: false).WithTimeout(TimeSpan.FromSeconds(1)),
            "scope" => world.Runtime.RunScopeAsync("kept", async _ => await BodyAsync(made, TimeSpan.Zero, fail: false)),
            "ready" => Future.FromResult(made),
            _ => value,
        };
        _ = kind switch
        {
            "called" => world.Start(async _ => await future),
            "called for its value" => world.Start(async _ => (await value).ShouldNotBeNull()),
            "timed for its value" => world.Start(async _ => (await value.WithTimeout(TimeSpan.FromHours(1))).ShouldNotBeNull()),
            "called through a scope" => world.Start(async _ => await world.Runtime.RunScopeAsync("calls", async _ => await future)),
            _ => world.Runtime.SpawnDetached(future),
        };
        world.Run();
        world.Advance(1);
        plant(future.FrameOrNull!, made);
        return (future, new WeakReference(made));
    }

    private static async Future<object> ValueAsync(object value)
    {
        await Future.Yield();
        return value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (Future Outer, Future Inner, WeakReference Value) SetAmbient(World world, bool called, Action<Future, ExecutionContext> plant)
    {
        var value = new object();
        ExecutionContext? last = null;
        Future inner = SetAsync(value);
        Future outer = called ? CallAsync(inner) : inner;
        world.Run(outer);
        plant(inner, last!);
        return (outer, inner, new WeakReference(value));

        static async Future CallAsync(Future inner)
        {
            await inner;
            s_ambient.Value.ShouldBeNull("what a callee sets stays in the callee, as in async Task methods");
            await Future.Yield();
        }

        async Future SetAsync(object value)
        {
            s_ambient.Value = value;
            await Future.Yield();
            s_ambient.Value.ShouldBeSameAs(value);
            last = ExecutionContext.Capture();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask<object> Handle, WeakReference Local, WeakReference Result) ResultBeside(World world, Action<ManagedTask, object> plant)
    {
        var local = new object();
        var result = new object();
        ManagedTask<object> handle = world.Runtime.SpawnDetached(GiveAsync(local, result));
        world.Run();
        plant(handle, local);
        return (handle, new WeakReference(local), new WeakReference(result));

        static async Future<object> GiveAsync(object local, object result)
        {
            await Future.Yield();
            GC.KeepAlive(local);
            return result;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask[] Handles, WeakReference Captured) SpawnCapturing(World world, Action<ManagedTask, object> plant)
    {
        var captured = new object();
        ManagedTask[] handles =
        [
            world.Runtime.SpawnDetached(async _ =>
            {
                await Future.Yield();
                GC.KeepAlive(captured);
            }),
            world.Runtime.SpawnDetached(_ => Task.FromResult(captured.GetHashCode())),
            world.Runtime.SpawnDetached(_ => new ValueTask<int>(captured.GetHashCode())),
            world.Runtime.SpawnDetached(captured, static async (state, _) =>
            {
                await Future.Yield();
                GC.KeepAlive(state);
            }),
        ];
        world.Run();
        plant(handles[^1], captured);
        return (handles, new WeakReference(captured));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask Task, Waker Waker, WeakReference Local) KeepWaker(World world, Way way, List<object>? plant)
    {
        var local = new object();
        plant?.Add(local);
        Waker kept = default;
        bool ready = false;
        ManagedTask task = world.Runtime.SpawnDetached(WaitAsync(local, waker =>
        {
            GC.KeepAlive(local);
            kept = waker;
            return ready && way == Way.Fails ? throw new FormatException("as planned") : ready;
        }));
        world.Run();
        task.State.ShouldBe(TaskState.Blocked);
        if (way == Way.IsCanceled)
        {
            task.Cancel();
        }
        else
        {
            ready = true;
            kept.Wake();
        }

        world.Run();
        ShouldHaveEnded(task, way);
        return (task, kept, new WeakReference(local));

        static async Future WaitAsync(object local, Func<Waker, bool> poll)
        {
            await Future.FromPoll(poll);
            GC.KeepAlive(local);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask Task, WeakReference Local) AwaitForeign(World world, StoredContinuation source, Action<Action, object> plant)
    {
        var local = new object();
        ManagedTask task = world.Runtime.SpawnDetached(WaitAsync(local, source));
        world.Run();
        source.Continuation!();
        world.Run();
        plant(source.Continuation, local);
        return (task, new WeakReference(local));

        static async Future WaitAsync(object local, StoredContinuation source)
        {
            await source;
            GC.KeepAlive(local);
        }
    }

    private sealed class StoredContinuation : ICriticalNotifyCompletion
    {
        public Action? Continuation { get; private set; }

        public bool IsCompleted => false;

        public StoredContinuation GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => Continuation = continuation;

        public void UnsafeOnCompleted(Action continuation) => Continuation = continuation;
    }
}
