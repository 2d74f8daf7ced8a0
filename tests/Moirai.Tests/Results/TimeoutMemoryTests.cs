using Moirai.Tests.Timers;
using Moirai.Timers;

namespace Moirai.Tests.Results;

/// <summary>Rows A3 and A6 on whole tasks: what a timer entry costs, and what a million of them leave behind.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class TimeoutMemoryTests(ITestOutputHelper output)
{
    private const int Rounds = 10;
    private const int TasksPerRound = 100_000;
    private const int Wave = 10_000;
    private const int Kinds = 1_000;
    private const int Entries = 500;
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);

    [Fact]
    public void A3_a_timeout_with_a_timer_entry_allocates_exactly_as_much_as_one_without() => EntriesCostNothing(WithTimeoutsAsync, static () => { });

    [Fact]
    public void A3_twin_the_smallest_object_for_each_timeout_is_caught() =>
        Twin.IsCaught(() => EntriesCostNothing(WithTimeoutsAsync, Smallest), "bytes for each entry");

    [Fact]
    public void A3_a_delay_with_a_timer_entry_allocates_exactly_as_much_as_one_without() => EntriesCostNothing(WithDelaysAsync, static () => { });

    [Fact]
    public void A3_twin_the_smallest_object_for_each_delay_is_caught() =>
        Twin.IsCaught(() => EntriesCostNothing(WithDelaysAsync, Smallest), "bytes for each entry");

    [Fact]
    public void A6_a_million_short_tasks_with_timeouts_leave_depth_zero_and_flat_memory() => StaysFlat(Rounds, static (_, _) => { });

    [Fact]
    public void A6_twin_entries_that_stay_until_their_deadline_are_caught() => Twin.IsCaught(
        () => StaysFlat(1, static (timers, _) =>
        {
            var entry = new TestWait();
            timers.Arm(entry, timers.DueIn(Long), entry.Park());
        }),
        "entries are left");

    [Fact]
    public void A6_twin_a_few_bytes_that_each_task_leaves_behind_are_caught() =>
        Twin.IsCaught(() => StaysFlat(2, static (_, kept) => kept.Add(new object())), "memory grows");

    /// <summary>Waits so often, with a timer entry for each wait or with none, and tells how many bytes the thread allocated meanwhile.</summary>
    private delegate Future<long> Waits(World world, ManualClock clock, bool entry, Action plant);

    private static void Smallest() => GC.KeepAlive(new object());

    // Without, with, without: when both measurements without agree, the compiler has exchanged no code in between, and what was allocated in the middle is comparable to the byte,
    // whether the code is optimized or not.
    private void EntriesCostNothing(Waits waits, Action plant)
    {
        var clock = new ManualClock();
        var world = new World(options => options.TimeProvider = clock);
        Measure(entry: true, static () => { }).ShouldBeGreaterThan(0); // what is made once is made here: the one timer of the clock
        for (int attempt = 0; attempt < 100; attempt++)
        {
            long before = Measure(entry: false, static () => { });
            long with = Measure(entry: true, plant);
            long after = Measure(entry: false, static () => { });
            if (before == after)
            {
                output.WriteLine($"attempt {attempt}: {with} bytes with entries, {before} without, for {Entries}");
                world.ShouldBeEmpty();
                (with - before).ShouldBe(0, $"{(double)(with - before) / Entries} bytes for each entry");
                return;
            }
        }

        Assert.Fail("two equal runs never allocated the same: something else allocates on this thread");

        long Measure(bool entry, Action planted)
        {
            ManagedTask<long> task = world.Runtime.SpawnDetached(waits(world, clock, entry, planted));
            world.Run();
            while (!task.IsEnded)
            {
                clock.Pass(TimeSpan.FromMilliseconds(1));
                world.Run();
            }

            return task.Result;
        }
    }

    // A timeout that never ends has no entry, and is the same code in all else.
    private static async Future<long> WithTimeoutsAsync(World world, ManualClock clock, bool entry, Action plant)
    {
        TimeSpan within = entry ? Long : Timeout.InfiniteTimeSpan;
        int entered = 0;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Entries; i++)
        {
            plant();
            await CountAsync().WithTimeout(within);
        }

        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        entered.ShouldBe(entry ? Entries : 0);
        return bytes;

        async Future CountAsync()
        {
            entered += world.Timers;
            await Future.Yield();
        }
    }

    // A delay of zero that has to give way suspends without an entry, and is the same code in all else. It gives way once in 64 times.
    private static async Future<long> WithDelaysAsync(World world, ManualClock clock, bool entry, Action plant)
    {
        TimeSpan delay = entry ? TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
        await Future.Yield();
        long first = world.Executor.StepCount;
        long before = GC.GetAllocatedBytesForCurrentThread();
        while (world.Executor.StepCount < first + Entries)
        {
            plant();
            await Future.Delay(delay);
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private void StaysFlat(int rounds, Action<TimerQueue, List<object>> plant)
    {
        var world = new World(static options => options.OnEvent = static _ => { }); // failures are told, and kept by nobody
        List<object> kept = [];
        long first = 0;
        for (int round = 0; round < rounds; round++)
        {
            for (int wave = 0; wave < TasksPerRound; wave += Wave)
            {
                RunWave(world, timers => plant(timers, kept));
            }

            world.Timers.ShouldBe(0, "entries are left");
            long now = Settled(world);
            first = round == 0 ? now : first;
            output.WriteLine($"round {round}: {now} bytes");
            (now - first).ShouldBeLessThan(TasksPerRound, $"memory grows, in round {round}"); // by a byte for each task of one round
        }

        Census census = world.Census;
        long created = (long)rounds * TasksPerRound;
        (census.Created, census.Canceled, census.Failed).ShouldBe((created, created / Kinds, 2 * created / Kinds));
        GC.KeepAlive(kept);
        world.ShouldBeEmpty();
    }

    // What earlier tests of the process have left to finalizers is not ours: it goes before anything is compared.
    private static long Settled(World world)
    {
        // Failures at which nobody looked keep their exceptions until they are told, which takes a finalizer and a thread of the pool. A handle or two may lie on this stack.
        for (int i = 0; i < 100 && world.Census.Unobserved > 2; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Yield();
        }

        long now = GC.GetTotalMemory(forceFullCollection: true);
        while (true)
        {
            long before = now;
            GC.WaitForPendingFinalizers();
            now = GC.GetTotalMemory(forceFullCollection: true);
            if (before - now < TasksPerRound / 10)
            {
                return now;
            }
        }
    }

    // Every task is under its timeout while all of them are. Most are done in time; some fail, some are canceled, and some are too late.
    private static void RunWave(World world, Action<TimerQueue> plant)
    {
        int most = 0;
        for (int i = 0; i < Wave; i++)
        {
            int kind = i % Kinds;
            _ = world.Runtime.SpawnDetached(WorkAsync(kind).WithTimeout(kind == 3 ? TimeSpan.FromMinutes(1) : Long));
        }

        world.Run();
        most.ShouldBeGreaterThanOrEqualTo(Wave, "all were under their timeouts at once");
        world.Time.Advance(TimeSpan.FromMinutes(1));
        world.Run();

        async Future WorkAsync(int kind)
        {
            most = Math.Max(most, world.Timers);
            plant(world.Runtime.Engine.Timers);
            await Future.Yield();
            switch (kind)
            {
                case 1:
                    throw new ArithmeticException("as planned");
                case 2:
                    ManagedTask.Current!.Cancel();
                    await Future.Yield();
                    break;
                case 3:
                    await Future.Delay(Timeout.InfiniteTimeSpan);
                    break;
            }
        }
    }

    /// <summary>A clock with one timer that allocates nothing to be set.</summary>
    private sealed class ManualClock : TimeProvider, ITimer
    {
        private TimerCallback? _callback;
        private object? _state;
        private long _now;
        private long _due = long.MaxValue;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public override DateTimeOffset GetUtcNow() => new(_now, TimeSpan.Zero);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _callback.ShouldBeNull("a runtime sets one timer");
            (_callback, _state) = (callback, state);
            return this;
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : _now + dueTime.Ticks;
            return true;
        }

        public void Pass(TimeSpan by)
        {
            _now += by.Ticks;
            if (_due <= _now)
            {
                _due = long.MaxValue;
                _callback!(_state);
            }
        }

        public void Dispose() => _due = long.MaxValue;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
