namespace Moirai.Tests.Scopes;

/// <summary>Futures, tasks and runtimes that are used wrongly.</summary>
public sealed class BadFutureTests
{
    [Fact]
    public void A_future_runs_once_and_every_second_use_names_it_and_what_to_do()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("once");
        TaskPool pool = world.Runtime.CreatePool("once", 1);
        Future<int> spawned = OnceAsync();
        ManagedTask<int> task = scope.Spawn(spawned);
        AllRefuse(world, scope, pool, spawned, "is already running", task.Id.ToString());
        world.Run();
        AllRefuse(world, scope, pool, spawned, "has already run", "OnceAsync");
        task.Result.ShouldBe(1);

        Future<int> awaited = OnceAsync();
        world.Run(Results.TaskCollectorTests.Ignore(awaited));
        AllRefuse(world, scope, pool, awaited, "has already run", "OnceAsync");
        world.Run(pool.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void A_future_that_is_never_run_costs_nothing_and_runs_nothing()
    {
        var world = new World();
        bool ran = false;
        Future future = RunAsync();
        world.Run();
        ran.ShouldBeFalse();
        Should.Throw<InvalidOperationException>(() => future.GetAwaiter().GetResult()).Message.ShouldContain("RunAsync has not run");
        world.ShouldBeEmpty();

        async Future RunAsync()
        {
            ran = true;
            await Future.Yield();
        }
    }

    [Fact]
    public void The_default_future_says_that_there_is_nothing_to_run()
    {
        var world = new World();
        Action[] uses =
        [
            () => default(Future).GetAwaiter(), () => default(Future<int>).GetAwaiter(), () => world.Runtime.Run(default(Future)),
            () => world.Runtime.Run(default(Future<int>)), () => default(Future).WithTimeout(TimeSpan.FromSeconds(1)),
            () => _ = (Future)default(Future<int>), () => default(Future).AsTask(),
        ];
        foreach (Action use in uses)
        {
            Should.Throw<InvalidOperationException>(use).Message.ShouldContain("default(Future)");
        }

        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_result_that_is_asked_for_too_early_names_the_task_and_its_wait()
    {
        var world = new World();
        ManagedTask<int> task = world.Runtime.SpawnDetached(OnceAsync(), name: "early");
        world.Executor.RunOneStep();
        string[] messages =
        [
            Should.Throw<InvalidOperationException>(() => task.Result).Message,
            Should.Throw<InvalidOperationException>(() => task.GetAwaiter().GetResult()).Message,
            Should.Throw<InvalidOperationException>(() => ((ManagedTask)task).GetAwaiter().GetResult()).Message,
        ];
        messages.ShouldAllBe(message => message.Contains("'early' has not ended (it is Ready", StringComparison.Ordinal));
        world.ShouldBeEmpty();
        task.Result.ShouldBe(1);
    }

    [Fact]
    public void A_task_that_awaits_itself_is_told_so()
    {
        var world = new World();
        ManagedTask? self = null;
        Func<Future>[] ways = [async () => await self!, async () => await self!.WithTimeout(TimeSpan.FromSeconds(1))];
        foreach (Func<Future> way in ways)
        {
            self = world.Runtime.SpawnDetached(async _ => await way());
            world.Run();
            self.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain($"{self.Id} 'world' awaits its own end");
        }

        world.ShouldBeEmpty();
    }

    [Fact]
    public void Blocking_inside_a_task_is_refused_in_Run_and_in_driving()
    {
        var world = new World();
        ManagedTask run = world.Runtime.SpawnDetached(async _ =>
        {
            await Future.Yield();
            world.Runtime.Run(Future.Completed());
        });
        ManagedTask drive = world.Runtime.SpawnDetached(async _ =>
        {
            await Future.Yield();
            world.Executor.RunUntilStalled();
        });
        world.Run();
        run.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain($"{run.Id} 'world' would block its thread");
        drive.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain($"{drive.Id} 'world'");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Another_thread_that_drives_a_driven_executor_is_refused()
    {
        var world = new World();
        ManagedTask task = world.Runtime.SpawnDetached(_ => Task.Run(() => world.Executor.RunUntilStalled()));
        world.Executor.RunUntil(task);
        task.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain("Another thread drives this LocalExecutor");
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_default_runtime_is_never_stopped()
    {
        string message = (await Should.ThrowAsync<InvalidOperationException>(() => TaskRuntime.Default.StopAsync(TimeSpan.Zero, TimeSpan.Zero))).Message;
        message.ShouldContain("never stopped");
        await Should.ThrowAsync<InvalidOperationException>(async () => await TaskRuntime.Default.DisposeAsync());
        TaskRuntime.Default.IsStopped.ShouldBeFalse();
        await Future.Yield();
    }

    [Fact]
    public void One_executor_serves_one_runtime_and_the_message_names_it()
    {
        var world = new World("first");
        Should.Throw<InvalidOperationException>(() => new TaskRuntime(new TaskRuntimeOptions { Name = "second", Executor = world.Executor }))
            .Message.ShouldContain("already serves runtime 'first'");
        world.Run(Future.FromResult(1)).ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stopped_runtime_refuses_every_shape_and_every_new_place_and_keeps_nothing()
    {
        var world = new World("gone");
        TaskScope scope = world.Runtime.OpenScope("before");
        TaskPool pool = world.Runtime.CreatePool("before", 1);
        StopReport report = await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        report.IsComplete.ShouldBeTrue();
        Action[] others =
        [
            () => world.Runtime.OpenScope("late"), () => world.Runtime.CreatePool("late", 1), () => world.Runtime.Run(Future.Completed()),
            .. Shapes.Fine.Into(world.Runtime).Select<Func<ManagedTask>, Action>(spawn => () => spawn()),
            .. Shapes.Fine.Into(scope).Select<Func<ManagedTask>, Action>(spawn => () => spawn()),
            .. Shapes.Fine.TryInto(pool).Select<Func<ManagedTask?>, Action>(spawn => () => spawn()),
        ];
        foreach (Action use in others)
        {
            Should.Throw<ObjectDisposedException>(use).Message.ShouldContain("gone");
        }

        world.Census.IsEmpty.ShouldBeTrue(world.Census.ToString());
        world.Census.Created.ShouldBe(0);
    }

    [Fact]
    public async Task Stopping_twice_and_disposing_after_give_the_first_report()
    {
        var world = new World();
        ManagedTask task = world.Runtime.SpawnDetached(async _ => await Future.Delay(Timeout.InfiniteTimeSpan));
        StopReport first = await world.Runtime.StopAsync(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        StopReport second = await world.Runtime.StopAsync(TimeSpan.FromDays(1), TimeSpan.Zero);
        await world.Runtime.DisposeAsync();
        await world.Runtime.DisposeAsync();
        second.ShouldBeSameAs(first);
        first.Canceled.ShouldBe(1);
        task.CancelCause!.Kind.ShouldBe(CancelKind.RuntimeStopped);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Budgets_of_a_stop_are_not_negative_and_as_long_as_one_likes()
    {
        var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "long" });
        TimeSpan negative = TimeSpan.FromTicks(-2);
        Should.Throw<ArgumentOutOfRangeException>(() => { _ = runtime.StopAsync(negative, TimeSpan.Zero); });
        Should.Throw<ArgumentOutOfRangeException>(() => { _ = runtime.StopAsync(TimeSpan.Zero, negative); });
        Should.Throw<ArgumentOutOfRangeException>(() => new TaskRuntimeOptions { DrainTimeout = negative });
        Should.Throw<ArgumentOutOfRangeException>(() => new TaskRuntimeOptions { CancelTimeout = negative });
        runtime.IsStopped.ShouldBeFalse();
        StopReport report = await runtime.StopAsync(TimeSpan.MaxValue, TimeSpan.MaxValue);
        report.IsComplete.ShouldBeTrue();
    }

    private static void AllRefuse(World world, TaskScope scope, TaskPool pool, Future<int> future, params string[] parts)
    {
        Action[] uses =
        [
            () => scope.Spawn(future), () => world.Runtime.SpawnDetached(future), () => pool.TrySpawn(future, out _),
            () => _ = pool.SpawnAsync(future).GetAwaiter().IsCompleted, () => _ = future.GetAwaiter().IsCompleted,
            () => world.Runtime.Run(future), () => future.AsTask(),
        ];
        foreach (Action use in uses)
        {
            string message = Should.Throw<InvalidOperationException>(use).Message;
            message.ShouldContain("A future runs once");
            Array.ForEach(parts, part => message.ShouldContain(part));
        }

        pool.ActiveCount.ShouldBe(0);
        world.Census.SlotsInUse.ShouldBe(0);
    }

    private static async Future<int> OnceAsync()
    {
        await Future.Yield();
        return 1;
    }
}
