namespace Moirai.Tests.Execution;

/// <summary>Cancellation against whatever else may end a wait, on the thread pool: every task ends once, nothing is lost, nothing is left.</summary>
public sealed class CancelRaceTests
{
    private const int Tasks = 4_000;

    [Fact]
    public Task S059_S071_cancel_racing_completion_neither_loses_nor_doubles_an_outcome() => RaceAsync(static async (run, scope, random) =>
    {
        var gate = new Gate();
        ManagedTask<int> task = scope.Spawn(async ct =>
        {
            using Counted counted = run.Enter();
            await gate.WaitAsync();
            return 1;
        });
        await run.BothAsync(random, gate.Open, () => task.Cancel("race"));
        await run.SeeAsync(task);
    });

    [Fact]
    public Task A4_cancel_racing_a_timer_ends_every_task_once() => RaceAsync(static async (run, scope, random) =>
    {
        int micros = random.Next(300);
        ManagedTask<int> task = scope.Spawn(async ct =>
        {
            using Counted counted = run.Enter();
            await Future.Delay(TimeSpan.FromMicroseconds(micros));
            return 1;
        });
        for (int i = random.Next(4); i > 0; i--)
        {
            await Future.Yield();
        }

        task.Cancel("race");
        await run.SeeAsync(task);
    });

    [Fact]
    public Task A4_cancel_racing_a_timeout_and_a_completion_ends_every_task_once() => RaceAsync(static async (run, scope, random) =>
    {
        var gate = new Gate();
        int micros = random.Next(1, 300);
        ManagedTask<int> task = scope.Spawn(async ct =>
        {
            using Counted counted = run.Enter();
            try
            {
                await gate.WaitAsync().WithTimeout(TimeSpan.FromMicroseconds(micros));
            }
            catch (TaskTimeoutException)
            {
                return 2;
            }

            return 1;
        });
        await run.BothAsync(random, gate.Open, () => task.Cancel("race"));
        await run.SeeAsync(task);
    });

    [Fact]
    public Task C1_S103_cancel_racing_the_hand_over_of_a_slot_loses_no_slot()
    {
        var slots = new TaskSlotManager(2, "raced");
        return RaceAsync(
            async (run, scope, random) =>
            {
                ManagedTask<int> task = scope.Spawn(async ct =>
                {
                    using Counted counted = run.Enter();
                    using SlotLease lease = await slots.AcquireAsync();
                    await Future.Yield();
                    return 1;
                });
                if (random.Next(2) == 0)
                {
                    await Future.Yield();
                    task.Cancel("race");
                }

                await run.SeeAsync(task);
            },
            () =>
            {
                slots.InUse.ShouldBe(0);
                slots.Waiting.ShouldBe(0);
            });
    }

    [Fact]
    public async Task C1_cancel_racing_spawns_into_a_pool_keeps_the_limit_and_loses_no_slot()
    {
        await using var runtime = new TaskRuntime();
        TaskPool pool = runtime.CreatePool("raced", 3);
        long live = 0;
        await RaceAsync(runtime, async (run, scope, random) =>
        {
            ManagedTask<int> spawner = scope.Spawn(async ct =>
            {
                using Counted counted = run.Enter();
                ManagedTask inside = await pool.SpawnAsync(async ct =>
                {
                    Interlocked.Increment(ref live).ShouldBeLessThanOrEqualTo(3);
                    try
                    {
                        await Future.Yield();
                    }
                    finally
                    {
                        Interlocked.Decrement(ref live);
                    }
                });
                inside.Cancel("race");
                return 1;
            });
            await Future.Yield();
            if (random.Next(2) == 0)
            {
                spawner.Cancel("race");
            }

            await run.SeeAsync(spawner);
        });
        await pool.DrainAsync();
        pool.ActiveCount.ShouldBe(0);
        pool.Counts.Created.ShouldBe(pool.Counts.Completed + pool.Counts.Canceled);
        live.ShouldBe(0);
        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public Task Cancel_racing_a_join_wakes_the_joiner_once() => RaceAsync(static async (run, scope, random) =>
    {
        var gate = new Gate();
        ManagedTask joined = scope.Spawn(async ct => await gate.WaitAsync());
        ManagedTask<int> task = scope.Spawn(async ct =>
        {
            using Counted counted = run.Enter();
            await joined;
            return 1;
        });
        await run.BothAsync(random, gate.Open, () => task.Cancel("race"));
        await run.SeeAsync(task);
    });

    [Fact]
    public Task Cancel_racing_the_first_step_runs_the_body_wholly_or_not_at_all() => RaceAsync(static async (run, scope, random) =>
    {
        int entered = 0;
        int left = 0;
        ManagedTask<int> task = scope.Spawn(async ct =>
        {
            entered++;
            try
            {
                await Future.Yield();
                return 1;
            }
            finally
            {
                left++;
            }
        });
        if (random.Next(2) == 0)
        {
            await Future.Yield();
        }

        task.Cancel("race");
        await run.SeeAsync(task);
        left.ShouldBe(entered);
        entered.ShouldBeLessThanOrEqualTo(1);
    });

    [Fact]
    public Task Cancel_racing_the_end_of_foreign_work_ends_every_task_once() => RaceAsync(static async (run, scope, random) =>
    {
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ManagedTask<int> task = scope.Spawn(async ct =>
        {
            using Counted counted = run.Enter();
            await source.Task.WithTimeout(TimeSpan.FromHours(1));
            return 1;
        });
        await run.BothAsync(random, source.SetResult, () => task.Cancel("race"));
        await run.SeeAsync(task);
    });

    private static async Task RaceAsync(Func<Race, TaskScope, Random, Future> round, Action? check = null)
    {
        await using var runtime = new TaskRuntime();
        await RaceAsync(runtime, round);
        check?.Invoke();
        World.ShouldBeEmpty(runtime);
    }

    private static async Task RaceAsync(TaskRuntime runtime, Func<Race, TaskScope, Random, Future> round)
    {
        int seed = Environment.ProcessId ^ (int)TimeProvider.System.GetTimestamp();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var race = new Race();
        await runtime.RunScopeAsync("races", async scope =>
        {
            for (int lane = 0; lane < 8; lane++)
            {
                var random = new Random(seed + lane);
                _ = scope.Spawn(async ct =>
                {
                    for (int i = 0; i < Tasks / 8; i++)
                    {
                        await round(race, scope, random);
                    }
                });
            }

            await Future.Yield();
        });
        race.Check(seed);
        runtime.Engine.Timers.Count.ShouldBe(0, $"seed {seed}");
    }

    private sealed class Race
    {
        private int _inside;
        private int _seen;
        private int _ends;

        public Counted Enter()
        {
            Interlocked.Increment(ref _inside);
            return new Counted(this);
        }

        public void Leave() => Interlocked.Decrement(ref _inside);

        /// <summary>Does both at about the same time, on two threads, in either order.</summary>
        public async Future BothAsync(Random random, Action first, Action second)
        {
            if (random.Next(2) == 0)
            {
                (first, second) = (second, first);
            }

            if (random.Next(2) == 0)
            {
                await Future.Yield();
            }

            Task other = Task.Run(second);
            first();
            await other;
        }

        public async Future SeeAsync(ManagedTask<int> task)
        {
            Interlocked.Increment(ref _seen);
            try
            {
                int result = await task;
                result.ShouldBeInRange(1, 2);
                task.State.ShouldBe(TaskState.Completed);
            }
            catch (ManagedTaskCanceledException error)
            {
                error.Task.ShouldBe(task.Id);
                task.State.ShouldBe(TaskState.Canceled);
                task.CancelCause!.Reason.ShouldBe("race");
            }

            Interlocked.Increment(ref _ends);
        }

        public void Check(int seed)
        {
            _seen.ShouldBe(Tasks, $"seed {seed}");
            _ends.ShouldBe(Tasks, $"seed {seed}");
            _inside.ShouldBe(0, $"seed {seed}");
        }
    }

    private sealed class Counted(Race race) : IDisposable
    {
        public void Dispose() => race.Leave();
    }
}
