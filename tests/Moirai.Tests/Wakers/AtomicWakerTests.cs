using System.Runtime.CompilerServices;

namespace Moirai.Tests.Wakers;

/// <summary>The place for one waker. That no interleaving of its operations loses a wake is proved in Moirai.Interleaving.Tests.</summary>
public sealed class AtomicWakerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static object? s_kept;

    [Fact]
    public void D2_a_registered_waker_is_woken_once_and_is_gone_then()
    {
        var place = new AtomicWaker();
        var target = new CountingTarget(1);
        place.Wake();
        place.Register(target.Waker);
        target.Wakes.ShouldBe(0);
        place.Wake();
        place.Wake();
        target.Wakes.ShouldBe(1);
    }

    [Fact]
    public void D2_the_same_waker_again_is_not_stored_whoever_made_it()
    {
        var place = new AtomicWaker();
        var first = new CountingTarget(1);
        var sameTask = new CountingTarget(1);
        var otherTask = new CountingTarget(2);
        place.Register(first.Waker);
        place.Register(first.Waker);
        place.Register(sameTask.Waker);
        place.Take().Target.ShouldBeSameAs(first);
        place.Register(first.Waker);
        place.Register(otherTask.Waker);
        place.Take().Target.ShouldBeSameAs(otherTask);
    }

    [Fact]
    public void D2_registering_allocates_nothing() => RegisteringAllocates(0, static place => place);

    [Fact]
    public void D2_twin_a_place_that_makes_a_node_for_each_registration_is_caught() =>
        Should.Throw<ShouldAssertException>(() => RegisteringAllocates(0, static place =>
        {
            s_kept = new StrongBox<AtomicWaker>(place);
            return place;
        }));

    [Fact]
    public void D2_the_place_itself_is_one_reference()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        var place = new AtomicWaker();
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        s_kept = place;
        bytes.ShouldBe(24);
    }

    [Fact]
    public void D2_take_hands_the_waker_out_and_wakes_nobody()
    {
        var place = new AtomicWaker();
        var target = new CountingTarget(1);
        place.Take().ShouldBe(default);
        place.Take().Wake();
        place.Register(target.Waker);
        Waker taken = place.Take();
        place.Wake();
        target.Wakes.ShouldBe(0);
        taken.Wake();
        target.Wakes.ShouldBe(1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void S131_a_registration_that_throws_leaves_the_place_as_it_was_and_usable(bool isEmpty)
    {
        var place = new AtomicWaker();
        var target = new CountingTarget(1);
        if (!isEmpty)
        {
            place.Register(target.Waker);
        }

        Should.Throw<ArgumentException>(() => place.Register(default)).Message.ShouldContain("default(Waker)");
        place.Wake();
        target.Wakes.ShouldBe(isEmpty ? 0 : 1);
        place.Register(target.Waker);
        place.Wake();
        target.Wakes.ShouldBe(isEmpty ? 1 : 2);
    }

    [Fact]
    public void S139_a_wake_may_come_back_to_the_place_in_every_way()
    {
        var place = new AtomicWaker();
        var other = new CountingTarget(2);
        CountingTarget? target = null;
        target = new CountingTarget(1)
        {
            OnWake = () =>
            {
                place.Take().ShouldBe(default, "it was taken before it was woken");
                place.Wake();
                if (target!.Wakes < 100)
                {
                    place.Register(target.Waker);
                    place.Wake();
                }

                place.Register(other.Waker);
            },
        };
        place.Register(target.Waker);
        place.Wake();
        target.Wakes.ShouldBe(100);
        place.Wake();
        other.Wakes.ShouldBe(1);
    }

    [Fact]
    public void D2_the_last_of_two_tasks_to_register_is_the_one_that_is_woken()
    {
        var world = new World();
        var place = new AtomicWaker();
        bool open = false;
        ManagedTask first = world.Start(_ => WaitAsync(), "first");
        ManagedTask second = world.Start(_ => WaitAsync(), "second");
        open = true;
        place.Wake();
        place.Wake();
        world.Run();
        second.State.ShouldBe(TaskState.Completed);
        first.State.ShouldBe(TaskState.Blocked);
        first.Cancel();
        world.ShouldBeEmpty();

        Future WaitAsync() => Future.FromPoll(waker =>
        {
            place.Register(waker);
            return open;
        });
    }

    [Fact]
    public void D2_a_registration_that_an_earlier_wait_of_the_task_left_behind_wakes_its_next_one() => AnEarlierRegistrationServes(static waker => waker);

    [Fact]
    public void D2_twin_a_waker_that_serves_one_wait_only_loses_the_wake()
    {
        // What equality by the task forbids: equal to the task's next waker, and yet leading nowhere once its own wait is over.
        Should.Throw<ShouldAssertException>(() => AnEarlierRegistrationServes(static waker => new CountingTarget(waker.Task.Value).Waker));
    }

    [Fact]
    public async Task S127_S129_no_wake_is_lost_among_threads()
    {
        const int Lanes = 4;
        const int Items = 20_000;
        int seed = Environment.ProcessId ^ (int)TimeProvider.System.GetTimestamp();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        await using var runtime = new TaskRuntime();
        Lane[] lanes = [.. Enumerable.Range(0, Lanes).Select(_ => new Lane())];
        ManagedTask<long>[] readers = [.. lanes.Select(lane => runtime.SpawnDetached(async _ => await lane.ReadAsync(Items)))];
        Thread[] writers = [.. lanes.Select((lane, i) => new Thread(() => lane.Write(Items, new Random(seed + i))))];
        Array.ForEach(writers, writer => writer.Start());
        foreach (ManagedTask<long> reader in readers)
        {
            // A lost wake would keep the reader waiting for ever.
            long seen = await reader.AsTask().WaitAsync(Patience, TimeProvider.System);
            seen.ShouldBe(Items, $"seed {seed}");
        }

        Array.ForEach(writers, writer => writer.Join());
        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public void S129_either_the_wake_finds_the_waiter_or_the_waiter_sees_what_was_written()
    {
        const int Rounds = 5_000;
        using var barrier = new Barrier(2);
        AtomicWaker place = new();
        int written = 0;
        var writer = new Thread(() =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                barrier.SignalAndWait();
                written++;
                place.Wake();
                barrier.SignalAndWait();
            }
        });
        writer.Start();
        int lost = 0;
        for (int round = 1; round <= Rounds; round++)
        {
            var target = new CountingTarget(1);
            place = new AtomicWaker();
            barrier.SignalAndWait();
            place.Register(target.Waker);
            bool seen = Volatile.Read(ref written) == round;
            barrier.SignalAndWait();
            lost += seen || target.Wakes == 1 ? 0 : 1;
        }

        writer.Join();
        lost.ShouldBe(0);
    }

    private static void RegisteringAllocates(long expected, Func<AtomicWaker, AtomicWaker> plant)
    {
        const int Times = 10_000;
        var place = new AtomicWaker();
        Waker one = new CountingTarget(1).Waker;
        Waker other = new CountingTarget(2).Waker;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Times; i++)
        {
            plant(place).Register(one);
        }

        for (int i = 0; i < Times; i++)
        {
            place.Register(other);
            place.Register(one);
            place.Wake();
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(expected);
    }

    private static void AnEarlierRegistrationServes(Func<Waker, Waker> keep)
    {
        var world = new World();
        var place = new AtomicWaker();
        bool open = false;
        int asked = 0;
        ManagedTask task = world.Start(async _ =>
        {
            try
            {
                await WaitAsync().WithTimeout(TimeSpan.FromSeconds(1));
            }
            catch (TaskTimeoutException)
            {
                await WaitAsync();
            }
        });
        world.Advance(1);
        asked.ShouldBe(2);
        open = true;
        place.Wake();
        world.Run();
        bool woken = task.IsEnded;
        task.Cancel();
        world.ShouldBeEmpty();
        woken.ShouldBeTrue("the wake went to a wait that was over");

        Future WaitAsync() => Future.FromPoll(waker =>
        {
            asked++;
            place.Register(asked == 1 ? keep(waker) : waker);
            return open;
        });
    }

    private sealed class Lane
    {
        private readonly AtomicWaker _reader = new();

        // Written by the writer; plain, so that only the wakers' own fences carry it over.
        private int _written;

        public async Future<long> ReadAsync(int until)
        {
            int seen = 0;
            while (seen < until)
            {
                seen = await Future.FromPoll((Lane: this, Seen: seen), static (read, waker) =>
                {
                    read.Lane._reader.Register(waker);
                    int written = Volatile.Read(ref read.Lane._written);
                    return written > read.Seen ? Poll<int>.Ready(written) : Poll<int>.Pending;
                });
            }

            return seen;
        }

        public void Write(int count, Random random)
        {
            for (int i = 0; i < count; i++)
            {
                Volatile.Write(ref _written, _written + 1);
                _reader.Wake();
                if (random.Next(4) == 0)
                {
                    Thread.SpinWait(random.Next(200));
                }
            }
        }
    }
}
