namespace Moirai.Tests.Futures;

/// <summary>A frame that began and ended in one step serves the next call of its method, and nobody can take it for what it was before. Decision 50.</summary>
public sealed class FrameReuseTests
{
    private static readonly AsyncLocal<object?> s_ambient = new();

    public static TheoryData<string> Ways => ["spawn", "await"];

    public static MatrixTheoryData<string, string> Waits => new(["spawn", "await"], ["yield", "delay", "a callee that yields", "a task of the platform", "a lock that is taken", "a task of ours"]);

    public static TheoryData<string> Holders => ["AsTask", "WithTimeout", "a pool's spawn", "a race", "plain code"];

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_call_that_never_waits_gets_the_frame_of_the_one_before(string way) => OnItsOwnThread(() =>
    {
        var world = new World();
        Future<int> first = Number.OneAsync(1);
        RunBy(way, world, first).ShouldBe(1);
        Future<int> second = Number.OneAsync(2);
        second.FrameOrNull.ShouldBeSameAs(first.FrameOrNull);
        RunBy(way, world, second).ShouldBe(2);
        world.ShouldBeEmpty();
    });

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_future_that_has_run_is_refused_although_its_frame_serves_another_which_is_not_disturbed(string way) => OnItsOwnThread(() =>
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("pool", 1);
        Future<int> old = Number.TwoAsync(1);
        RunBy(way, world, old);
        Future<int> now = Number.TwoAsync(2);
        now.FrameOrNull.ShouldBeSameAs(old.FrameOrNull);
        Action[] uses =
        [
            () => old.GetAwaiter(), () => world.Runtime.SpawnDetached(old), () => world.Runtime.Run(old), () => _ = (Future)old, () => old.WithTimeout(TimeSpan.FromSeconds(1)), () => old.AsTask(),
            () => pool.SpawnAsync(old), () => pool.TrySpawn(old, out _), () => world.Run(AwaitAsync(old)), () => world.Runtime.SpawnDetached(_ => old).GetAwaiter().GetResult(),
        ];
        foreach (Action use in uses[..^1])
        {
            Should.Throw<InvalidOperationException>(use).Message.ShouldContain("The future of TwoAsync has already run");
        }

        ManagedTask asks = world.Spawn(async _ => await old, "asks");
        world.Run();
        asks.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain($"has already run, and {asks.Id} 'asks' asks for it again");
        RunBy(way, world, now).ShouldBe(2);
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    });

    [Fact]
    public void A_frame_serves_sixteen_times_and_never_comes_back_to_its_first_generation() => OnItsOwnThread(() =>
    {
        var world = new World();
        Future<int> first = Number.ThreeAsync(0);
        world.Run(first);
        var lives = new HashSet<byte> { 0 };
        int served = 1;
        while (true)
        {
            Future<int> next = Number.ThreeAsync(served);
            if (!ReferenceEquals(next.FrameOrNull, first.FrameOrNull))
            {
                break;
            }

            lives.Add(next.FrameOrNull!.Generation).ShouldBeTrue();
            world.Run(next).ShouldBe(served++);
        }

        served.ShouldBe(16);
    });

    [Theory]
    [MemberData(nameof(Waits))]
    public void A_frame_that_has_waited_serves_once(string way, string wait) => OnItsOwnThread(() =>
    {
        var world = new World();
        var source = new TaskCompletionSource();
        var mutex = new AsyncMutex("mutex");
        ManagedTask holder = world.Start(async _ =>
        {
            using MutexLease held = await mutex.LockAsync();
            await Future.Delay(TimeSpan.FromSeconds(1));
        });
        Future first = Waiting.OnAsync(wait, source.Task, mutex, holder);
        ManagedTask task = world.Runtime.SpawnDetached(way == "spawn" ? first : AwaitAsync(first));
        world.Run();
        world.Advance(2);
        source.SetResult();
        Eventually.Is(() => { world.Run(); return task.IsEnded; }, TimeSpan.FromSeconds(30));
        task.State.ShouldBe(TaskState.Completed);
        Waiting.OnAsync("nothing", source.Task, mutex, holder).FrameOrNull.ShouldNotBeSameAs(first.FrameOrNull);
        world.ShouldBeEmpty();
    });

    [Theory]
    [MemberData(nameof(Holders))]
    public void A_frame_that_somebody_holds_on_to_serves_once(string holder) => OnItsOwnThread(() =>
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("pool", 1);
        Future<int> first = Number.FourAsync(1);
        switch (holder)
        {
            case "AsTask":
                RunPlain(world, async () => await first.AsTask());
                break;
            case "WithTimeout":
                world.Run(first.WithTimeout(TimeSpan.FromSeconds(1))).ShouldBe(1);
                break;
            case "a pool's spawn":
                PoolSpawn<int> spawn = pool.SpawnAsync(first);
                world.Run(spawn.AsFuture()).GetAwaiter().GetResult();
                break;
            case "a race":
                world.Run(new Race<int>().Add(first).FirstCompletedAsync()).Value.ShouldBe(1);
                break;
            default:
                RunPlain(world, async () => await first);
                break;
        }

        Number.FourAsync(2).FrameOrNull.ShouldNotBeSameAs(first.FrameOrNull);
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    });

    [Fact]
    public void A_spawn_of_a_pool_that_is_awaited_a_second_time_starts_nobody_elses_future() => OnItsOwnThread(() =>
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("pool", 1);
        PoolSpawn<int> spawn = pool.SpawnAsync(Number.FiveAsync(1));
        ManagedTask<int> first = world.Run(SpawnAsync(spawn));
        world.Run();
        first.Result.ShouldBe(1);
        Future<int> next = Number.FiveAsync(2);
        world.Fails<InvalidOperationException>(SpawnAsync(spawn)).Message.ShouldContain("has already run");
        world.Run(next).ShouldBe(2);
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    });

    [Fact]
    public void A_race_begins_nobody_elses_future_when_its_branch_has_run_before() => OnItsOwnThread(() =>
    {
        var world = new World();
        Future<int> branch = Number.SixAsync(1);
        Race<int> race = new Race<int>().Add(branch);
        world.Run(branch).ShouldBe(1);
        Future<int> next = Number.SixAsync(2);
        world.Fails<InvalidOperationException>(race.FirstCompletedAsync()).Message.ShouldContain("has already run");
        world.Run(next).ShouldBe(2);
        world.ShouldBeEmpty();
    });

    [Fact]
    public void A_future_that_runs_is_refused_by_all_who_would_begin_it_later()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("pool", 1);
        Future<int> running = LateAsync();
        ManagedTask<int> task = world.Runtime.SpawnDetached(running);
        world.Run();
        Action[] keepers = [() => running.WithTimeout(TimeSpan.FromSeconds(1)), () => pool.SpawnAsync(running), () => new Race<int>().Add(running), () => running.AsTask()];
        foreach (Action keeper in keepers)
        {
            Should.Throw<InvalidOperationException>(keeper).Message.ShouldContain($"is already running as {task.Id}");
        }

        world.Advance(1);
        task.Result.ShouldBe(1);
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();

        static async Future<int> LateAsync()
        {
            await Future.Delay(TimeSpan.FromSeconds(1));
            return 1;
        }
    }

    [Fact]
    public void A_frame_that_waits_to_serve_again_keeps_nothing_of_its_last_life() => OnItsOwnThread(() =>
    {
        var world = new World();
        (WeakReference local, WeakReference ambient, WeakReference task) = RunWithBaggage(world);
        world.Run(Number.OneAsync(0)); // what the thread still has of the last step
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        local.IsAlive.ShouldBeFalse();
        ambient.IsAlive.ShouldBeFalse();
        task.IsAlive.ShouldBeFalse();
    });

    [Fact]
    public void A_failure_is_told_to_its_own_caller_and_the_frame_serves_on() => OnItsOwnThread(() =>
    {
        var world = new World();
        for (int i = 0; i < 40; i++)
        {
            Future<int> future = Number.OrFailAsync(i);
            if (i % 3 == 0)
            {
                world.Fails<InvalidTimeZoneException>(AwaitAsync(future)).Message.ShouldBe($"{i}");
            }
            else
            {
                world.Run(future).ShouldBe(i);
            }
        }

        world.ShouldBeEmpty();
    });

    [Fact]
    public async Task Tasks_of_many_threads_that_exchange_their_frames_each_get_their_own_result()
    {
        const int Rounds = 50;
        const int Tasks = 400;
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "exchange" });
        ManagedTask<long>[] spawners =
        [
            .. Enumerable.Range(0, 8).Select(spawner => runtime.SpawnDetached(async _ =>
            {
                long sum = 0;
                var tasks = new ManagedTask<long>[Tasks];
                for (int round = 0; round < Rounds; round++)
                {
                    for (int i = 0; i < Tasks; i++)
                    {
                        tasks[i] = runtime.SpawnDetached(Exchanged.OuterAsync((spawner * 1_000_000L) + (round * Tasks) + i));
                    }

                    for (int i = 0; i < Tasks; i++)
                    {
                        (await tasks[i]).ShouldBe((spawner * 1_000_000L) + (round * Tasks) + i);
                        sum++;
                    }
                }

                return sum;
            })),
        ];
        foreach (ManagedTask<long> spawner in spawners)
        {
            (await spawner).ShouldBe(Rounds * Tasks);
        }

        World.ShouldBeEmpty(runtime);
    }

    private static int RunBy(string way, World world, Future<int> future) => world.Run(way == "spawn" ? future : AwaitAsync(future));

    private static async Future<int> AwaitAsync(Future<int> future) => await future;

    private static async Future AwaitAsync(Future future) => await future;

    private static async Future<ManagedTask<int>> SpawnAsync(PoolSpawn<int> spawn) => await spawn;

    private static void RunPlain(World world, Func<Task> plain)
    {
        ManagedTask task = world.Runtime.SpawnDetached(_ => plain());
        Eventually.Is(() => { world.Run(); return task.IsEnded; }, TimeSpan.FromSeconds(30)); // it goes on by way of the thread pool
        task.State.ShouldBe(TaskState.Completed);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static (WeakReference Local, WeakReference Ambient, WeakReference Task) RunWithBaggage(World world)
    {
        object local = new(), ambient = new();
        s_ambient.Value = ambient;
        Future<object> future = Baggage.CarryAsync(local);
        ManagedTask<object> task = world.Runtime.SpawnDetached(future);
        world.Run();
        s_ambient.Value = null;
        Baggage.CarryAsync(new object()).FrameOrNull.ShouldBeSameAs(future.FrameOrNull);
        return (new WeakReference(local), new WeakReference(ambient), new WeakReference(task));
    }

    // A thread has frames of its own: what other tests have left on that of this one must not count.
    private static void OnItsOwnThread(Action test)
    {
        System.Runtime.ExceptionServices.ExceptionDispatchInfo? failed = null;
        var thread = new Thread(() =>
        {
            try
            {
                test();
            }
            catch (Exception error) // thrown again where the test is
            {
                failed = System.Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(error);
            }
        });
        thread.Start();
        thread.Join();
        failed?.Throw();
    }

#pragma warning disable CS1998 // that they do not wait is what is tested
    // A method for each test: frames are of one method.
    private static class Number
    {
        internal static async Future<int> OneAsync(int number) => number;

        internal static async Future<int> TwoAsync(int number) => number;

        internal static async Future<int> ThreeAsync(int number) => number;

        internal static async Future<int> FourAsync(int number) => number;

        internal static async Future<int> FiveAsync(int number) => number;

        internal static async Future<int> SixAsync(int number) => number;

        internal static async Future<int> OrFailAsync(int number) => number % 3 == 0 ? throw new InvalidTimeZoneException($"{number}") : number;
    }

    private static class Baggage
    {
        internal static async Future<object> CarryAsync(object baggage) => baggage;
    }

    private static class Exchanged
    {
        internal static async Future<long> OuterAsync(long number) => await InnerAsync(number * 2) / 2;

        private static async Future<long> InnerAsync(long number)
        {
            if (number % 7 == 0)
            {
                await Future.Yield();
            }

            return number;
        }
    }
#pragma warning restore CS1998

    private static class Waiting
    {
        internal static async Future OnAsync(string wait, Task foreign, AsyncMutex mutex, ManagedTask task)
        {
            switch (wait)
            {
                case "yield":
                    await Future.Yield();
                    break;
                case "delay":
                    await Future.Delay(TimeSpan.FromSeconds(1));
                    break;
                case "a callee that yields":
                    await YieldAsync();
                    break;
                case "a task of the platform":
                    await foreign;
                    break;
                case "a lock that is taken":
                    (await mutex.LockAsync()).Dispose();
                    break;
                case "a task of ours":
                    await task;
                    break;
                default:
                    break;
            }
        }

        private static async Future YieldAsync() => await Future.Yield();
    }
}
