namespace Moirai.Tests.Scopes;

/// <summary>The part "Create / spawn" of docs/semantics/create-spawn.md.</summary>
public sealed class CreateSpawnSemanticsTests
{
    private static readonly AsyncLocal<string?> s_local = new();

    [Fact]
    public void S001_a_full_pool_fails_at_once_never_builds_the_body_and_takes_the_next_after_one_exit()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("busy", 2);
        var gate = new Gate();
        _ = TaskSlotTests.Admit(pool, _ => gate.WaitAsync());
        _ = TaskSlotTests.Admit(pool, _ => Future.Completed());
        int built = 0;
        Func<CancellationToken, Future> body = _ =>
        {
            built++;
            return Future.Completed();
        };
        pool.TrySpawn(body, out _).ShouldBeFalse();
        pool.TrySpawn(0, (_, ct) => body(ct), out _).ShouldBeFalse();
        built.ShouldBe(0);
        world.Run();
        pool.TrySpawn(body, out _).ShouldBeTrue();
        built.ShouldBe(1);
        gate.Open();
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S001_a_cold_future_that_was_refused_stays_cold_and_may_be_tried_again()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("busy", 1);
        _ = TaskSlotTests.Admit(pool, _ => Future.Completed());
        Future<int> future = Future.FromResult(3);
        pool.TrySpawn(future, out _).ShouldBeFalse();
        world.Run();
        pool.TrySpawn(future, out ManagedTask<int>? task).ShouldBeTrue();
        world.Run();
        task!.Result.ShouldBe(3);
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S003_a_waker_of_the_slots_previous_occupant_does_not_touch_the_next()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("one", 1);
        Waker old = default;
        bool ready = false;
        ManagedTask first = TaskSlotTests.Admit(pool, _ => Future.FromPoll(waker =>
        {
            old = waker;
            return ready;
        }));
        world.Run();
        ready = true;
        old.Wake();
        world.Run();

        var gate = new Gate();
        ManagedTask second = TaskSlotTests.Admit(pool, _ => gate.WaitAsync());
        world.Run();
        old.Wake();
        world.Run().ShouldBe(0);
        (first.State, second.State).ShouldBe((TaskState.Completed, TaskState.Blocked));
        gate.Open();
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S005_the_next_occupant_of_a_slot_inherits_no_name()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("plain", 1);
        pool.TrySpawn(async _ => await Future.Yield(), out ManagedTask? named, name: "named").ShouldBeTrue();
        world.Run();
        ManagedTask next = TaskSlotTests.Admit(pool, async _ => await Future.Yield());
        (named!.Name, next.Name).ShouldBe(("named", "plain"));
        next.Id.ShouldNotBe(named.Id);
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void S007_id_and_task_locals_are_readable_in_clean_up(bool fails, bool canceled)
    {
        var world = new World();
        var gate = new Gate();
        (TaskId, string?) seen = default;
        ManagedTask task = world.Runtime.SpawnDetached(async _ =>
        {
            s_local.Value = "mine";
            try
            {
                await gate.WaitAsync();
                if (fails)
                {
                    throw new FormatException("as planned");
                }
            }
            finally
            {
                seen = (ManagedTask.Current!.Id, s_local.Value);
            }
        });
        world.Run();
        if (canceled)
        {
            task.Cancel();
        }

        gate.Open();
        world.ShouldBeEmpty();
        seen.ShouldBe((task.Id, "mine"));
        s_local.Value.ShouldBeNull("nothing flows back to who drives");
    }

    [Fact]
    public void S009_S011_in_a_canceled_scope_no_body_runs_no_step_is_made_and_the_handle_is_canceled_from_the_start()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("left");
        scope.Cancel("over").ShouldBeTrue();
        int ran = 0;
        async Future CountAsync()
        {
            ran++;
            await Future.Yield();
        }

        ManagedTask[] tasks =
        [
            scope.Spawn(CountAsync()), scope.Spawn(async _ => await CountAsync()), scope.Spawn(_ =>
            {
                ran++;
                return Task.CompletedTask;
            }),
            .. Shapes.Fine.Into(scope).Select(spawn => spawn()),
        ];
        tasks.ShouldAllBe(task => task.State == TaskState.Canceled && task.CancelCause!.Reason == "over");
        world.Run().ShouldBe(0);
        (ran, world.Census.Created, world.Census.Canceled).ShouldBe((0, tasks.Length, tasks.Length));
        Should.Throw<ManagedTaskCanceledException>(() => tasks[0].GetAwaiter().GetResult()).Message.ShouldContain("over");
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S017_a_child_may_add_siblings_while_the_scope_is_joined_and_nobody_after_it_closed()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("closing");
        var gate = new Gate();
        ManagedTask? sibling = null;
        _ = scope.Spawn(async _ =>
        {
            await gate.WaitAsync();
            sibling = scope.Spawn(async _ => await Future.Yield());
        });
        ManagedTask join = world.Runtime.SpawnDetached(scope.JoinAsync());
        world.Run();
        join.IsEnded.ShouldBeFalse();
        gate.Open();
        world.Run();
        (sibling!.State, join.State, scope.IsClosed).ShouldBe((TaskState.Completed, TaskState.Completed, true));
        Should.Throw<InvalidOperationException>(() => scope.Spawn(Future.Completed()));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S023_inputs_that_throw_while_they_are_spawned_leave_scope_and_executor_usable()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("inputs");
        Should.Throw<FormatException>(() =>
        {
            foreach (int input in Inputs())
            {
                _ = scope.Spawn(input, static async (number, _) => await Future.FromResult(number));
            }
        });
        scope.LiveCount.ShouldBe(2);
        ManagedTask<int> after = scope.Spawn(Future.FromResult(7));
        world.Run();
        after.Result.ShouldBe(7);
        world.Census.Completed.ShouldBe(3);
        world.CloseAndBeEmpty(scope);

        static IEnumerable<int> Inputs()
        {
            yield return 1;
            yield return 2;
            throw new FormatException("as planned");
        }
    }
}
