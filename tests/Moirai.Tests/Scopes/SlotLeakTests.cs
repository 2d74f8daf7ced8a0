namespace Moirai.Tests.Scopes;

/// <summary>Row C1: a slot is held exactly from the admission to the end, and comes back whatever happens. Each with bounds that get it wrong, as the guide's web pool does.</summary>
public sealed class SlotLeakTests
{
    public enum Way
    {
        Completes,
        Fails,
        IsCanceled,
        IsCanceledBeforeItsStart,
        IsAbandoned,
    }

    public static TheoryData<Way> Ways => [.. Enum.GetValues<Way>()];

    [Theory]
    [MemberData(nameof(Ways))]
    public void C1_a_slot_is_held_until_the_task_has_ended_and_comes_back_whichever_way_it_ends(Way way) =>
        HoldsAndComesBack(way, static world => new BoundByPool(world.Runtime.CreatePool("requests", maxTasks: 1)));

    [Theory]
    [MemberData(nameof(Ways))]
    public void C1_twin_a_pool_that_returns_the_slot_when_spawning_returns_is_caught(Way way) =>
        Twin.IsCaught(() => HoldsAndComesBack(way, static world => new BoundByTheCall(world.Runtime)), "the slot was free too early");

    [Theory]
    [InlineData(Way.Fails)]
    [InlineData(Way.IsCanceled)]
    [InlineData(Way.IsCanceledBeforeItsStart)]
    public void C1_twin_a_pool_that_returns_the_slot_at_the_end_of_the_body_only_is_caught(Way way) =>
        Twin.IsCaught(() => HoldsAndComesBack(way, static world => new BoundByTheBody(world.Runtime)), "the slot did not come back");

    [Theory]
    [MemberData(nameof(Ways))]
    public void C1_twin_a_pool_that_returns_the_slot_to_whoever_awaits_is_caught_when_nobody_does(Way way) =>
        Twin.IsCaught(() => HoldsAndComesBack(way, static world => new BoundByTheAwaiter(world.Runtime)), "the slot did not come back");

    [Fact]
    public void C1_a_wait_for_a_slot_times_out_names_the_pool_and_spawns_nothing() =>
        LateWaitLeavesTheLine(static (_, spawn) => spawn.WithTimeout(TimeSpan.FromSeconds(2)));

    [Fact]
    public void C1_twin_a_timed_out_wait_that_stays_in_line_is_caught() => Twin.IsCaught(
        // Only the wait for the spawner is timed, and the spawner itself goes on waiting.
        () => LateWaitLeavesTheLine(static (world, spawn) => world.Runtime.SpawnDetached(spawn.AsFuture()).WithTimeout(TimeSpan.FromSeconds(2))),
        "it stands in line still");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C1_a_spawn_whose_wait_ended_in_vain_may_be_awaited_again(bool canceled)
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("again", maxTasks: 1);
        var gate = new Gate();
        _ = TaskSlotTests.Admit(pool, async _ => await gate.WaitAsync());
        PoolSpawn spawn = pool.SpawnAsync(static async _ => await Future.Yield());
        ManagedTask inVain = world.Start(async _ => await spawn.WithTimeout(TimeSpan.FromSeconds(1)));
        Should.Throw<InvalidOperationException>(() => world.Run(spawn.AsFuture())).Message.ShouldContain("awaited already");
        if (canceled)
        {
            inVain.Cancel();
        }

        world.Advance(1);
        inVain.State.ShouldBe(canceled ? TaskState.Canceled : TaskState.Failed);
        gate.Open();
        world.Run();

        ManagedTask spawned = world.Run(spawn.AsFuture());
        world.Run(pool.DrainAsync());
        spawned.State.ShouldBe(TaskState.Completed);
        pool.Counts.Created.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task C1_a_spawn_into_a_pool_that_takes_no_more_work_holds_no_slot_whoever_awaits_it(bool inATask)
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("closed", maxTasks: 2);
        world.Run(pool.DrainAsync());
        for (int i = 0; i < 3; i++)
        {
            Task refused = inATask ? world.Runtime.SpawnDetached(async _ => await pool.SpawnAsync(static _ => Future.Completed())).AsTask() : PlainAsync();
            world.Run();
            (await Should.ThrowAsync<InvalidOperationException>(refused)).Message.ShouldContain("'closed' takes no work any more");
        }

        pool.ActiveCount.ShouldBe(0, "the slot did not come back");
        world.ShouldBeEmpty();

        async Task PlainAsync() => _ = await pool.SpawnAsync(static _ => Future.Completed());
    }

    [Fact]
    public void C1_a_canceled_wait_takes_no_slot_and_lets_the_next_in_line_through() => CanceledWaitLeavesTheLine(static (_, spawn) => spawn.AsFuture());

    [Fact]
    public void C1_twin_a_canceled_wait_that_stays_in_line_is_caught() => Twin.IsCaught(
        () => CanceledWaitLeavesTheLine(static async (world, spawn) => await world.Runtime.SpawnDetached(spawn.AsFuture())),
        "it stands in line still");

    [Fact]
    public void C1_a_waiter_that_is_canceled_after_it_was_given_a_slot_keeps_the_account_exact() => CanceledHolderGivesBack(static async slots =>
    {
        using SlotLease lease = await slots.AcquireAsync();
        await Future.Delay(Timeout.InfiniteTimeSpan);
    });

    [Fact]
    public void C1_twin_a_holder_that_gives_back_only_when_all_goes_well_is_caught() => Twin.IsCaught(
        static () => CanceledHolderGivesBack(static async slots =>
        {
            SlotLease lease = await slots.AcquireAsync();
            await Future.Delay(Timeout.InfiniteTimeSpan);
            lease.Dispose();
        }),
        "the slot did not come back");

    [Fact]
    public void C1_a_slot_counts_once_however_often_its_lease_is_disposed() => ComesBackOnce(static (_, lease) => lease.Dispose());

    [Fact]
    public void C1_twin_a_lease_that_gives_back_each_time_is_caught() =>
        Twin.IsCaught(static () => ComesBackOnce(static (slots, _) => slots.Return()), "it came back more than once");

    private static void HoldsAndComesBack(Way way, Func<World, Bound> make)
    {
        var world = new World();
        Bound pool = make(world);
        var gate = new Gate();
        var cleanUp = new Gate();
        pool.TrySpawn(WorkAsync, out ManagedTask? task).ShouldBeTrue();
        HoldsItsSlot(pool);
        if (way == Way.IsCanceledBeforeItsStart)
        {
            task!.Cancel();
        }

        world.Run();
        if (way == Way.IsCanceled)
        {
            task!.Cancel();
        }
        else
        {
            gate.Open();
        }

        if (way != Way.IsCanceledBeforeItsStart)
        {
            world.Run();
            HoldsItsSlot(pool); // it is cleaning up: it has not ended
            cleanUp.Open();
        }

        if (way == Way.IsAbandoned)
        {
            task = null;
        }

        world.Run();
        task?.State.ShouldBe(way switch
        {
            Way.Fails => TaskState.Failed,
            Way.IsCanceled or Way.IsCanceledBeforeItsStart => TaskState.Canceled,
            _ => TaskState.Completed,
        });
        pool.Active.ShouldBe(0, "the slot did not come back");
        pool.TrySpawn(static _ => Future.Completed(), out _).ShouldBeTrue();
        world.Run(pool.CloseAsync());
        world.ShouldBeEmpty();
        world.Census.Created.ShouldBe(3, "the two tasks, and who waited for the end");

        async Future WorkAsync(CancellationToken token)
        {
            try
            {
                await gate.WaitAsync();
                if (way == Way.Fails)
                {
                    throw new FormatException("as planned");
                }
            }
            finally
            {
                using (ManagedTask.Shield())
                {
                    await cleanUp.WaitAsync();
                }
            }
        }
    }

    private static void HoldsItsSlot(Bound pool)
    {
        pool.Active.ShouldBe(1, "the slot was free too early");
        pool.TrySpawn(static _ => Future.Completed(), out ManagedTask? refused).ShouldBeFalse();
        refused.ShouldBeNull();
    }

    private static void LateWaitLeavesTheLine(Func<World, PoolSpawn, Future<ManagedTask>> timed)
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("orders", maxTasks: 1);
        var gate = new Gate();
        _ = TaskSlotTests.Admit(pool, async _ => await gate.WaitAsync());
        bool ran = false;
        ManagedTask waiting = world.Runtime.SpawnDetached(async _ => await timed(world, pool.SpawnAsync(async _ =>
        {
            ran = true;
            await Future.Yield();
        })));
        world.Run();
        pool.WaitingCount.ShouldBe(1);

        world.Advance(2);
        pool.WaitingCount.ShouldBe(0, "it stands in line still");
        (pool.ActiveCount, pool.Counts.Created, ran).ShouldBe((1, 1, false));
        waiting.Exception.ShouldBeOfType<TaskTimeoutException>().WaitingFor.ShouldContain("a slot of 'orders' (1 of 1 in use)");
        gate.Open();
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    private static void CanceledWaitLeavesTheLine(Func<World, PoolSpawn, Future<ManagedTask>> wait)
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("line", maxTasks: 1);
        var gate = new Gate();
        _ = TaskSlotTests.Admit(pool, async _ => await gate.WaitAsync());
        ManagedTask[] line = [.. Enumerable.Range(0, 3).Select(_ => world.Runtime.SpawnDetached(async _ => await wait(world, pool.SpawnAsync(_ => Task.CompletedTask))))];
        world.Run();
        line[0].Cancel();
        world.Run();
        pool.WaitingCount.ShouldBe(2, "it stands in line still");
        gate.Open();
        world.Run();
        line.Select(task => task.State).ShouldBe([TaskState.Canceled, TaskState.Completed, TaskState.Completed]);
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
        pool.Counts.Created.ShouldBe(3);
    }

    private static void CanceledHolderGivesBack(Func<TaskSlotManager, Future> hold)
    {
        var world = new World();
        var slots = new TaskSlotManager(1, "doors");
        slots.TryAcquire(out SlotLease? held).ShouldBeTrue();
        ManagedTask waiting = world.Runtime.SpawnDetached(hold(slots));
        world.Run();
        slots.Waiting.ShouldBe(1);
        held.Dispose();
        (slots.InUse, slots.Waiting).ShouldBe((1, 0), "handed over, never free in between");
        waiting.Cancel();
        world.ShouldBeEmpty();
        waiting.State.ShouldBe(TaskState.Canceled);
        slots.InUse.ShouldBe(0, "the slot did not come back");
    }

    private static void ComesBackOnce(Action<TaskSlotManager, SlotLease> giveBack)
    {
        var slots = new TaskSlotManager(2);
        slots.TryAcquire(out SlotLease? lease).ShouldBeTrue();
        Parallel.For(0, 100, _ => giveBack(slots, lease));
        slots.InUse.ShouldBe(0, "it came back more than once");
        slots.TryAcquire(out _).ShouldBeTrue();
        slots.TryAcquire(out _).ShouldBeTrue();
        slots.TryAcquire(out SlotLease? third).ShouldBeFalse();
        third.ShouldBeNull();
    }

    /// <summary>At most one task at a time.</summary>
    private abstract class Bound
    {
        public abstract long Active { get; }

        public abstract bool TrySpawn(Func<CancellationToken, Future> body, out ManagedTask? task);

        public abstract Future CloseAsync();
    }

    private sealed class BoundByPool(TaskPool pool) : Bound
    {
        public override long Active => pool.ActiveCount;

        public override bool TrySpawn(Func<CancellationToken, Future> body, out ManagedTask? task) => pool.TrySpawn(body, out task);

        public override Future CloseAsync() => pool.DrainAsync();
    }

    /// <summary>What people write by hand: a semaphore beside the tasks.</summary>
    private abstract class BoundBySemaphore(TaskRuntime runtime) : Bound
    {
        private readonly TaskSlotManager _slots = new(1);
        private readonly TaskScope _scope = runtime.OpenScope("by hand", ScopePolicy.Isolate);

        public override long Active => _slots.InUse;

        public override bool TrySpawn(Func<CancellationToken, Future> body, out ManagedTask? task)
        {
            task = _slots.TryAcquire(out SlotLease? lease) ? Spawn(_scope, body, lease) : null;
            return task is not null;
        }

        public override Future CloseAsync() => _scope.DisposeAsync();

        protected abstract ManagedTask Spawn(TaskScope scope, Func<CancellationToken, Future> body, SlotLease permit);
    }

    /// <summary>The guide's web pool: the permit lives as long as the call that spawns.</summary>
    private sealed class BoundByTheCall(TaskRuntime runtime) : BoundBySemaphore(runtime)
    {
        protected override ManagedTask Spawn(TaskScope scope, Func<CancellationToken, Future> body, SlotLease permit)
        {
            ManagedTask task = scope.Spawn(body);
            permit.Dispose();
            return task;
        }
    }

    /// <summary>The permit comes back in the last line of the body, which a failing or canceled one never reaches.</summary>
    private sealed class BoundByTheBody(TaskRuntime runtime) : BoundBySemaphore(runtime)
    {
        protected override ManagedTask Spawn(TaskScope scope, Func<CancellationToken, Future> body, SlotLease permit) => scope.Spawn(async token =>
        {
            await body(token);
            permit.Dispose();
        });
    }

    /// <summary>The permit comes back when somebody takes the result.</summary>
    private sealed class BoundByTheAwaiter(TaskRuntime runtime) : BoundBySemaphore(runtime)
    {
        private readonly List<(ManagedTask Task, SlotLease Permit)> _untaken = [];

        protected override ManagedTask Spawn(TaskScope scope, Func<CancellationToken, Future> body, SlotLease permit)
        {
            ManagedTask task = scope.Spawn(body);
            _untaken.Add((task, permit));
            return task;
        }
    }
}
