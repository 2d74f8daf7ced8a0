using System.Runtime.CompilerServices;

namespace Moirai.Tests.Execution;

/// <summary>What survives a task: its outcome. Not its frame, whoever still holds a waker, a handle, a future or a continuation.</summary>
public sealed class EndedTaskLeakTests
{
    private static readonly AsyncLocal<object?> s_ambient = new();

    public enum Way
    {
        Completes,
        Fails,
        IsCanceled,
        IsCanceledBeforeItsStart,
    }

    [Theory]
    [InlineData(Way.Completes)]
    [InlineData(Way.Fails)]
    [InlineData(Way.IsCanceled)]
    [InlineData(Way.IsCanceledBeforeItsStart)]
    public void B4_a_kept_handle_keeps_the_outcome_and_no_locals(Way way)
    {
        var world = new World();
        (ManagedTask<int> handle, _, WeakReference local) = Live(world, way, plant: null);
        Garbage.ShouldBeGone(local);
        ShouldHaveEnded(handle, way);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Way.Completes)]
    [InlineData(Way.Fails)]
    [InlineData(Way.IsCanceled)]
    public void B4_twin_a_local_that_somebody_kept_is_caught(Way way)
    {
        var world = new World();
        var kept = new List<object>();
        (ManagedTask<int> handle, _, WeakReference local) = Live(world, way, plant: kept);
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(local));
        ShouldHaveEnded(handle, way);
        GC.KeepAlive(kept);
    }

    [Theory]
    [InlineData(Way.Completes)]
    [InlineData(Way.Fails)]
    [InlineData(Way.IsCanceled)]
    [InlineData(Way.IsCanceledBeforeItsStart)]
    public void B4_a_kept_future_keeps_no_locals(Way way)
    {
        var world = new World();
        (_, Future<int> future, WeakReference local) = Live(world, way, plant: null);
        Garbage.ShouldBeGone(local);
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(future)).Message.ShouldContain("runs once");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void B4_a_kept_future_keeps_no_ambient_value_of_its_body()
    {
        var world = new World();
        (Future outer, Future inner, WeakReference value) = SetAmbient(world);
        Garbage.ShouldBeGone(value);
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(outer));
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(inner));
    }

    [Fact]
    public void B4_a_kept_result_is_kept_and_nothing_beside_it()
    {
        var world = new World();
        (ManagedTask<object> handle, WeakReference local, WeakReference result) = ResultBeside(world);
        Garbage.ShouldBeGone(local);
        result.IsAlive.ShouldBeTrue();
        handle.Result.ShouldBeSameAs(result.Target);
    }

    [Fact]
    public void B4_what_a_delegate_captured_is_gone_with_its_task()
    {
        var world = new World();
        (ManagedTask[] handles, WeakReference captured) = SpawnCapturing(world);
        Garbage.ShouldBeGone(captured);
        handles.ShouldAllBe(handle => handle.State == TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Way.Completes)]
    [InlineData(Way.Fails)]
    [InlineData(Way.IsCanceled)]
    public void B3_a_kept_waker_keeps_nothing_of_an_ended_task_and_wakes_nothing_for_ever(Way way)
    {
        var world = new World();
        (ManagedTask task, Waker waker, WeakReference local) = KeepWaker(world, way, plant: null);
        Garbage.ShouldBeGone(local);
        TaskState ended = task.State;
        long steps = world.Census.Steps;
        Parallel.For(0, 1000, _ => waker.Wake());
        world.Run().ShouldBe(0);
        world.Census.Steps.ShouldBe(steps);
        task.State.ShouldBe(ended);
        waker.Task.ShouldBe(task.Id);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void B3_twin_a_waker_that_comes_with_its_local_is_caught()
    {
        var world = new World();
        var kept = new List<object>();
        (_, Waker waker, WeakReference local) = KeepWaker(world, Way.Completes, plant: kept);
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(local));
        waker.Wake();
        GC.KeepAlive(kept);
    }

    [Fact]
    public void B3_a_foreign_continuation_that_is_kept_keeps_no_locals_and_resumes_nothing()
    {
        var world = new World();
        var source = new StoredContinuation();
        (ManagedTask task, WeakReference local) = AwaitForeign(world, source);
        Garbage.ShouldBeGone(local);
        for (int i = 0; i < 100; i++)
        {
            source.Continuation!();
        }

        world.Run().ShouldBe(0);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    private static void ShouldHaveEnded(ManagedTask handle, Way way) => handle.State.ShouldBe(way switch
    {
        Way.Completes => TaskState.Completed,
        Way.Fails => TaskState.Failed,
        _ => TaskState.Canceled,
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask<int> Handle, Future<int> Future, WeakReference Local) Live(World world, Way way, List<object>? plant)
    {
        var local = new object();
        plant?.Add(local);
        Future<int> future = BodyAsync(local, way == Way.IsCanceled ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, way == Way.Fails);
        ManagedTask<int> handle = world.Runtime.SpawnDetached(future);
        if (way != Way.IsCanceledBeforeItsStart)
        {
            world.Run();
        }

        handle.Cancel().ShouldBe(way is Way.IsCanceled or Way.IsCanceledBeforeItsStart);
        world.Run();
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
    private static (Future Outer, Future Inner, WeakReference Value) SetAmbient(World world)
    {
        var value = new object();
        Future inner = SetAsync(value);
        Future outer = CallAsync(inner);
        world.Run(outer);
        return (outer, inner, new WeakReference(value));

        static async Future CallAsync(Future inner)
        {
            await inner;
            s_ambient.Value.ShouldBeNull("what a callee sets stays in the callee, as in async Task methods");
            await Future.Yield();
        }

        static async Future SetAsync(object value)
        {
            s_ambient.Value = value;
            await Future.Yield();
            s_ambient.Value.ShouldBeSameAs(value);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask<object> Handle, WeakReference Local, WeakReference Result) ResultBeside(World world)
    {
        var local = new object();
        var result = new object();
        ManagedTask<object> handle = world.Runtime.SpawnDetached(GiveAsync(local, result));
        world.Run();
        return (handle, new WeakReference(local), new WeakReference(result));

        static async Future<object> GiveAsync(object local, object result)
        {
            await Future.Yield();
            GC.KeepAlive(local);
            return result;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask[] Handles, WeakReference Captured) SpawnCapturing(World world)
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
    private static (ManagedTask Task, WeakReference Local) AwaitForeign(World world, StoredContinuation source)
    {
        var local = new object();
        ManagedTask task = world.Runtime.SpawnDetached(WaitAsync(local, source));
        world.Run();
        source.Continuation!();
        world.Run();
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
