namespace Moirai.Tests.Sync;

/// <summary>Many read or one writes: who goes in with whom, who is next, and what breaks it.</summary>
public sealed class AsyncReaderWriterLockTests
{
    [Fact]
    public void Readers_go_in_together_and_a_writer_alone()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock("prices");
        ManagedTask[] tasks = [.. "rrwwr".Select((kind, i) => world.Start(Visit(gate, world, kind, $"{kind}{i}"), $"{kind}{i}"))];
        gate.ToString().ShouldBe($"reader-writer lock 'prices', read by 2, held by {tasks[0].Id} 'r0', {tasks[1].Id} 'r1' (3 waiting)");
        (gate.Readers, gate.IsWriteLocked, gate.Holder).ShouldBe((2, false, null));
        world.Census.Waiters.ShouldBe(3);
        world.Advance(1);
        gate.ToString().ShouldBe($"reader-writer lock 'prices', written, held by {tasks[2].Id} 'w2' (2 waiting)");
        (gate.Readers, gate.IsWriteLocked, gate.Holder).ShouldBe((0, true, tasks[2]));
        world.Advance(1);
        world.Advance(1);
        world.Advance(1);
        world.Trace.ShouldBe(["r0", "r1", "w2", "w3", "r4"]);
        gate.ToString().ShouldBe("reader-writer lock 'prices', free (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S143_a_waiting_writer_holds_up_later_readers_and_readers_next_to_each_other_go_in_together()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock();
        foreach ((char kind, int i) in "rwrrwr".Select((kind, i) => (kind, i)))
        {
            world.Start(Visit(gate, world, kind, $"{kind}{i}"));
        }

        gate.TryLockRead(out ReadLease _).ShouldBeFalse();
        world.Trace.ShouldBe(["r0"]);
        world.Advance(1);
        world.Trace.ShouldBe(["r0", "w1"]);
        world.Advance(1);
        world.Trace.ShouldBe(["r0", "w1", "r2", "r3"]);
        gate.Readers.ShouldBe(2);
        world.Advance(1);
        world.Trace.ShouldBe(["r0", "w1", "r2", "r3", "w4"]);
        world.Advance(1);
        world.Advance(1);
        world.Trace.ShouldBe(["r0", "w1", "r2", "r3", "w4", "r5"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S155_one_reader_more_than_may_read_waits_and_is_woken_by_one_release()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock(3);
        ReadLease[] leases = [Read(gate), Read(gate), Read(gate)];
        gate.TryLockRead(out ReadLease _).ShouldBeFalse();
        ManagedTask fourth = world.Start(Visit(gate, world, 'r', "fourth"));
        ManagedTask fifth = world.Start(Visit(gate, world, 'r', "fifth"));
        (fourth.State, gate.Readers, gate.MaxReaders).ShouldBe((TaskState.Blocked, 3, 3));
        leases[1].Dispose();
        world.Run();
        world.Trace.ShouldBe(["fourth"]);
        fifth.State.ShouldBe(TaskState.Blocked);
        gate.Readers.ShouldBe(3);
        leases[1].Dispose(); // again: nothing
        world.Run();
        world.Trace.ShouldBe(["fourth"]);
        leases[0].Dispose();
        leases[2].Dispose();
        world.Advance(1);
        world.Trace.ShouldBe(["fourth", "fifth"]);
        world.Advance(1);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void S155_no_room_for_readers_is_refused(int maxReaders) =>
        Should.Throw<ArgumentOutOfRangeException>(() => new AsyncReaderWriterLock(maxReaders, "prices")).Message.ShouldContain("'prices' needs room for at least one reader");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(int.MaxValue)]
    public void A_writer_that_downgrades_reads_on_with_nobody_writing_in_between(int maxReaders)
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock(maxReaders, "prices");
        var go = new Gate();
        var end = new Gate();
        ManagedTask holder = world.Start(async _ =>
        {
            using WriteLease write = await gate.LockWriteAsync();
            await go.WaitAsync();
            using (ReadLease read = write.Downgrade())
            {
                write.Dispose(); // releases nothing any more
                gate.Readers.ShouldBeGreaterThanOrEqualTo(1);
                gate.IsWriteLocked.ShouldBeFalse();
                Should.Throw<SynchronizationLockException>(() => write.Downgrade()).Message.ShouldContain("Downgrade it once");
                await end.WaitAsync();
            }
        });
        world.Start(Visit(gate, world, 'r', "reader"));
        world.Start(Visit(gate, world, 'w', "writer"));
        world.Start(Visit(gate, world, 'r', "late"));
        go.Open();
        world.Run();
        world.Trace.ShouldBe(maxReaders == 1 ? [] : ["reader"]);
        end.Open();
        world.Advance(1);
        world.Advance(1);
        world.Advance(1);
        world.Advance(1);
        world.Trace.ShouldBe(["reader", "writer", "late"]);
        holder.State.ShouldBe(TaskState.Completed, $"{holder.Exception}");
        gate.ToString().ShouldBe("reader-writer lock 'prices', free (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S141_readers_behind_a_canceled_writer_go_in_at_once()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock();
        ReadLease held = Read(gate);
        ManagedTask writer = world.Start(Visit(gate, world, 'w', "writer"));
        world.Start(Visit(gate, world, 'r', "reader"));
        writer.Cancel();
        gate.Waiting.ShouldBe(0);
        gate.Readers.ShouldBe(2);
        world.Advance(1);
        world.Trace.ShouldBe(["reader"]);
        writer.State.ShouldBe(TaskState.Canceled);
        held.Dispose();
        world.Advance(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S149_a_writer_that_is_canceled_after_the_grant_has_the_lock_and_gives_it_back()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock();
        ReadLease held = Read(gate);
        ManagedTask writer = world.Start(Visit(gate, world, 'w', "writer"));
        ManagedTask reader = world.Start(Visit(gate, world, 'r', "reader"));
        held.Dispose();
        writer.Cancel();
        gate.IsWriteLocked.ShouldBeTrue();
        world.Run();
        world.Trace.ShouldBe(["writer", "reader"]);
        writer.State.ShouldBe(TaskState.Canceled);
        world.Advance(1);
        reader.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S141_a_token_ends_one_wait()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock("prices");
        using var source = new CancellationTokenSource();
        WriteLease held = Write(gate);
        ManagedTask reader = world.Start(async _ => (await gate.LockReadAsync(source.Token)).Dispose());
        Task plain = PlainAsync();
        gate.Waiting.ShouldBe(2);
        source.Cancel();
        gate.Waiting.ShouldBe(0);
        world.Run();
        reader.Exception.ShouldBeOfType<OperationCanceledException>().Message.ShouldContain("The wait for reader-writer lock 'prices', written, held by plain code");
        Should.Throw<OperationCanceledException>(plain.GetAwaiter().GetResult);
        held.Dispose();
        gate.ToString().ShouldBe("reader-writer lock 'prices', free (0 waiting)");
        world.ShouldBeEmpty();

        async Task PlainAsync() => (await gate.LockWriteAsync(source.Token)).Dispose();
    }

    [Theory]
    [InlineData('r', 'w')]
    [InlineData('w', 'w')]
    [InlineData('w', 'r')]
    public void A_task_that_would_wait_for_itself_is_told(char has, char asks)
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock("prices");
        ManagedTask task = world.Start(
            async _ =>
            {
                using (await LockAsync(gate, has))
                {
                    await Future.Yield();
                    (await LockAsync(gate, asks)).Dispose();
                }
            },
            "twice");
        task.Exception.ShouldBeOfType<LockRecursionException>().Message.ShouldStartWith($"{task.Id} 'twice' holds a lease of reader-writer lock 'prices'");
        gate.Waiting.ShouldBe(0);
        gate.ToString().ShouldBe("reader-writer lock 'prices', free (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_reader_that_reads_again_goes_on_if_nobody_waits_and_is_told_if_a_writer_does()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock();
        var go = new Gate();
        ManagedTask reader = world.Start(async _ =>
        {
            using (await gate.LockReadAsync())
            {
                for (int i = 0; i < 200; i++) // gives way in between
                {
                    (await gate.LockReadAsync()).Dispose();
                }

                world.Log("again");
                await go.WaitAsync();
                (await gate.LockReadAsync()).Dispose();
            }
        });
        world.Trace.ShouldBe(["again"]);
        world.Start(Visit(gate, world, 'w', "writer"));
        go.Open();
        world.Run();
        reader.Exception.ShouldBeOfType<LockRecursionException>();
        world.Trace.ShouldBe(["again", "writer"]);
        world.Advance(1);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("completed")]
    [InlineData("failed")]
    [InlineData("was canceled")]
    public void S151_a_writer_that_ends_without_releasing_breaks_the_lock_and_is_named(string end)
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock("prices");
        var go = new Gate();
        ManagedTask holder = world.Start(
            async _ =>
            {
                await gate.LockWriteAsync();
                await go.WaitAsync();
                if (end == "failed")
                {
                    throw new FormatException("as planned");
                }
            },
            "writer");
        ManagedTask reader = world.Start(Visit(gate, world, 'r', "never"));
        ManagedTask writer = world.Start(Visit(gate, world, 'w', "never"));
        if (end == "was canceled")
        {
            holder.Cancel();
        }

        go.Open();
        world.Run();
        var error = reader.Exception.ShouldBeOfType<BrokenSynchronizationException>();
        error.Message.ShouldStartWith($"Reader-writer lock 'prices' is broken: {holder.Id} 'writer' {end} without giving it back");
        (error.Primitive, error.Holder, error.HolderName).ShouldBe(("prices", holder.Id, "writer"));
        writer.Exception.ShouldBeOfType<BrokenSynchronizationException>().Holder.ShouldBe(holder.Id);
        world.Start(Visit(gate, world, 'r', "never")).Exception.ShouldBeOfType<BrokenSynchronizationException>();
        Should.Throw<BrokenSynchronizationException>(() => gate.TryLockRead(out ReadLease _));
        Should.Throw<BrokenSynchronizationException>(() => gate.TryLockWrite(out WriteLease _));
        (gate.Holder, gate.IsWriteLocked).ShouldBe((null, false));
        world.Trace.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S151_a_reader_that_ends_without_releasing_is_released_and_told_of() => ReaderThatEnds(static _ => { });

    [Fact]
    public void S151_twin_a_reader_of_whose_end_nobody_hears_is_caught() =>
        Should.Throw<ShouldAssertException>(() => ReaderThatEnds(static context => context.ForgetHolds()));

    [Fact]
    public void S151_who_has_downgraded_answers_as_a_reader()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock(1);
        ManagedTask task = world.Start(async _ => (await gate.LockWriteAsync()).Downgrade());
        gate.IsClosed.ShouldBeFalse();
        world.Events.ShouldHaveSingleItem().Task.ShouldBe(task.Id);
        gate.Readers.ShouldBe(0);
        Write(gate).Dispose();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Nobody_gets_a_disposed_lock_and_who_has_it_may_go_on()
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock("prices");
        ReadLease held = Read(gate);
        ManagedTask writer = world.Start(Visit(gate, world, 'w', "never"));
        gate.Dispose();
        world.Run();
        writer.Exception.ShouldBeOfType<ObjectDisposedException>().Message.ShouldContain("Reader-writer lock 'prices' has been disposed");
        world.Start(Visit(gate, world, 'r', "never")).Exception.ShouldBeOfType<ObjectDisposedException>();
        Should.Throw<ObjectDisposedException>(() => gate.TryLockRead(out ReadLease _));
        held.Dispose();
        held.Dispose();
        gate.ToString().ShouldBe("reader-writer lock 'prices', closed (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_lease_releases_once_and_default_releases_nothing()
    {
        var gate = new AsyncReaderWriterLock();
        default(ReadLease).Dispose();
        default(WriteLease).Dispose();
        Should.Throw<SynchronizationLockException>(() => default(WriteLease).Downgrade());
        WriteLease first = Write(gate);
        WriteLease copy = first;
        first.Dispose();
        Should.Throw<SynchronizationLockException>(() => first.Downgrade());
        WriteLease second = Write(gate);
        copy.Dispose();
        gate.IsWriteLocked.ShouldBeTrue();
        (copy == first && copy != second).ShouldBeTrue();
        second.Dispose();
        gate.IsWriteLocked.ShouldBeFalse();
    }

    internal static Func<CancellationToken, Future> Visit(AsyncReaderWriterLock gate, World world, char kind, string name) => async _ =>
    {
        using (await LockAsync(gate, kind))
        {
            world.Log(name);
            await Future.Delay(TimeSpan.FromSeconds(1));
        }
    };

    internal static ReadLease Read(AsyncReaderWriterLock gate)
    {
        gate.TryLockRead(out ReadLease lease).ShouldBeTrue();
        return lease;
    }

    internal static WriteLease Write(AsyncReaderWriterLock gate)
    {
        gate.TryLockWrite(out WriteLease lease).ShouldBeTrue();
        return lease;
    }

    private static async Future<IDisposable> LockAsync(AsyncReaderWriterLock gate, char kind) =>
        kind == 'r' ? await gate.LockReadAsync() : await gate.LockWriteAsync();

    private static void ReaderThatEnds(Action<Moirai.Execution.StepContext> plant)
    {
        var world = new World();
        var gate = new AsyncReaderWriterLock("prices");
        ManagedTask careless = world.Start(
            async _ =>
            {
                await gate.LockReadAsync();
                plant(Moirai.Execution.StepContext.Current);
            },
            "careless");
        gate.Readers.ShouldBe(0);
        gate.IsClosed.ShouldBeFalse();
        world.Events.ShouldHaveSingleItem().Message.ShouldStartWith($"{careless.Id} 'careless' ended without giving back 1 of reader-writer lock 'prices'");
        world.ShouldBeEmpty();
    }
}
