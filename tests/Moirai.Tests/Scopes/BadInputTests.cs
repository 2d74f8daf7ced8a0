namespace Moirai.Tests.Scopes;

/// <summary>Whatever is handed in wrongly has an answer that names who is concerned and says what to do; nothing is lost, no slot is kept.</summary>
public sealed class BadInputTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public void A_limit_below_one_is_refused_and_names_the_pool(int limit)
    {
        var world = new World();
        Should.Throw<ArgumentOutOfRangeException>(() => world.Runtime.CreatePool("orders", limit)).Message.ShouldContain("'orders' needs at least one slot");
        Should.Throw<ArgumentOutOfRangeException>(() => new TaskSlotManager(limit, "doors")).Message.ShouldContain("'doors'");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_largest_limit_is_fine()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("wide", int.MaxValue);
        pool.TrySpawn(_ => Task.CompletedTask, out _).ShouldBeTrue();
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_null_body_is_an_ArgumentNullException_in_every_shape_and_takes_nothing()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("nulls");
        TaskPool pool = world.Runtime.CreatePool("nulls", 1);
        var collector = new TaskCollector<int>(scope);
        Func<ManagedTask?>[] withDelegates =
        [
            .. Shapes.Missing.Into(scope)[2..], .. Shapes.Missing.Into(world.Runtime)[2..], .. Shapes.Missing.Into(world, pool)[2..],
            .. Shapes.Missing.TryInto(pool)[2..], .. Shapes.Missing.Into(collector)[1..],
        ];
        withDelegates.Length.ShouldBe((4 * Shapes.Delegates) + 4);
        foreach (Func<ManagedTask?> spawn in withDelegates)
        {
            Should.Throw<ArgumentNullException>(spawn).ParamName.ShouldBe("body");
        }

        Func<ManagedTask?>[] cold =
        [
            .. Shapes.Missing.Into(scope)[..2], .. Shapes.Missing.Into(world.Runtime)[..2], .. Shapes.Missing.Into(world, pool)[..2],
            .. Shapes.Missing.TryInto(pool)[..2], .. Shapes.Missing.Into(collector)[..1],
        ];
        foreach (Func<ManagedTask?> spawn in cold)
        {
            Should.Throw<InvalidOperationException>(spawn).Message.ShouldContain("default(Future)");
        }

        (world.Census.Created, world.Census.SlotsInUse).ShouldBe((0, 0));
        Close(world, scope, pool, collector);
    }

    [Fact]
    public void A_body_that_throws_at_once_fails_its_task_in_every_shape_and_gives_its_slot_back() =>
        FailInEveryShape(Shapes.Throwing, 45, task => task.Exception.ShouldBeOfType<FormatException>().Message.ShouldBe("at once"));

    [Fact]
    public void A_delegate_that_gives_nothing_to_run_fails_its_task_and_says_so() => FailInEveryShape(
        Shapes.Empty,
        45 - 9 - 9, // cold shapes are refused at the door; a default ValueTask is a completed one
        task => task.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldMatch("Return Task.CompletedTask|Future.Completed\\(\\)"));

    [Fact]
    public void Spawning_into_a_closed_scope_names_the_scope_and_leaves_the_future_cold()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("import");
        world.Run(scope.JoinAsync());
        Future<int> future = Future.FromResult(4);
        foreach (Func<ManagedTask> spawn in Shapes.Fine.Into(scope).Append(() => scope.Spawn(future)))
        {
            string message = Should.Throw<InvalidOperationException>(spawn).Message;
            message.ShouldContain("'import' is closed");
            message.ShouldContain("Spawn before");
        }

        Should.Throw<InvalidOperationException>(() => new TaskCollector<int>(scope, "late")).Message.ShouldContain("'import' is closed");
        world.Run(future).ShouldBe(4);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Spawning_into_a_drained_pool_names_the_pool_and_keeps_no_slot()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("orders", 2);
        world.Run(pool.DrainAsync());
        Func<ManagedTask?>[] all = [.. Shapes.Fine.Into(world, pool), .. Shapes.Fine.TryInto(pool)];
        foreach (Func<ManagedTask?> spawn in all)
        {
            Should.Throw<InvalidOperationException>(spawn).Message.ShouldContain("'orders' takes no work any more");
        }

        pool.Counts.Created.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Those_who_wait_for_a_slot_of_a_pool_that_is_drained_are_refused()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("orders", 1);
        var gate = new Gate();
        ManagedTask running = TaskSlotTests.Admit(pool, async _ => await gate.WaitAsync());
        ManagedTask waiting = world.Runtime.SpawnDetached(async _ => await pool.SpawnAsync(_ => Task.CompletedTask));
        world.Run();
        ManagedTask drain = world.Runtime.SpawnDetached(pool.DrainAsync());
        world.Run();
        waiting.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain("no slot is held");
        gate.Open();
        world.ShouldBeEmpty();
        (running.State, drain.State).ShouldBe((TaskState.Completed, TaskState.Completed));
    }

    [Fact]
    public void Disposing_twice_or_more_does_nothing_more()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("twice");
        TaskPool pool = world.Runtime.CreatePool("twice", 1);
        var collector = new TaskCollector<int>(scope);
        ManagedTask task = TaskSlotTests.Admit(pool, async _ => await Future.Delay(Timeout.InfiniteTimeSpan));
        for (int i = 0; i < 3; i++)
        {
            world.Run(collector.DisposeAsync());
            world.Run(pool.DisposeAsync());
            world.Run(pool.DrainAsync());
            world.Run(scope.DisposeAsync());
            world.Run(scope.JoinAsync());
        }

        task.State.ShouldBe(TaskState.Canceled);
        (scope.IsClosed, scope.Cancel(), pool.Cancel()).ShouldBe((true, false, false));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_scope_a_pool_or_a_collector_that_is_left_from_inside_says_so_and_stays_as_it_is()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("own", ScopePolicy.Isolate);
        TaskPool pool = world.Runtime.CreatePool("own", 4);
        var collector = new TaskCollector<int>(scope, "own");
        ManagedTask[] inside =
        [
            scope.Spawn(async _ => await scope.JoinAsync()), scope.Spawn(async _ => await scope.DisposeAsync()),
            TaskSlotTests.Admit(pool, async _ => await pool.DrainAsync()), TaskSlotTests.Admit(pool, async _ => await pool.DisposeAsync()),
            collector.Add(async _ =>
            {
                await collector.DisposeAsync();
                return 0;
            }),
            collector.Add(async _ => (await collector.CollectAsync()).Count),
            collector.Add(async _ => (await collector.CollectPartialAsync()).Outcomes.Count),
            collector.Add(async _ => await collector.CollectFirstAsync()),
        ];
        world.Run();
        foreach (ManagedTask task in inside)
        {
            task.State.ShouldBe(TaskState.Failed, task.ToString());
            string message = task.Exception.ShouldBeOfType<InvalidOperationException>().Message;
            message.ShouldContain(task.Id.ToString());
            message.ShouldContain("'own', in which it runs itself");
        }

        (scope.IsClosed, scope.CancelCause).ShouldBe((false, null));
        pool.TrySpawn(_ => Task.CompletedTask, out _).ShouldBeTrue();
        world.Run();
        _ = collector.Add(Future.FromResult(1));
        Close(world, scope, pool, collector);
    }

    [Fact]
    public void A_spawn_that_was_never_awaited_takes_no_slot_even_if_its_result_is_asked_for()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("asked", 1);
        PoolSpawn spawn = pool.SpawnAsync(async _ => await Future.Yield());
        PoolSpawn<int> typed = pool.SpawnAsync(async _ => await Future.FromResult(1));
        Should.Throw<InvalidOperationException>(() => spawn.GetAwaiter().GetResult()).Message.ShouldContain("'asked'");
        Should.Throw<InvalidOperationException>(() => typed.GetAwaiter().GetResult()).Message.ShouldContain("'asked'");
        world.Run();
        (pool.ActiveCount, pool.Counts.Created, world.Census.SlotsInUse).ShouldBe((0, 0, 0));

        ManagedTask task = world.Run(spawn.AsFuture());
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        world.Fails<InvalidOperationException>(Again(spawn)).Message.ShouldContain("A future runs once");
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();

        static async Future Again(PoolSpawn spawn) => await spawn;
    }

    private static void FailInEveryShape(Shapes shapes, int expected, Action<ManagedTask> check)
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("failing", ScopePolicy.Isolate);
        TaskPool pool = world.Runtime.CreatePool("failing", 100);
        var collector = new TaskCollector<int>(scope);
        Func<ManagedTask?>[] all =
        [
            .. shapes.Into(scope), .. shapes.Into(world.Runtime), .. shapes.Into(world, pool), .. shapes.TryInto(pool), .. shapes.Into(collector),
        ];
        var spawned = new List<ManagedTask>();
        foreach (Func<ManagedTask?> spawn in all)
        {
            try
            {
                spawned.Add(spawn()!);
            }
            catch (InvalidOperationException error) when (error.Message.Contains("default(Future)", StringComparison.Ordinal))
            {
                // a cold future that is none
            }
        }

        world.Run();
        ManagedTask[] failed = [.. spawned.Where(task => task.State == TaskState.Failed)];
        failed.Length.ShouldBe(expected);
        Array.ForEach(failed, check);
        world.Census.SlotsInUse.ShouldBe(0);
        Close(world, scope, pool, collector);
    }

    private static void Close(World world, TaskScope scope, TaskPool pool, TaskCollector<int> collector)
    {
        world.Run(collector.DisposeAsync());
        world.Run(pool.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }
}
