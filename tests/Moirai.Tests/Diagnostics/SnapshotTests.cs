namespace Moirai.Tests.Diagnostics;

/// <summary>Issue 5, part 3: the tree of scopes, pools and tasks, what they wait for, since when, and because of whom.</summary>
public sealed class SnapshotTests
{
    [Fact]
    public void A_task_is_told_with_its_state_its_wait_since_when_and_who_holds_what_it_waits_for()
    {
        var world = new World("orders");
        using var ledger = new AsyncMutex("ledger");
        var gate = new Gate();
        ManagedTask reconcile = world.Start(async _ =>
        {
            using (await ledger.LockAsync())
            {
                await gate.WaitAsync();
            }
        }, "reconcile");
        ManagedTask order = world.Start(async _ =>
        {
            using (await ledger.LockAsync())
            {
            }
        }, "order");
        world.Advance(42);

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();

        TaskSnapshot told = snapshot.Tasks.Single(task => task.Id == order.Id);
        told.Name.ShouldBe("order");
        told.State.ShouldBe(TaskState.Blocked);
        told.Waited.ShouldBe(TimeSpan.FromSeconds(42));
        told.Wait.ShouldNotBeNull().ToString().ShouldBe($"mutex 'ledger' held by {reconcile.Id} 'reconcile'");
        told.Wait!.Kind.ShouldBe(WaitKind.Primitive);
        told.Wait.Holder.ShouldBe(reconcile.Id);
        snapshot.Primitives[told.Wait.Primitive!.Value].ShouldSatisfyAllConditions(
            mutex => mutex.Name.ShouldBe("ledger"),
            mutex => mutex.Kind.ShouldBe("mutex"),
            mutex => mutex.Owner.ShouldBe(reconcile.Id),
            mutex => mutex.Waiting.ShouldBe(1),
            mutex => mutex.LongestWait.ShouldBe(TimeSpan.FromSeconds(42)));
        TaskSnapshot holder = snapshot.Tasks.Single(task => task.Id == reconcile.Id);
        holder.Holds.ShouldBe(["mutex 'ledger'"]);
        holder.Wait!.Kind.ShouldBe(WaitKind.Poll);
        snapshot.States.ShouldBe(new StateCounts(0, 0, 0, 2));
        snapshot.Census.Live.ShouldBe(2);

        gate.Open();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_tree_tells_scopes_pools_and_collectors_with_their_parents_their_openers_and_their_slots()
    {
        var world = new World("tree");
        var gate = new Gate();
        TaskPool pool = world.Runtime.CreatePool("requests", maxTasks: 1);
        pool.TrySpawn(_ => gate.WaitAsync(), out ManagedTask? admitted, name: "first").ShouldBeTrue();
        _ = world.Start(async ct => _ = await pool.SpawnAsync(_ => gate.WaitAsync(), name: "second"), "spawner");
        ManagedTask body = world.Start(ct => world.Runtime.RunScopeAsync("import", async scope =>
        {
            var collector = new TaskCollector<int>(scope, "prices");
            _ = collector.Add(async _ =>
            {
                await gate.WaitAsync();
                return 1;
            });
            await collector.CollectAsync();
        }), "import body");
        world.Run();

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();

        snapshot.Scopes[0].Kind.ShouldBe(ScopeKind.Runtime);
        snapshot.Scopes[0].Name.ShouldBe("tree");
        ScopeSnapshot requests = snapshot.Scopes.Single(scope => scope.Kind == ScopeKind.Pool);
        requests.Name.ShouldBe("requests");
        requests.Parent.ShouldBe(0);
        requests.Slots.ShouldBe(new SlotSnapshot(1, 1, 1));
        requests.States.Blocked.ShouldBe(1);
        ScopeSnapshot import = snapshot.Scopes.Single(scope => scope.Name == "import");
        import.Opener.ShouldBe(body.Id);
        ScopeSnapshot prices = snapshot.Scopes.Single(scope => scope.Kind == ScopeKind.Collector);
        prices.Parent.ShouldBe(import.Index);
        prices.Depth.ShouldBe(2);
        TaskSnapshot first = snapshot.Tasks.Single(task => task.Id == admitted!.Id);
        first.Scope.ShouldBe(requests.Index);
        first.Holds.ShouldBe(["a slot of 'requests'"]);
        snapshot.Tasks.ShouldContain(task => task.Wait != null && task.Wait.Kind == WaitKind.Slot && task.Wait.What == "a slot of 'requests'");
        snapshot.Tasks.ShouldContain(task => task.Id == body.Id && task.Holds.Contains("scope 'import'"));

        gate.Open();
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Scopes_without_number_push_no_pool_out_of_the_list()
    {
        var world = new World();
        TaskScope[] scopes = [.. Enumerable.Range(0, 20).Select(i => world.Runtime.OpenScope($"request {i}"))];
        TaskPool[] pools = [.. Enumerable.Range(0, 7).Select(i => world.Runtime.CreatePool($"pool {i}", 3))];

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot(new SnapshotOptions { MaxRows = 5 });

        snapshot.Scopes.Count(static scope => scope.Kind != ScopeKind.Pool).ShouldBe(5, "the runtime, and what was opened first");
        snapshot.Scopes.Count(static scope => scope.Kind == ScopeKind.Pool).ShouldBe(5, "of pools as many again");
        snapshot.Scopes.Select(static scope => scope.Index).ShouldBe(Enumerable.Range(0, 10));
        snapshot.ScopesNotListed.ShouldBe(1 + 20 + 7 - 10);
        Array.ForEach(scopes, scope => world.Run(scope.DisposeAsync()));
        Array.ForEach(pools, pool => world.Run(pool.DisposeAsync()));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Timers_joins_and_plain_tasks_are_told_for_what_they_are()
    {
        var world = new World();
        var never = new TaskCompletionSource();
        ManagedTask sleeper = world.Start(async _ => await Future.Delay(TimeSpan.FromSeconds(10)), "sleeper");
        ManagedTask joiner = world.Start(async _ => await sleeper, "joiner");
        ManagedTask foreign = world.Start(async _ => await never.Task, "foreign");
        world.Advance(3);

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();

        WaitSnapshot WaitOf(ManagedTask task) => snapshot.Tasks.Single(one => one.Id == task.Id).Wait!;
        WaitOf(sleeper).Kind.ShouldBe(WaitKind.Timer);
        WaitOf(sleeper).DueIn.ShouldBe(TimeSpan.FromSeconds(7));
        WaitOf(sleeper).ToString().ShouldBe("a timer due in 7 s");
        WaitOf(joiner).ShouldBe(new WaitSnapshot(WaitKind.Task, $"the end of {sleeper.Title}") { Task = sleeper.Id });
        WaitOf(foreign).ShouldBe(new WaitSnapshot(WaitKind.Foreign, "a Task"));
        snapshot.Timers.Depth.ShouldBe(1);
        snapshot.Timers.NextIn.ShouldBe(TimeSpan.FromSeconds(7));

        never.SetResult();
        world.Advance(7);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_snapshot_survives_the_way_through_JSON()
    {
        var world = new World();
        using var mutex = new AsyncMutex("ledger");
        mutex.TryLock(out MutexLease lease).ShouldBeTrue();
        _ = world.Start(async _ => (await mutex.LockAsync()).Dispose(), "waiter");
        _ = world.Start(async _ => await Future.Delay(TimeSpan.FromSeconds(1.5)), "sleeper");

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();
        RuntimeSnapshot back = RuntimeSnapshot.FromJson(snapshot.ToJson());

        back.ToJson().ShouldBe(snapshot.ToJson());
        back.Census.ShouldBe(snapshot.Census);
        back.ToString().ShouldBe(snapshot.ToString());

        lease.Dispose();
        world.Advance(2);
        world.ShouldBeEmpty();
    }
}
