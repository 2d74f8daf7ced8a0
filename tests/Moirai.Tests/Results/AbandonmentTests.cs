namespace Moirai.Tests.Results;

/// <summary>Operations that do not stop when their time is over: given up after a while, accounted under their scope, visible by name, waited for with a budget, and never forgotten.</summary>
public sealed class AbandonmentTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    public static TheoryData<TimeSpan> Bad => [TimeSpan.FromTicks(-1), TimeSpan.MinValue];

    [Fact]
    public void An_operation_in_time_gives_its_value_and_leaves_nothing()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask<int> task = world.Spawn(async ct => await ValueAsync(gate).WithTimeout(Second, abandonAfter: Second));
        world.Run();
        gate.Open();
        world.Run();
        task.Result.ShouldBe(7);
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void An_operation_that_stops_when_it_is_told_times_out_as_any_other()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await Future.Delay(Hour).AsFuture().WithTimeout(Second, abandonAfter: Second), "caller");
        world.Pass(1);
        TaskTimeoutException error = task.Exception.ShouldBeOfType<TaskTimeoutException>();
        error.Within.ShouldBe(Second);
        error.WaitingFor.ShouldContain("a timer");
        world.Events.Select(what => what.Kind).ShouldBe([RuntimeEventKind.TimedOut]);
        world.Census.Abandoned.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_clean_up_of_an_operation_has_as_long_as_was_said()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await CleansUpAsync(world, 3).WithTimeout(Second, abandonAfter: 3 * Second));
        world.Pass(1);
        task.State.ShouldBe(TaskState.Blocked);
        world.Pass(3);
        world.Trace.ShouldBe(["cleaned up"]);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.Census.Abandoned.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void One_that_does_not_stop_is_split_off_with_id_and_name_and_the_caller_goes_on()
    {
        var world = new World();
        var stuck = new TaskCompletionSource();
        ManagedTask task = world.Start(
            async ct =>
            {
                try
                {
                    await StuckAsync(stuck).WithTimeout(Second, abandonAfter: 2 * Second);
                }
                catch (TaskTimeoutException error)
                {
                    error.WaitingFor.ShouldBe("a foreign awaitable in StuckAsync");
                    world.Log($"timed out at {world.Time.Elapsed.TotalSeconds}");
                }
            },
            "caller");
        world.Pass(2.9);
        task.IsEnded.ShouldBeFalse();
        world.Census.Abandoned.ShouldBe(0);
        world.Pass(0.1);
        world.Trace.ShouldBe(["timed out at 3"]);
        task.State.ShouldBe(TaskState.Completed);

        world.Census.Abandoned.ShouldBe(1);
        world.Census.Live.ShouldBe(1);
        world.Census.IsBalanced.ShouldBeTrue();
        AbandonedOperation given = world.Runtime.ListAbandoned().ShouldHaveSingleItem();
        given.Name.ShouldBe("abandoned: StuckAsync");
        given.Task.Value.ShouldBePositive();
        given.Scope.ShouldBe("world");
        given.WaitingFor.ShouldBe("a foreign awaitable in StuckAsync");
        RuntimeEvent told = world.Events.Single(what => what.Kind == RuntimeEventKind.Abandoned);
        told.Task.ShouldBe(given.Task);
        told.Message.ShouldContain("'abandoned: StuckAsync'");

        stuck.SetResult();
        world.Run();
        world.Census.Abandoned.ShouldBe(0);
        world.Runtime.ListAbandoned().ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_late_failure_of_one_that_was_given_up_is_told_and_its_late_success_is_not()
    {
        var world = new World();
        var fails = new TaskCompletionSource();
        var succeeds = new TaskCompletionSource();
        foreach (TaskCompletionSource stuck in (TaskCompletionSource[])[fails, succeeds])
        {
            ManagedTask task = world.Start(async ct => await StuckAsync(stuck).WithTimeout(Second, abandonAfter: TimeSpan.Zero));
            world.Pass(1);
            task.Exception.ShouldBeOfType<TaskTimeoutException>();
        }

        int before = world.Events.Length;
        succeeds.SetResult();
        world.Run();
        world.Events.Length.ShouldBe(before);
        var late = new ArithmeticException("late");
        fails.SetException(late);
        world.Run();
        RuntimeEvent told = world.Events[^1];
        told.Kind.ShouldBe(RuntimeEventKind.UnobservedFailure);
        told.Error.ShouldBeSameAs(late);
        told.Message.ShouldContain("abandoned: StuckAsync");
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("value")]
    [InlineData("failure")]
    public void An_operation_that_ends_in_its_clean_up_time_with_an_answer_of_its_own_is_heard(string how)
    {
        var world = new World();
        var stuck = new TaskCompletionSource();
        ManagedTask task = world.Start(async ct => await StuckAsync(stuck).WithTimeout(Second, abandonAfter: Hour));
        world.Pass(2);
        if (how == "value")
        {
            stuck.SetResult();
            world.Run();
            task.Exception.ShouldBeOfType<TaskTimeoutException>(); // it was told, and took longer all the same
        }
        else
        {
            stuck.SetException(new ArithmeticException());
            world.Run();
            task.Exception.ShouldBeOfType<ArithmeticException>();
        }

        world.Events.ShouldAllBe(what => what.Kind != RuntimeEventKind.Abandoned);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_scopes_end_waits_for_what_was_abandoned_in_it()
    {
        var world = new World(options => options.AbandonTimeout = 10 * Second);
        var stuck = new TaskCompletionSource();
        ManagedTask scope = world.Start(async ct => await world.Runtime.RunScopeAsync("calls", async inner => await CallAsync(stuck)));
        world.Pass(1);
        world.Trace.ShouldBeEmpty();
        scope.State.ShouldBe(TaskState.Blocked);
        world.Runtime.ListAbandoned().ShouldHaveSingleItem().Scope.ShouldBe("calls");
        world.Pass(5);
        scope.State.ShouldBe(TaskState.Blocked);
        stuck.SetResult();
        world.Run();
        scope.State.ShouldBe(TaskState.Completed);
        world.Events.Count(what => what.Kind == RuntimeEventKind.Abandoned).ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("scope")]
    [InlineData("opened")]
    [InlineData("pool")]
    [InlineData("collector")]
    public void When_the_budget_is_over_the_end_goes_on_without_it_and_the_runtime_keeps_account(string kind)
    {
        var world = new World(options => options.AbandonTimeout = 10 * Second);
        var stuck = new TaskCompletionSource();
        ManagedTask owner = world.Start(async ct => await RunInAsync(world, kind, stuck), "owner");
        world.Pass(10.999);
        owner.State.ShouldBe(TaskState.Blocked);
        world.Pass(0.001);
        owner.State.ShouldBe(TaskState.Completed);

        Census census = world.Census;
        census.OpenScopes.ShouldBe(0, census.ToString());
        census.Abandoned.ShouldBe(1);
        census.Live.ShouldBe(1);
        census.IsBalanced.ShouldBeTrue();
        world.Timers.ShouldBe(0);
        RuntimeEvent left = world.Events.Last(what => what.Kind == RuntimeEventKind.Abandoned);
        left.Message.ShouldContain("'calls' ends without");
        left.Message.ShouldContain("abandoned: StuckAsync");

        stuck.SetResult();
        world.Run();
        world.Census.Abandoned.ShouldBe(0);
        world.ShouldBeEmpty();
        world.Runtime.Engine.Housekeeping.Live.ShouldBe(0);
        world.Runtime.Engine.Housekeeping.Counts.Created.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void Without_a_budget_nobody_waits_and_with_an_infinite_one_everybody_does()
    {
        var none = new World(options => options.AbandonTimeout = TimeSpan.Zero);
        var stuck = new TaskCompletionSource();
        ManagedTask task = none.Start(async ct => await none.Runtime.RunScopeAsync("calls", async inner => await CallAsync(stuck)));
        none.Pass(1);
        task.State.ShouldBe(TaskState.Completed);
        none.Census.Abandoned.ShouldBe(1);

        var infinite = new World(options => options.AbandonTimeout = Timeout.InfiniteTimeSpan);
        var stuckToo = new TaskCompletionSource();
        ManagedTask waits = infinite.Start(async ct => await infinite.Runtime.RunScopeAsync("calls", async inner => await CallAsync(stuckToo)));
        infinite.Pass(1_000_000);
        waits.State.ShouldBe(TaskState.Blocked);
        stuck.SetResult();
        stuckToo.SetResult();
        none.ShouldBeEmpty();
        infinite.ShouldBeEmpty();
        waits.State.ShouldBe(TaskState.Completed);
    }

    [Fact]
    public void C1_the_slot_of_a_pool_comes_back_when_its_task_ends_though_its_operation_was_abandoned()
    {
        var world = new World();
        var stuck = new TaskCompletionSource();
        TaskPool pool = world.Runtime.CreatePool("requests", 1);
        pool.TrySpawn(async ct => await CallAsync(stuck), out ManagedTask? task).ShouldBeTrue();
        world.Run();
        world.Pass(1);
        task.State.ShouldBe(TaskState.Completed);
        pool.ActiveCount.ShouldBe(0);
        pool.TrySpawn(static async ct => await Future.Yield(), out _).ShouldBeTrue();
        stuck.SetResult();
        world.Run();
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task B5_the_report_of_a_stop_names_what_was_abandoned_and_what_was_given_up()
    {
        var runtime = new TaskRuntime(new TaskRuntimeOptions { AbandonTimeout = TimeSpan.Zero });
        var stuck = new TaskCompletionSource();
        var foreign = new TaskCompletionSource();
        await Should.ThrowAsync<TaskTimeoutException>(async () => await runtime.RunScopeAsync("calls", async scope =>
            await StuckAsync(stuck).WithTimeout(TimeSpan.Zero, abandonAfter: TimeSpan.Zero)));
        await Should.ThrowAsync<TaskTimeoutException>(async () => await runtime.RunScopeAsync("calls", async scope => await foreign.Task.WithTimeout(TimeSpan.Zero)));

        StopReport report = await runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        LeftTask left = report.Left.ShouldHaveSingleItem();
        left.Name.ShouldBe("abandoned: StuckAsync");
        report.Abandoned.Select(one => one.Name).ShouldBe(["abandoned: StuckAsync", "abandoned: foreign.Task"]);
        report.ToString().ShouldContain("abandoned: foreign.Task");
        report.IsComplete.ShouldBeFalse();
        stuck.SetResult();
        foreign.SetResult();
    }

    [Fact]
    public void A_canceled_caller_cancels_its_operation_and_waits_for_it_as_long_before_it_gives_it_up()
    {
        var world = new World();
        var stuck = new TaskCompletionSource();
        ManagedTask stubborn = world.Start(async ct => await StuckAsync(stuck).WithTimeout(Hour, abandonAfter: 2 * Second), "stubborn");
        ManagedTask obedient = world.Start(async ct => await CleansUpAsync(world, 1).WithTimeout(Hour, abandonAfter: 2 * Second), "obedient");
        stubborn.Cancel("enough");
        obedient.Cancel("enough");
        world.Run();
        stubborn.State.ShouldBe(TaskState.Blocked);
        world.Pass(1);
        obedient.State.ShouldBe(TaskState.Canceled);
        obedient.CancelCause!.Reason.ShouldBe("enough");
        world.Pass(1);
        stubborn.State.ShouldBe(TaskState.Canceled);
        world.Census.Abandoned.ShouldBe(1);
        stuck.SetResult();
        world.Run();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void An_outer_timeout_counts_for_an_operation_that_may_be_abandoned()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await OuterAsync().WithTimeout(Second));
        world.Pass(1);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().Operation.ShouldStartWith("OuterAsync");
        world.ShouldBeEmpty();

        static async Future OuterAsync() => await Future.Delay(Hour).AsFuture().WithTimeout(60 * Second, abandonAfter: Second);
    }

    [Fact]
    public void A_shielded_caller_keeps_cancellation_from_its_operation()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("outer", async scope =>
        {
            using (ManagedTask.Shield())
            {
                (await ValueAsync(gate).WithTimeout(Hour, abandonAfter: Second)).ShouldBe(7);
                world.Log("kept");
            }
        }));
        task.Cancel();
        world.Run();
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["kept"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S095_an_operation_with_a_task_of_its_own_stands_where_it_was_called()
    {
        var world = new World();
        DateTimeOffset start = world.Time.GetUtcNow();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("five", 5 * Second, async scope =>
        {
            await AskAsync().WithTimeout(2 * Second, abandonAfter: Second);
            await AskAsync().WithTimeout(Hour, abandonAfter: Second);
            using (ManagedTask.Shield())
            {
                await AskAsync().WithTimeout(9 * Second, abandonAfter: Second);
            }

            await InScopeAsync().WithTimeout(Hour, abandonAfter: Second);
        }));
        task.State.ShouldBe(TaskState.Completed, task.Exception?.ToString());
        world.Trace.ShouldBe(["2", "5", "9", "5"]);
        world.ShouldBeEmpty();

        async Future AskAsync()
        {
            await Future.Yield();
            world.Log($"{(ManagedTask.CurrentDeadline!.Value - start).TotalSeconds}");
        }

        Future InScopeAsync() => world.Runtime.RunScopeAsync("inner", async inner => await inner.Spawn(AskAsync()));
    }

    [Fact]
    public void A_Task_may_be_abandoned_as_a_child_of_its_scope_by_the_callers_name()
    {
        var world = new World();
        var answer = new TaskCompletionSource<int>();
        ManagedTask<int> task = world.Spawn(async ct => await answer.Task.WithTimeout(Second, abandonAfter: Second));
        var second = new TaskCompletionSource<int>();
        ManagedTask<int> other = world.Spawn(async ct => await new ValueTask<int>(second.Task).WithTimeout(Hour, abandonAfter: Second));
        world.Run();
        world.Pass(2);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.Runtime.ListAbandoned().ShouldHaveSingleItem().Name.ShouldBe("abandoned: answer.Task");
        world.Census.AbandonedWaits.ShouldBe(0); // it has a task of its own
        answer.SetResult(5);
        second.SetResult(5);
        world.Run();
        other.Result.ShouldBe(5);
        world.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void A_negative_time_to_stop_is_refused_at_once(TimeSpan abandonAfter)
    {
        Should.Throw<ArgumentOutOfRangeException>(() => Future.Completed().WithTimeout(Second, abandonAfter)).ParamName.ShouldBe("abandonAfter");
        Should.Throw<ArgumentOutOfRangeException>(() => Task.CompletedTask.WithTimeout(Second, abandonAfter)).ParamName.ShouldBe("abandonAfter");
        Should.Throw<ArgumentOutOfRangeException>(() => new TaskRuntimeOptions { AbandonTimeout = abandonAfter });
    }

    [Fact]
    public void S107_the_longest_times_do_not_overflow()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask[] tasks =
        [
            world.Start(async ct => await ValueAsync(gate).WithTimeout(TimeSpan.MaxValue, TimeSpan.MaxValue)),
            world.Start(async ct => await ValueAsync(gate).WithTimeout(Timeout.InfiniteTimeSpan, Second)),
            world.Start(async ct => await ValueAsync(gate).WithTimeout(Hour, Timeout.InfiniteTimeSpan)),
        ];
        world.Pass(60);
        tasks.ShouldAllBe(task => task.State == TaskState.Blocked);
        gate.Open();
        world.Run();
        tasks.ShouldAllBe(task => task.State == TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_storm_of_operations_that_stop_late_are_all_accounted_for()
    {
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { AbandonTimeout = TimeSpan.Zero });
        var stuck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int gone = 0;
        int begun = 0; // an operation whose time is over before it gets a thread never begins
        await runtime.RunScopeAsync("storm", async scope =>
        {
            for (int i = 0; i < 400; i++)
            {
                bool stubborn = i % 2 == 0;
                _ = scope.Spawn(async ct =>
                {
                    try
                    {
                        await (stubborn ? CountedAsync() : Future.Delay(TimeSpan.FromMicroseconds(i * 5)).AsFuture()).WithTimeout(TimeSpan.FromMilliseconds(1), abandonAfter: TimeSpan.FromMilliseconds(1));
                    }
                    catch (TaskTimeoutException)
                    {
                        Interlocked.Increment(ref gone);
                    }
                });
            }

            await Future.Yield();
        });
        // On a busy machine one that means to stop may be given up too; it ends by itself when it gets a thread.
        Eventually.Is(() => runtime.TakeCensus().Live == begun, TimeSpan.FromMinutes(1));
        Census census = runtime.TakeCensus();
        census.IsBalanced.ShouldBeTrue(census.ToString());
        census.Abandoned.ShouldBe(begun, census.ToString());
        census.Live.ShouldBe(begun);
        gone.ShouldBeGreaterThanOrEqualTo(200);
        stuck.SetResult();
        (await runtime.StopAsync(TimeSpan.FromMinutes(1), TimeSpan.Zero)).IsComplete.ShouldBeTrue();
        World.ShouldBeEmpty(runtime);

        async Future CountedAsync()
        {
            Interlocked.Increment(ref begun);
            await StuckAsync(stuck);
        }
    }

    private static async Future RunInAsync(World world, string kind, TaskCompletionSource stuck)
    {
        switch (kind)
        {
            case "scope":
                await world.Runtime.RunScopeAsync("calls", async scope => await scope.Spawn(async ct => await CallAsync(stuck)));
                break;
            case "opened":
                TaskScope opened = world.Runtime.OpenScope("calls");
                _ = opened.Spawn(async ct => await CallAsync(stuck));
                await opened.JoinAsync();
                break;
            case "pool":
                TaskPool pool = world.Runtime.CreatePool("calls", 2);
                await (await pool.SpawnAsync(async ct => await CallAsync(stuck)));
                await pool.DrainAsync();
                break;
            default:
                await world.Runtime.RunScopeAsync("around", async scope =>
                {
                    await using var collector = new TaskCollector<int>(scope, "calls");
                    _ = collector.Add(async ct =>
                    {
                        await CallAsync(stuck);
                        return 1;
                    });
                    (await collector.CollectAsync()).ShouldBe([1]);
                });
                break;
        }
    }

    private static async Future CallAsync(TaskCompletionSource stuck)
    {
        try
        {
            await StuckAsync(stuck).WithTimeout(Second, abandonAfter: TimeSpan.Zero);
        }
        catch (TaskTimeoutException)
        {
            // it goes on without us
        }
    }

    private static async Future StuckAsync(TaskCompletionSource stuck) => await stuck.Task.ConfigureAwait(false);

    private static async Future<int> ValueAsync(Gate gate)
    {
        await gate.WaitAsync();
        return 7;
    }

    private static async Future CleansUpAsync(World world, double seconds)
    {
        try
        {
            await Future.Delay(Hour);
        }
        finally
        {
            using CancelShield shield = ManagedTask.Shield();
            await Future.Delay(TimeSpan.FromSeconds(seconds));
            world.Log("cleaned up");
        }
    }
}
