using System.Runtime.CompilerServices;

namespace Moirai.Tests.Execution;

/// <summary>A cancellation passes over methods that could not notice it, without being thrown in them; whoever could notice it does. Decision 31.</summary>
[Collection(nameof(CountsExceptions))]
public sealed class PassingCancellationTests
{
    private static readonly TimeSpan Forever = Timeout.InfiniteTimeSpan;
    private static readonly AsyncLocal<object?> s_ambient = new();

    [Fact]
    public void A_task_that_nobody_watches_over_is_canceled_without_an_exception()
    {
        var world = new World();
        ManagedTask task = world.Start(static _ => OuterAsync(static () => InnerAsync()));
        ThrownBy(() => CancelAndRun(world, task)).ShouldBe(0);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Nor_is_one_thrown_in_a_lambda_that_captures()
    {
        var world = new World();
        string captured = world.Runtime.Name;
        ManagedTask task = world.Start(ct => world.Runtime.RunScopeAsync("scope", async scope =>
        {
            _ = scope.Spawn(async inner => await OuterAsync(() => captured.Length > 0 ? InnerAsync() : OuterAsync(() => InnerAsync())));
            await InnerAsync();
        }));
        ThrownBy(() => CancelAndRun(world, task)).ShouldBe(0);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Twin_an_exception_that_is_thrown_on_the_way_is_counted()
    {
        var world = new World();
        ManagedTask task = world.Start(static _ => OuterAsync(static () => FinallyAsync([])));
        ThrownBy(() => CancelAndRun(world, task)).ShouldBeGreaterThan(0);
        task.State.ShouldBe(TaskState.Canceled);
    }

    [Fact]
    public void Every_finally_using_and_catch_on_the_way_runs_in_its_order()
    {
        List<string> seen = [];
        var world = new World();
        ManagedTask task = world.Start(_ => CatchAsync(seen, () => OuterAsync(() => UsingAsync(seen, () => OuterAsync(() => FinallyAsync(seen))))));
        task.Cancel("enough");
        world.Run();
        seen.ShouldBe(["finally", "disposed", "caught: enough"]);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Who_catches_is_given_the_cause_and_may_go_on()
    {
        List<string> seen = [];
        var world = new World();
        ManagedTask<int> task = world.Spawn(async _ =>
        {
            try
            {
                await OuterAsync(static () => InnerAsync());
            }
            catch (ManagedTaskCanceledException error)
            {
                seen.Add($"{error.Cause.Kind}, {error.Cause.Reason}, {error.Task == ManagedTask.Current!.Id}, {error.CancellationToken == ManagedTask.CurrentToken}");
            }

            return 3;
        });
        world.Run();
        task.Cancel("enough");
        world.Run();
        seen.ShouldBe(["Requested, enough, True, True"]);
        task.Result.ShouldBe(3);
    }

    [Fact]
    public void A_timeout_around_methods_that_notice_nothing_is_told_as_a_timeout()
    {
        var world = new World();
        ManagedTask task = world.Start(static async _ => await OuterAsync(static () => InnerAsync()).WithTimeout(TimeSpan.FromSeconds(1)));
        world.Advance(1);
        task.State.ShouldBe(TaskState.Failed);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().InnerException.ShouldBeOfType<ManagedTaskCanceledException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_scope_is_left_in_order_without_an_exception()
    {
        var world = new World();
        ManagedTask task = world.Start(ct => world.Runtime.RunScopeAsync("outer", scope =>
        {
            _ = scope.Spawn(InnerAsync());
            return world.Runtime.RunScopeAsync("inner", static inner =>
            {
                _ = inner.Spawn(InnerAsync());
                return InnerAsync();
            });
        }));
        ThrownBy(() => CancelAndRun(world, task)).ShouldBe(0);
        task.State.ShouldBe(TaskState.Canceled);
        world.Census.Canceled.ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_scope_whose_body_has_returned_is_left_without_an_exception_too()
    {
        var world = new World();
        ManagedTask task = world.Start(ct => world.Runtime.RunScopeAsync("scope", static scope =>
        {
            _ = scope.Spawn(InnerAsync());
            return Future.Completed();
        }));
        ThrownBy(() => CancelAndRun(world, task)).ShouldBe(0);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_shield_in_the_way_keeps_its_inside()
    {
        List<string> seen = [];
        var world = new World();
        ManagedTask task = world.Start(async _ =>
        {
            try
            {
                await InnerAsync();
            }
            finally
            {
                using CancelShield shield = ManagedTask.Shield();
                await Future.Delay(TimeSpan.FromSeconds(1));
                seen.Add("cleaned up");
            }
        });
        task.Cancel();
        world.Run();
        seen.ShouldBeEmpty();
        world.Advance(1);
        seen.ShouldBe(["cleaned up"]);
        task.State.ShouldBe(TaskState.Canceled);
    }

    [Fact]
    public void Waits_in_primitives_and_in_polls_are_passed_over_and_leave_nothing()
    {
        var world = new World();
        var mutex = new AsyncMutex();
        var channel = new AsyncChannel<int>(1);
        using var token = new CancellationTokenSource();
        mutex.TryLock(out MutexLease lease).ShouldBeTrue();
        ManagedTask[] tasks =
        [
            world.Start(_ => LockingAsync(mutex, default)),
            world.Start(_ => LockingAsync(mutex, token.Token)),
            world.Start(_ => ReceivingAsync(channel.Receiver)),
            world.Start(static _ => PollingAsync()),
        ];
        world.Census.Waiters.ShouldBe(3);
        foreach (ManagedTask task in tasks)
        {
            ThrownBy(() => CancelAndRun(world, task)).ShouldBe(0);
            task.State.ShouldBe(TaskState.Canceled);
        }

        token.Cancel();
        lease.Dispose();
        mutex.TryLock(out lease).ShouldBeTrue("a dropped waiter is not invited");
        lease.Dispose();
        world.ShouldBeEmpty();
        GC.KeepAlive(channel);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the twin: the future keeps the context of its last step
    public void B4_a_kept_future_that_was_passed_over_keeps_no_ambient_value(bool planted)
    {
        var world = new World();
        (Future[] kept, WeakReference ambient) = PassOverAmbient(world, planted);
        if (planted)
        {
            Twin.IsCaught(() => Garbage.ShouldBeGone(ambient), "still reachable");
        }
        else
        {
            Garbage.ShouldBeGone(ambient);
        }

        world.ShouldBeEmpty();
        GC.KeepAlive(kept);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the twin: somebody holds the task
    public void A_token_that_lives_on_does_not_keep_a_wait_that_was_passed_over(bool held)
    {
        var world = new World();
        var mutex = new AsyncMutex();
        using var token = new CancellationTokenSource();
        mutex.TryLock(out MutexLease lease).ShouldBeTrue();
        (WeakReference tracked, ManagedTask? holder) = CancelOne(world, mutex, held, token.Token);
        if (held)
        {
            GC.Collect();
            tracked.IsAlive.ShouldBeTrue();
        }
        else
        {
            Garbage.ShouldBeGone(tracked);
        }

        GC.KeepAlive(holder);
        GC.KeepAlive(token);
        lease.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // it is the body itself
    public void The_locals_of_a_method_that_was_passed_over_are_let_go(bool root)
    {
        var world = new World();
        (ManagedTask task, WeakReference held, Future kept) = Begin(world, root);
        CancelAndRun(world, task);
        Garbage.ShouldBeGone(held);
        GC.KeepAlive(kept);

        static (ManagedTask, WeakReference, Future) Begin(World world, bool root)
        {
            object local = new();
            Future kept = root ? HoldBelowAsync(local) : HoldAsync(local);
            return (root ? world.Start(_ => kept) : world.Start(_ => OuterAsync(() => kept)), new WeakReference(local), kept);
        }
    }

    [Fact]
    public void What_notices_a_cancellation_is_told_by_the_methods_code()
    {
        Ask(InnerAsync()).ShouldBeTrue();
        Ask(OuterAsync(static () => InnerAsync())).ShouldBeTrue();
        Ask(FinallyAsync([])).ShouldBeFalse();
        Ask(UsingAsync([], static () => InnerAsync())).ShouldBeFalse();
        Ask(CatchAsync([], static () => InnerAsync())).ShouldBeFalse();
        Ask(LockingAsync(new AsyncMutex(), default)).ShouldBeTrue();
        Ask(SendingAsync(new AsyncChannel<int>(1))).ShouldBeFalse("its awaiter does more than throw");
        Ask(BuiltElsewhereAsync()).ShouldBeFalse("its builder is told of the exception");

        static bool Ask(Future future) => future.FrameOrNull!.MayBePassedOver;
    }

    private static void CancelAndRun(World world, ManagedTask task)
    {
        task.Cancel("enough");
        world.Run();
    }

    // On this thread: all that a world does is done here.
    private static int ThrownBy(Action action)
    {
        int thrown = 0;
        int thread = Environment.CurrentManagedThreadId;
        AppDomain.CurrentDomain.FirstChanceException += Count;
        try
        {
            action();
        }
        finally
        {
            AppDomain.CurrentDomain.FirstChanceException -= Count;
        }

        return thrown;

        void Count(object? sender, System.Runtime.ExceptionServices.FirstChanceExceptionEventArgs e) => thrown += Environment.CurrentManagedThreadId == thread ? 1 : 0;
    }

    private static async Future OuterAsync(Func<Future> inner) => await inner();

    private static async Future InnerAsync() => await Future.Delay(Forever);

    private static async Future HoldAsync(object local)
    {
        await Future.Delay(Forever);
        GC.KeepAlive(local);
    }

    private static async Future FinallyAsync(List<string> seen)
    {
        try
        {
            await Future.Delay(Forever);
        }
        finally
        {
            seen.Add("finally");
        }
    }

    private static async Future UsingAsync(List<string> seen, Func<Future> inner)
    {
        using var note = new Note(seen);
        await inner();
    }

    private static async Future CatchAsync(List<string> seen, Func<Future> inner)
    {
        try
        {
            await inner();
        }
        catch (ManagedTaskCanceledException error)
        {
            seen.Add($"caught: {error.Cause.Reason}");
            throw;
        }
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static (Future[] Kept, WeakReference Ambient) PassOverAmbient(World world, bool planted)
    {
        var kept = new Future[2];
        var ambient = new object();
        ManagedTask task = world.Start(_ => RootAsync(kept, ambient));
        ExecutionContext context = kept[0].FrameOrNull!.Context!;
        ThrownBy(() => CancelAndRun(world, task)).ShouldBe(0, "all of them were passed over");
        task.State.ShouldBe(TaskState.Canceled);
        if (planted)
        {
            kept[0].FrameOrNull!.Context = context;
        }

        return (kept, new WeakReference(ambient));

        static async Future RootAsync(Future[] kept, object ambient) => await Note(kept, 1, MiddleAsync(kept, ambient));

        static async Future MiddleAsync(Future[] kept, object ambient)
        {
            s_ambient.Value = ambient;
            await Note(kept, 0, InnerAsync());
        }

        static Future Note(Future[] kept, int index, Future future) => kept[index] = future;
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static (WeakReference Tracked, ManagedTask? Holder) CancelOne(World world, AsyncMutex mutex, bool held, CancellationToken token)
    {
        ManagedTask task = world.Start(_ => LockingAsync(mutex, token));
        CancelAndRun(world, task);
        task.State.ShouldBe(TaskState.Canceled);
        return (new WeakReference(task), held ? task : null);
    }

    private static async Future HoldBelowAsync(object local)
    {
        await InnerAsync();
        GC.KeepAlive(local);
    }

    private static async Future LockingAsync(AsyncMutex mutex, CancellationToken token) => await mutex.LockAsync(token);

    private static async Future ReceivingAsync(ChannelReceiver<int> receiver) => await receiver.ReceiveAsync();

    private static async Future PollingAsync() => await Future.FromPoll(static _ => false);

    private static async Future SendingAsync(AsyncChannel<int> channel) => await channel.Sender.SendAsync(1);

    [AsyncMethodBuilder(typeof(OwnBuilder))]
    private static async Future BuiltElsewhereAsync() => await Future.Delay(Forever);

    private struct OwnBuilder
    {
        private FutureMethodBuilder _inner;

        public readonly Future Task => _inner.Task;

        public static OwnBuilder Create() => new() { _inner = FutureMethodBuilder.Create() };

        public void Start<TStateMachine>(ref TStateMachine machine)
            where TStateMachine : IAsyncStateMachine => _inner.Start(ref machine);

        public readonly void SetStateMachine(IAsyncStateMachine machine) => _inner.SetStateMachine(machine);

        public readonly void SetResult() => _inner.SetResult();

        public readonly void SetException(Exception error) => _inner.SetException(error);

        public readonly void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine machine)
            where TAwaiter : INotifyCompletion
            where TStateMachine : IAsyncStateMachine => _inner.AwaitOnCompleted(ref awaiter, ref machine);

        public readonly void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine machine)
            where TAwaiter : ICriticalNotifyCompletion
            where TStateMachine : IAsyncStateMachine => _inner.AwaitUnsafeOnCompleted(ref awaiter, ref machine);
    }

    private sealed class Note(List<string> seen) : IDisposable
    {
        public void Dispose() => seen.Add("disposed");
    }
}

/// <summary>For tests that count what a thread throws.</summary>
[CollectionDefinition(nameof(CountsExceptions))]
public sealed class CountsExceptions;
