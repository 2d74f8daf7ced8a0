using static Moirai.Tests.Execution.DeadlockWorld;

namespace Moirai.Tests.Execution;

/// <summary>Row C8: each kind of ring is found when it closes, is told in full, and is broken at the one who closes it.</summary>
public sealed class DeadlockTests
{
    private readonly DeadlockWorld _ring = new();
    private readonly AsyncMutex _ledger = new("ledger");
    private readonly AsyncMutex _stock = new("stock");

    [Fact]
    public void C8_two_mutexes_taken_crosswise()
    {
        ManagedTask reconcile = _ring.Spawn("reconcile", Lock(_ledger), Lock(_stock));
        ManagedTask ship = _ring.Spawn("ship", Lock(_stock), Lock(_ledger));
        _ring.Run();

        DeadlockException error = _ring.ShouldHaveBroken(ship, reconcile);
        error.Cycle.Select(static edge => (edge.TaskName, edge.WaitsFor, edge.HeldByName)).ShouldBe([("ship", "mutex 'ledger'", "reconcile"), ("reconcile", "mutex 'stock'", "ship")]);
        error.Message.ShouldContain($"{ship.Id} 'ship' would wait for ever: 2 tasks wait for each other in a ring.");
        error.Message.ShouldContain($"{reconcile.Id} 'reconcile' holds mutex 'ledger'");
        error.Message.ShouldContain($"for mutex 'stock', held by {ship.Id} 'ship'");
        error.Message.ShouldContain("Take these in the same order everywhere");
        error.Cycle[0].WaitSite.ShouldContain(nameof(Lock));
        _ledger.IsLocked.ShouldBeFalse();
        _stock.IsLocked.ShouldBeFalse();
        _ring.World.Trace.ShouldBe(["reconcile"]);
    }

    [Fact]
    public void C8_twin_with_the_detector_off_they_wait_for_ever()
    {
        var blind = new DeadlockWorld(DeadlockPolicy.Off);
        ManagedTask one = blind.Spawn("one", Lock(_ledger), Lock(_stock));
        ManagedTask two = blind.Spawn("two", Lock(_stock), Lock(_ledger));
        blind.Run();

        Should.Throw<ShouldAssertException>(() => blind.ShouldHaveBroken(two, one)).Message.ShouldContain("found no deadlock");
        (one.State, two.State).ShouldBe((TaskState.Blocked, TaskState.Blocked));
        blind.World.Executor.ReadyCount.ShouldBe(0, "stalled");
    }

    [Fact]
    public void C8_twin_with_one_order_turned_there_is_nothing_to_report()
    {
        ManagedTask one = _ring.Spawn("one", Lock(_ledger), Lock(_stock));
        ManagedTask two = _ring.Spawn("two", Lock(_ledger), Lock(_stock));
        _ring.Run();

        (one.State, two.State).ShouldBe((TaskState.Completed, TaskState.Completed));
        _ring.World.Events.ShouldBeEmpty();
        _ring.World.Census.Deadlocks.ShouldBe(0);
        _ring.World.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(3)]
    [InlineData(20)]
    public void C8_mutexes_in_a_ring(int count)
    {
        AsyncMutex[] mutexes = [.. Enumerable.Range(0, count).Select(static i => new AsyncMutex($"m{i}"))];
        ManagedTask[] tasks = [.. mutexes.Select((mutex, i) => _ring.Spawn($"t{i}", Lock(mutex), Lock(mutexes[(i + 1) % count])))];
        _ring.Run();

        _ring.ShouldHaveBroken(tasks[^1], tasks[..^1]).Cycle.Count.ShouldBe(count);
    }

    [Fact]
    public void C8_who_waits_for_a_ring_and_is_no_part_of_it_is_left_alone()
    {
        var outside = new AsyncMutex("outside");
        ManagedTask one = _ring.Spawn("one", Lock(_ledger), Lock(_stock));
        ManagedTask bystander = _ring.Spawn("bystander", Lock(outside), Lock(_ledger));
        ManagedTask two = _ring.Spawn("two", Lock(_stock), Lock(_ledger));
        ManagedTask late = _ring.World.Start(async _ => (await outside.LockAsync()).Dispose());
        _ring.Run();

        _ring.ShouldHaveBroken(two, one, bystander, late).Cycle.Count.ShouldBe(2);
    }

    [Fact]
    public void C8_readers_who_want_to_write_what_the_other_reads()
    {
        var left = new AsyncReaderWriterLock("left");
        var right = new AsyncReaderWriterLock("right");
        ManagedTask one = _ring.Spawn("one", Read(left), Write(right));
        ManagedTask two = _ring.Spawn("two", Read(right), Write(left));
        _ring.Run();

        DeadlockException error = _ring.ShouldHaveBroken(two, one);
        error.Cycle.Select(static edge => edge.WaitsFor).ShouldBe(["reader-writer lock 'left'", "reader-writer lock 'right'"]);
        (left.Readers, right.Readers).ShouldBe((0, 0));
    }

    [Fact]
    public void C8_a_writer_waits_for_each_of_several_readers()
    {
        var gate = new AsyncReaderWriterLock("gate");
        ManagedTask patient = _ring.World.Start(async _ =>
        {
            using (await gate.LockReadAsync())
            {
                await _ring.Go.WaitAsync();
                await Future.Delay(TimeSpan.FromHours(1));
            }
        });
        ManagedTask reader = _ring.Spawn("reader", Read(gate), Lock(_ledger));
        ManagedTask writer = _ring.Spawn("writer", Lock(_ledger), Write(gate));
        _ring.Run();

        writer.Exception.ShouldBeOfType<DeadlockException>();
        reader.State.ShouldBe(TaskState.Completed);
        patient.State.ShouldBe(TaskState.Blocked);
        _ring.World.Pass(3_600);
        _ring.World.ShouldBeEmpty();
    }

    [Fact]
    public void C8_a_reader_behind_a_writer_in_line_waits_for_those_who_read()
    {
        var gate = new AsyncReaderWriterLock("gate");
        ManagedTask reader = _ring.Spawn("reader", Read(gate), Lock(_ledger));
        ManagedTask late = _ring.Spawn("late", Lock(_ledger), Read(gate));
        ManagedTask writer = _ring.World.Start(async _ => (await gate.LockWriteAsync()).Dispose());
        _ring.Run();

        _ring.ShouldHaveBroken(late, reader, writer);
    }

    [Fact]
    public void C8_twin_readers_alone_are_in_nobodys_way()
    {
        var gate = new AsyncReaderWriterLock("gate");
        ManagedTask reader = _ring.Spawn("reader", Read(gate), Lock(_ledger));
        ManagedTask late = _ring.Spawn("late", Lock(_ledger), Read(gate));
        _ring.Run();

        (reader.State, late.State).ShouldBe((TaskState.Completed, TaskState.Completed));
        _ring.World.Events.ShouldBeEmpty();
    }

    [Fact]
    public void C8_a_reader_who_waits_for_room_waits_for_no_one_of_those_who_read()
    {
        var gate = new AsyncReaderWriterLock(maxReaders: 2, "gate");
        var leave = new Gate();
        ManagedTask other = _ring.World.Start(async _ =>
        {
            using (await gate.LockReadAsync())
            {
                await leave.WaitAsync();
            }
        });
        ManagedTask reader = _ring.Spawn("reader", Read(gate), Lock(_ledger));
        ManagedTask late = _ring.Spawn("late", Lock(_ledger), Read(gate));
        _ring.Run();
        _ring.World.Events.ShouldBeEmpty();
        leave.Open();
        _ring.World.Run();
        (reader.State, late.State, other.State).ShouldBe((TaskState.Completed, TaskState.Completed, TaskState.Completed));
    }

    [Fact]
    public void C8_semaphores_of_one_permit()
    {
        var left = new AsyncSemaphore(1, "left");
        var right = new AsyncSemaphore(1, "right");
        ManagedTask one = _ring.Spawn("one", Acquire(left), Acquire(right));
        ManagedTask two = _ring.Spawn("two", Acquire(right), Acquire(left));
        _ring.Run();

        _ring.ShouldHaveBroken(two, one);
        (left.Available, right.Available).ShouldBe((1, 1));
    }

    [Fact]
    public void C8_the_one_permit_asked_for_by_who_has_it()
    {
        var permit = new AsyncSemaphore(1, "permit");
        ManagedTask task = _ring.Spawn("task", Acquire(permit), Acquire(permit));
        _ring.Run();

        _ring.ShouldHaveBroken(task).Message.ShouldContain("it waits for itself");
    }

    [Theory]
    [InlineData(2, 2)]
    [InlineData(1, 2)]
    public void C8_twin_permits_that_others_may_give_back_are_no_lock(int permits, int maximum)
    {
        var semaphore = new AsyncSemaphore(permits, maximum, name: "many");
        List<SemaphoreLease> leases = [];
        ManagedTask task = _ring.World.Start(async _ =>
        {
            for (int i = 0; i <= permits; i++)
            {
                leases.Add(await semaphore.AcquireAsync());
            }
        });
        task.State.ShouldBe(TaskState.Blocked);
        leases[0].Dispose();
        _ring.World.Run();
        task.State.ShouldBe(TaskState.Completed);
        _ring.Told.ShouldBeEmpty();
    }

    [Fact]
    public void C8_a_permit_that_was_detached_is_nobodys()
    {
        var permit = new AsyncSemaphore(1, "permit");
        SemaphoreLease handed = default;
        ManagedTask task = _ring.World.Start(async _ =>
        {
            handed = (await permit.AcquireAsync()).Detach();
            (await permit.AcquireAsync()).Dispose();
        });
        task.State.ShouldBe(TaskState.Blocked);
        handed.Dispose();
        _ring.World.Run();
        task.State.ShouldBe(TaskState.Completed);
        _ring.World.Events.ShouldBeEmpty();
    }

    [Fact]
    public void C8_tasks_that_await_each_other()
    {
        ManagedTask[] tasks = new ManagedTask[3];
        for (int i = 0; i < tasks.Length; i++)
        {
            int next = (i + 1) % tasks.Length;
            tasks[i] = _ring.World.Start(
                async _ =>
                {
                    await _ring.Go.WaitAsync();
                    await tasks[next];
                },
                $"t{i}");
        }

        _ring.Run();

        // The failure of the closer is that of whoever awaits it, and so on.
        DeadlockException error = tasks[2].Exception.ShouldBeOfType<DeadlockException>();
        tasks[0].Exception.ShouldBe(error);
        tasks[1].Exception.ShouldBe(error);
        error.Message.ShouldContain($"{tasks[0].Id} 't0' is awaited by {tasks[2].Id} 't2' and waits in");
        error.Message.ShouldContain("wait for nobody who waits for you");
        error.Cycle.ShouldAllBe(static edge => edge.AcquiredAt == null, "nothing was taken");
        _ring.Told.ShouldBe([error]);
        _ring.World.ShouldBeEmpty();
    }

    [Fact]
    public void C8_a_lock_and_a_join()
    {
        ManagedTask? keeper = null;
        keeper = _ring.Spawn("keeper", Lock(_ledger), async () =>
        {
            using (await _stock.LockAsync())
            {
                return new Nothing();
            }
        });
        ManagedTask joins = _ring.World.Start(async _ =>
        {
            using (await _stock.LockAsync())
            {
                await _ring.Go.WaitAsync();
                await keeper;
            }
        });
        _ring.Run();

        DeadlockException error = _ring.ShouldHaveBroken(joins, keeper);
        error.Cycle.Select(static edge => edge.WaitsFor).ShouldBe([$"the end of {keeper.Id} 'keeper'", "mutex 'stock'"]);
    }

    [Fact]
    public void C8_a_value_that_is_made_by_who_waits_for_somebody_who_asks_for_it()
    {
        AsyncOnce<int>? once = null;
        ManagedTask<int>? asks = null;
        once = new AsyncOnce<int>(
            async Future<int> (_) =>
            {
                if (asks is not null)
                {
                    return 7; // the second attempt, by the one that asks
                }

                asks = _ring.World.Runtime.SpawnDetached(async _ => await once!.GetAsync(), "asks");
                await Future.Yield();
                return await asks;
            },
            "config");
        ManagedTask<int> makes = _ring.World.Spawn(async _ => await once.GetAsync(), "makes");
        _ring.World.Run();

        DeadlockException error = makes.Exception.ShouldBeOfType<DeadlockException>();
        error.Cycle.Select(static edge => edge.WaitsFor).ShouldContain("once 'config'");
        asks!.Result.ShouldBe(7);
        _ring.Told.ShouldBe([error]);
    }

    private sealed class Nothing : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
