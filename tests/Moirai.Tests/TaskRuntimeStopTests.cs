namespace Moirai.Tests;

/// <summary>How a runtime ends: intake refused, drained, canceled, reported by name.</summary>
public sealed class TaskRuntimeStopTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task B5_tasks_that_end_in_time_are_drained_and_not_canceled()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await Future.Delay(Second));
        Task<StopReport> stop = world.Runtime.StopAsync(10 * Second, Second);
        world.Runtime.IsStopped.ShouldBeTrue();
        world.Advance(1);
        StopReport report = await stop;
        task.State.ShouldBe(TaskState.Completed);
        report.IsComplete.ShouldBeTrue();
        report.Completed.ShouldBe(1);
        report.Canceled.ShouldBe(0);
        world.Time.ActiveTimers.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task B5_tasks_that_do_not_are_canceled_with_the_runtime_as_the_cause()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await new Gate().WaitAsync());
        StopReport report = await world.Runtime.StopAsync(TimeSpan.Zero, Second);
        task.State.ShouldBe(TaskState.Canceled);
        task.CancelCause!.Kind.ShouldBe(CancelKind.RuntimeStopped);
        task.CancelCause.Source.ShouldContain("world");
        report.IsComplete.ShouldBeTrue();
        report.Canceled.ShouldBe(1);
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task B5_what_is_left_is_reported_with_name_site_and_wait_and_told()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask stubborn = world.Runtime.SpawnDetached(
            async ct =>
            {
                using CancelShield shield = ManagedTask.Shield();
                await gate.WaitAsync();
            },
            "stubborn");
        var held = new TaskCompletionSource();
        ManagedTask foreign = world.Runtime.SpawnDetached(async ct => await held.Task, "foreign");
        world.Run();
        Task<StopReport> stopping = world.Runtime.StopAsync(Second, Second);
        world.Time.Advance(Second); // not run here: from now on who stops the runtime drives it
        await UntilAsync(() => stubborn.CancelCause is not null && world.Time.ActiveTimers > 0);
        world.Time.Advance(Second);
        StopReport report = await stopping;

        report.IsComplete.ShouldBeFalse();
        report.Left.Count.ShouldBe(2);
        LeftTask left = report.Left.Single(task => task.Id == stubborn.Id);
        left.Name.ShouldBe("stubborn");
        left.State.ShouldBe(TaskState.Blocked);
        left.SpawnSite.ShouldStartWith("TaskRuntimeStopTests.cs:");
        left.WaitingFor.ShouldContain("a polled operation");
        report.Left.Single(task => task.Id == foreign.Id).WaitingFor.ShouldContain("foreign awaitable");
        report.ToString().ShouldContain("stubborn");
        world.Events.ShouldHaveSingleItem().Kind.ShouldBe(RuntimeEventKind.StopIncomplete);

        // The runtime keeps serving what is left.
        gate.Open();
        world.Run();
        stubborn.IsEnded.ShouldBeTrue();
        GC.KeepAlive(held);
        (await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero)).ShouldBeSameAs(report);
    }

    [Fact]
    public async Task B5_what_is_left_is_served_on_timers_included()
    {
        var world = new World();
        ManagedTask stubborn = world.Start(static async _ =>
        {
            using CancelShield shield = ManagedTask.Shield();
            await Future.Delay(60 * Second);
            await Future.Delay(60 * Second);
        });
        (await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero)).Left.ShouldHaveSingleItem().Id.ShouldBe(stubborn.Id);
        world.Advance(60);
        world.Advance(60);
        stubborn.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task B5_a_runtime_that_has_stopped_leaves_no_timer_with_its_clock()
    {
        var world = new World();
        ManagedTask task = world.Start(static async _ => await Future.FromResult(1).WithTimeout(3600 * Second));
        task.State.ShouldBe(TaskState.Completed);
        world.Time.ActiveTimers.ShouldBe(1, "a turn in vain costs less than setting the clock for each operation that was done in time");
        (await world.Runtime.StopAsync(Second, Second)).IsComplete.ShouldBeTrue();
        world.Time.ActiveTimers.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Intake_is_refused_while_children_of_what_lives_may_still_be_spawned()
    {
        var world = new World();
        var gate = new Gate();
        TaskPool pool = world.Runtime.CreatePool("pool", 2);
        TaskScope scope = world.Runtime.OpenScope("scope");
        ManagedTask task = world.Start(async ct =>
        {
            await gate.WaitAsync();
            await world.Runtime.RunScopeAsync("inside", async inside => await inside.Spawn(static async ct => await Future.Yield()));
            world.Log("children ran");
        });
        Task<StopReport> stop = world.Runtime.StopAsync(60 * Second, Second);

        Should.Throw<ObjectDisposedException>(() => world.Spawn(static async ct => await Future.Yield())).Message.ShouldContain("takes no new work");
        Should.Throw<ObjectDisposedException>(() => world.Runtime.OpenScope("late"));
        Should.Throw<ObjectDisposedException>(() => world.Runtime.CreatePool("late", 1));
        Should.Throw<InvalidOperationException>(() => pool.TrySpawn(static async ct => await Future.Yield(), out _));
        Should.Throw<InvalidOperationException>(() => scope.Spawn(static async ct => await Future.Yield()));
        pool.ActiveCount.ShouldBe(0);
        world.Runtime.TakeCensus().SlotsInUse.ShouldBe(0);

        gate.Open();
        world.Run();
        StopReport report = await stop;
        world.Trace.ShouldBe(["children ran"]);
        task.State.ShouldBe(TaskState.Completed);
        report.Completed.ShouldBe(2);
        report.IsComplete.ShouldBeTrue();
    }

    [Fact]
    public async Task A_second_stop_and_a_dispose_wait_for_the_first_and_get_its_report()
    {
        var world = new World();
        var gate = new Gate();
        _ = world.Start(async ct => await gate.WaitAsync());
        Task<StopReport> first = world.Runtime.StopAsync(60 * Second, Second);
        Task<StopReport> second = world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        ValueTask dispose = world.Runtime.DisposeAsync();
        first.IsCompleted.ShouldBeFalse();
        gate.Open();
        world.Run();
        (await second).ShouldBeSameAs(await first);
        await dispose;
        await world.Runtime.DisposeAsync();
    }

    [Fact]
    public async Task Dispose_uses_the_budgets_of_the_options()
    {
        var world = new World(static options =>
        {
            options.DrainTimeout = 2 * Second;
            options.CancelTimeout = 3 * Second;
        });
        ManagedTask task = world.Start(async ct => await new Gate().WaitAsync());
        ValueTask dispose = world.Runtime.DisposeAsync();
        world.Advance(1.999);
        task.CancelCause.ShouldBeNull();
        world.Time.Advance(TimeSpan.FromMilliseconds(1));
        await dispose;
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_that_waits_for_the_stop_of_its_own_runtime_is_reported_as_left_and_goes_on_with_the_report()
    {
        var world = new World();
        ManagedTask<StopReport> task = world.Spawn(async _ => await world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero));
        world.Executor.RunUntil(task);
        task.Result.Left.ShouldHaveSingleItem().Id.ShouldBe(task.Id);
        world.Runtime.IsStopped.ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Bad_budgets_are_refused_and_nothing_is_stopped()
    {
        var world = new World();
        Should.Throw<ArgumentOutOfRangeException>(() => { _ = world.Runtime.StopAsync(-Second, Second); });
        Should.Throw<ArgumentOutOfRangeException>(() => { _ = world.Runtime.StopAsync(Second, TimeSpan.MinValue); });
        Should.Throw<ArgumentOutOfRangeException>(() => new TaskRuntimeOptions { DrainTimeout = -Second });
        world.Runtime.IsStopped.ShouldBeFalse();
    }

    [Fact]
    public void The_default_runtime_serves_everybody_and_is_never_stopped()
    {
        TaskRuntime.Default.ShouldBeSameAs(TaskRuntime.Default);
        TaskRuntime.Default.Run(Future.FromResult(3)).ShouldBe(3);
        Should.Throw<InvalidOperationException>(() => { _ = TaskRuntime.Default.StopAsync(TimeSpan.Zero, TimeSpan.Zero); }).Message.ShouldContain("never stopped");
    }

    [Fact]
    public async Task C13_a_stop_that_is_asked_for_by_a_callback_of_the_stop_is_the_same_stop()
    {
        var world = new World();
        Task<StopReport>? again = null;
        _ = world.Start(async ct =>
        {
            using CancellationTokenRegistration asks = ManagedTask.CurrentToken.Register(() => again = world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero));
            await Future.Delay(TimeSpan.FromHours(1));
        });

        Task<StopReport> first = world.Runtime.StopAsync(TimeSpan.Zero, 60 * Second);

        (await first).Left.ShouldBeEmpty();
        again.ShouldBeSameAs(first);
    }

    [Fact]
    public async Task C13_a_stop_that_is_asked_for_by_another_thread_while_a_callback_of_the_stop_runs_does_not_wait_for_it()
    {
        var world = new World();
        Task<StopReport>? again = null;
        _ = world.Start(async ct =>
        {
            using CancellationTokenRegistration asks = ManagedTask.CurrentToken.Register(() =>
            {
                var other = new Thread(() => again = world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero));
                other.Start();
                other.Join(); // as a callback does that waits for somebody who stops the runtime
            });
            await Future.Delay(TimeSpan.FromHours(1));
        });

        Task<StopReport> first = world.Runtime.StopAsync(TimeSpan.Zero, 60 * Second);

        (await first).Left.ShouldBeEmpty();
        again.ShouldBeSameAs(first);
    }

    private static Task UntilAsync(Func<bool> condition) => Eventually.IsAsync(condition);
}
