using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Lifecycle;

namespace Moirai.Tests.Scopes;

/// <summary>Row C12: clean-up runs exactly once on every way out, shielded from what caused it.</summary>
public sealed class ResourceGuardTests
{
    private readonly World _world = new();

    [Theory]
    [InlineData("returns")]
    [InlineData("throws")]
    [InlineData("is canceled")]
    [InlineData("is stopped")]
    public async Task C12_CleanUpRunsOnceWhicheverWayTheTaskEnds(string way)
    {
        ManagedTask task = _world.Runtime.SpawnDetached(BodyAsync(way), "owner");
        _world.Run();
        if (way == "is canceled")
        {
            task.Cancel();
            _world.Run();
        }
        else if (way == "is stopped")
        {
            await _world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.FromSeconds(1));
        }

        _world.Run();
        task.State.ShouldBe(way switch { "returns" => TaskState.Completed, "throws" => TaskState.Failed, _ => TaskState.Canceled });
        _world.Trace.ShouldBe(["second: begins", "second: done", "first: begins", "first: done"]);
        _world.Census.IsEmpty.ShouldBeTrue(_world.Census.ToString());
    }

    [Fact]
    public void C12_TheEndIsToldAfterTheCleanUp()
    {
        var gate = new TaskCompletionSource();
        ManagedTask<int> task = _world.Runtime.SpawnDetached(ValueAsync(gate));
        _world.Run();
        task.State.ShouldBe(TaskState.Blocked, "the body is over, its clean-up is not");

        gate.SetResult();
        _world.RunUntil(task);
        task.Result.ShouldBe(7);
    }

    [Fact]
    public void C12_ADisposedGuardDoesNotRunAgain()
    {
        _world.Run(DisposingAsync());
        _world.Trace.ShouldBe(["guarded: begins", "guarded: done", "after"]);
    }

    [Fact]
    public void C12_WhoDisposesAGuardThatIsBeingDisposedWaitsForTheSameEnd()
    {
        var gate = new TaskCompletionSource();
        ResourceGuard? guard = null;
        ManagedTask first = _world.Start(async _ =>
        {
            guard = ResourceGuard.Protect(gate.Task, static async gate => await gate.ConfigureAwait(false), "gate");
            await guard.DisposeAsync();
        });
        ManagedTask second = _world.Start(async _ => await guard!.DisposeAsync());
        ManagedTask third = _world.Start(async _ => await guard!.DisposeAsync());
        guard!.IsDone.ShouldBeTrue();
        second.State.ShouldBe(TaskState.Blocked, "the clean-up is not over");
        gate.SetResult();
        foreach (ManagedTask task in (ManagedTask[])[first, second, third])
        {
            _world.RunUntil(task);
            task.State.ShouldBe(TaskState.Completed);
        }

        ManagedTask late = _world.Start(async _ => await guard.DisposeAsync());
        late.State.ShouldBe(TaskState.Completed);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task C12_ACleanUpWithALimitHasANameAndASiteAndRunsAlsoAtTheStop()
    {
        var gate = new TaskCompletionSource();
        ManagedTask task = _world.Start(async _ =>
        {
            ResourceGuard.Protect(gate.Task, static async gate => await gate.ConfigureAwait(false), "the gate", TimeSpan.FromSeconds(10));
            await Future.Delay(TimeSpan.FromHours(1));
        });
        (await _world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero)).Left.ShouldHaveSingleItem().Id.ShouldBe(task.Id);
        ManagedTask cleanUp = _world.Runtime.Engine.Housekeeping.CollectTasks().ShouldHaveSingleItem("the clean-up has begun");
        cleanUp.Name.ShouldBe("clean-up of the gate");
        cleanUp.SpawnSite.ShouldStartWith("ResourceGuardTests.cs:");
        gate.SetResult();
        _world.RunUntil(task);
        cleanUp.State.ShouldBe(TaskState.Completed);
        _world.Events.ShouldNotContain(static e => e.Kind == RuntimeEventKind.CleanUpFailed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void C12_ACleanUpThatDisposesItsOwnGuardDoesNotWaitForItself(bool inTime)
    {
        ResourceGuard? guard = null;
        ManagedTask task = _world.Start(async _ =>
        {
            guard = ResourceGuard.Protect(
                _world,
                async world =>
                {
                    await guard!.DisposeAsync();
                    world.Log("done");
                },
                "itself",
                inTime ? TimeSpan.FromSeconds(1) : null);
            await guard.DisposeAsync();
        });
        _world.RunUntil(task);
        _world.Trace.ShouldBe(["done"]);
        task.State.ShouldBe(TaskState.Completed);
    }

    [Fact]
    public void C12_ADisposalThatNeverRunsLeavesTheCleanUpToTheEndOfTheTask()
    {
        ManagedTask task = _world.Start(ct => _world.Runtime.RunScopeAsync("canceled", async scope =>
        {
            ResourceGuard guard = ResourceGuard.Protect(_world, static world => world.Log("cleaned up"));
            scope.Cancel();
            ManagedTask disposal = scope.Spawn(guard.DisposeAsync());
            disposal.State.ShouldBe(TaskState.Canceled, "spawned into a canceled scope");
            await Future.Completed();
        }));
        task.IsEnded.ShouldBeTrue();
        _world.Trace.ShouldBe(["cleaned up"]);
    }

    [Fact]
    public void C12_ADismissedGuardDoesNotRun()
    {
        _world.Run(DismissingAsync());
        _world.Trace.ShouldBe(["dismissed"]);
    }

    [Fact]
    public void C12_WhatCleanUpThrowsIsToldAndDoesNotHideTheFailure()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(BothFailAsync(), "owner");
        _world.Run();

        task.Exception.ShouldBeOfType<InvalidTimeZoneException>();
        RuntimeEvent told = _world.Events.Where(static e => e.Kind == RuntimeEventKind.CleanUpFailed).ShouldHaveSingleItem();
        told.Message.ShouldContain("a file");
        told.Message.ShouldContain("owner");
        told.Error.ShouldBeOfType<NotSupportedException>();
    }

    [Fact]
    public void C12_CleanUpThatHangsIsToldAfterItsTimeAndLetGo()
    {
        var never = new TaskCompletionSource();
        ManagedTask task = _world.Runtime.SpawnDetached(HangingAsync(never), "owner");
        _world.Run();
        task.IsEnded.ShouldBeFalse();

        _world.Time.Advance(TimeSpan.FromSeconds(2));
        _world.RunUntil(task);
        task.State.ShouldBe(TaskState.Completed);
        _world.Events.Where(static e => e.Kind == RuntimeEventKind.CleanUpLate).ShouldHaveSingleItem().Message.ShouldContain("a socket");
    }

    [Fact]
    public void C12_CleanUpThatFailsAfterItsTimeIsToldOfBoth()
    {
        var socket = new TaskCompletionSource();
        ManagedTask task = _world.Runtime.SpawnDetached(HangingAsync(socket), "owner");
        _world.Run();
        _world.Time.Advance(TimeSpan.FromSeconds(2));
        _world.RunUntil(task);

        socket.SetException(new InvalidTimeZoneException("too late"));
        _world.Run();

        Eventually.Is(() => _world.Events.Any(static e => e.Kind == RuntimeEventKind.CleanUpFailed), TimeSpan.FromSeconds(20)).ShouldBeTrue();
        RuntimeEvent told = _world.Events.Where(static e => e.Kind == RuntimeEventKind.CleanUpFailed).ShouldHaveSingleItem();
        told.Message.ShouldContain("a socket");
        told.Message.ShouldContain("after its time: too late");
    }

    [Fact]
    public void C12_CleanUpIsShieldedFromTheCancellationThatCausedIt()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(GuardedSleeperAsync(), "owner");
        _world.Run();
        task.Cancel();
        _world.Run();
        task.IsEnded.ShouldBeFalse("its clean-up sleeps, and nothing interrupts that");
        _world.Advance(1);
        task.State.ShouldBe(TaskState.Canceled);
        _world.Trace.ShouldBe(["slept"]);
    }

    [Fact]
    public void C12_AGuardMadeOutsideTasksAndLostCleansUpOnce()
    {
        int[] runs = [0];
        using var ran = new ManualResetEventSlim();
        var told = new System.Collections.Concurrent.ConcurrentQueue<RuntimeEvent>();
        using IDisposable subscription = TaskRuntime.Default.SubscribeToEvents(told.Enqueue);
        Lose(runs, ran);
        for (int i = 0; i < 5 && !ran.IsSet; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        ran.Wait(TestContext.Current.CancellationToken);
        runs[0].ShouldBe(1);
        told.Where(static e => e.Kind == RuntimeEventKind.GuardLost && e.Message.Contains("somebody's lost socket", StringComparison.Ordinal)).ShouldHaveSingleItem().Message.ShouldContain("Dispose guards");

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Lose(int[] runs, ManualResetEventSlim ran) => _ = ResourceGuard.Protect(
            (runs, ran),
            static pair =>
            {
                pair.runs[0]++;
                pair.ran.Set();
            },
            "somebody's lost socket");
    }

    [Fact]
    public async Task C12_AGuardThatIsLostWhenItsRuntimeHasStoppedCleansUpAllTheSame()
    {
        CleanUp<World>? cleanUp = null;
        ManagedTask task = _world.Start(async _ =>
        {
            cleanUp = new CleanUp<World>(_world, static world => Log(world, "cleaned up"), "a file", Timeout.InfiniteTimeSpan, "file.cs", 1); // as of plain code that has come when its task had just ended
            await Future.Yield();
        });
        task.State.ShouldBe(TaskState.Completed);
        cleanUp!.Bind().ShouldBeFalse("the task has ended");
        (await _world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero)).IsComplete.ShouldBeTrue();

        cleanUp.RunLost();
        cleanUp.RunLost();
        await Eventually.IsAsync(() =>
        {
            _world.Run();
            return _world.Trace.Length > 0;
        });
        _world.Trace.ShouldBe(["cleaned up"]);
        RuntimeEvent told = _world.Events.ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.GuardLost);
        told.Message.ShouldContain($"The clean-up of a file in {task.Id} 'task' was never disposed");
        _world.ShouldBeEmpty();

        static Future Log(World world, string what)
        {
            world.Log(what);
            return Future.Completed();
        }
    }

    [Fact]
    public void C12_AGuardThatComesWhenTheEndHasRunTheOthersIsRunBesideTheEndAndKeptByNobody()
    {
        var late = new LateGuard();
        TaskGroup group = TaskGroup.Open(_world.Runtime.Engine.Root, "group", opener: null);
        group.Listener = late;
        ManagedTask task = Future.FromException(new ArithmeticException()).Frame.SpawnInto(group, TaskLabel.Of("owner", "owner", null, string.Empty, 0));
        _world.Run();
        task.State.ShouldBe(TaskState.Failed);
        late.Runs.ShouldBe(1);
        task.Extras.ShouldBeNull("the handle keeps nothing of it");
        task.TryAddGuard(new LateGuard()).ShouldBeFalse();
        group.TryClose(out _).ShouldBeTrue();
        _world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task C12_ACleanUpThatHangsAtTheStopIsNamedWithItsResource(bool disposed)
    {
        var never = new TaskCompletionSource();
        ManagedTask task = _world.Start(
            async token =>
            {
                ResourceGuard socket = ResourceGuard.Protect(never.Task, static async never => await never.ConfigureAwait(false), "a socket");
                _ = disposed ? ResourceGuard.Protect(0, static _ => Future.Completed(), "a file") : null;
                if (disposed)
                {
                    await socket.DisposeAsync();
                }
            },
            "owner");
        StopReport report = await _world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        LeftTask left = report.Left.ShouldHaveSingleItem();
        left.Holds.ShouldBe(disposed ? ["a file (guarded)", "the clean-up of a socket, which is running"] : ["the clean-up of a socket, which is running"]);
        report.ToString().ShouldContain("the clean-up of a socket, which is running");
        never.SetResult();
        _world.RunUntil(task);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task C12_AHealedLeakCleansUp()
    {
        ManagedTask task = Leak();
        (await _world.Runtime.FindLeaksAsync()).Leaks.ShouldHaveSingleItem().Name.ShouldBe("owner");
        _world.RunUntil(task);
        task.Exception.ShouldBeOfType<LeakedTaskException>();
        _world.Trace.ShouldBe(["lost: begins", "lost: done"]);

        // In a method of its own: the search begins on another thread, perhaps before this method has left its stack, and what is there counts as held.
        [MethodImpl(MethodImplOptions.NoInlining)]
        ManagedTask Leak()
        {
            ManagedTask leaking = _world.Runtime.SpawnDetached(LeakingAsync(), "owner");
            _world.Run();
            return leaking;
        }
    }

    [Fact]
    public void C12_BadInput()
    {
        Should.Throw<ArgumentNullException>(static () => ResourceGuard.Protect(1, (Func<int, ValueTask>)null!));
        Should.Throw<ArgumentOutOfRangeException>(static () => ResourceGuard.Protect(1, static _ => Future.Completed(), "x", TimeSpan.Zero));
        Should.Throw<ArgumentOutOfRangeException>(static () => ResourceGuard.Protect(1, static _ => Future.Completed(), "x", TimeSpan.FromSeconds(-2)));
    }

    private async ValueTask CleanUpAsync(string name)
    {
        _world.Log($"{name}: begins");
        await Task.CompletedTask;
        _world.Log($"{name}: done");
    }

    private async Future BodyAsync(string way)
    {
        _ = ResourceGuard.Protect("first", CleanUpAsync);
        _ = ResourceGuard.Protect("second", CleanUpAsync);
        await Future.Yield();
        if (way == "throws")
        {
            throw new InvalidTimeZoneException();
        }

        if (way != "returns")
        {
            await Future.Delay(TimeSpan.FromHours(1));
        }
    }

    private static async Future<int> ValueAsync(TaskCompletionSource gate)
    {
        _ = ResourceGuard.Protect(gate, static gate => new ValueTask(gate.Task));
        await Future.Yield();
        return 7;
    }

    private async Future DisposingAsync()
    {
        await using (ResourceGuard.Protect("guarded", CleanUpAsync))
        {
            await Future.Yield();
        }

        _world.Log("after");
    }

    private async Future DismissingAsync()
    {
        await using ResourceGuard guard = ResourceGuard.Protect("guarded", CleanUpAsync);
        guard.Dismiss().ShouldBeTrue();
        guard.Dismiss().ShouldBeFalse();
        _world.Log("dismissed");
    }

    private static async Future BothFailAsync()
    {
        await using ResourceGuard guard = ResourceGuard.Protect(0, Throw, "a file");
        await Future.Yield();
        throw new InvalidTimeZoneException();
    }

    private static void Throw(int resource) => throw new NotSupportedException("no");

    private static async Future HangingAsync(TaskCompletionSource never)
    {
        _ = ResourceGuard.Protect(never, static never => new ValueTask(never.Task), "a socket", TimeSpan.FromSeconds(1));
        await Future.Yield();
    }

    private async Future GuardedSleeperAsync()
    {
        _ = ResourceGuard.Protect(this, static async self =>
        {
            await Future.Delay(TimeSpan.FromSeconds(1));
            self._world.Log("slept");
        });
        await Future.Delay(TimeSpan.FromHours(1));
    }

    private async Future LeakingAsync()
    {
        _ = ResourceGuard.Protect("lost", CleanUpAsync);
        await new TaskCompletionSource().Task;
    }

    /// <summary>Comes when a task tells of its end, after the guards that it had have run.</summary>
    private sealed class LateGuard : TaskGuard, IEndListener
    {
        public int Runs { get; private set; }

        internal override bool IsTaken => Runs > 0;

        public void TaskEnding(ManagedTask task, TaskEvent how, Exception? error) => task.TryAddGuard(this).ShouldBeTrue();

        internal override Frame? TakeCleanUp() => throw new InvalidOperationException("The end has run its guards.");

        internal override void RunAfterEnd() => Runs++;

        internal override string Describe() => "late";
    }
}
