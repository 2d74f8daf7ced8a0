using Moirai.Lifecycle;

namespace Moirai.Tests.Execution;

/// <summary>State is counted, and read by anyone at any time.</summary>
public sealed class StateStormTests(ITestOutputHelper output)
{
    [Fact]
    public void C4_a_task_shows_each_state_of_its_life_in_turn()
    {
        var world = new World();
        var seen = new List<TaskState>();
        var gate = new Gate();
        ManagedTask task = world.Runtime.SpawnDetached(async _ =>
        {
            seen.Add(ManagedTask.Current!.State);
            await gate.WaitAsync();
            seen.Add(ManagedTask.Current!.State);
        });
        seen.Add(task.State);
        world.Run();
        seen.Add(task.State);
        gate.Open();
        seen.Add(task.State);
        world.Run();
        seen.Add(task.State);

        seen.ShouldBe([TaskState.Ready, TaskState.Running, TaskState.Blocked, TaskState.Ready, TaskState.Running, TaskState.Completed]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C4_the_census_counts_every_step_and_every_way_to_end()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("counted", ScopePolicy.Isolate);
        for (int i = 0; i < 30; i++)
        {
            int number = i;
            ManagedTask task = scope.Spawn(async _ =>
            {
                await Future.Yield();                              // step 1 ends
                await Future.Delay(TimeSpan.FromSeconds(1));       // step 2 ends
                if (number % 3 == 1)
                {
                    throw new FormatException("as planned");
                }

                await Future.Delay(number % 3 == 2 ? Timeout.InfiniteTimeSpan : TimeSpan.Zero);
            });
            if (i == 29)
            {
                task.Name.ShouldBe("counted");
            }
        }

        world.Run().ShouldBe(60);
        world.Census.TimerEntries.ShouldBe(30);
        world.Time.Advance(TimeSpan.FromSeconds(1));
        world.Census.Ready.ShouldBe(30);
        world.Run().ShouldBe(30);
        Census census = world.Census;
        (census.Created, census.Live, census.Completed, census.Failed, census.Canceled).ShouldBe((30, 10, 10, 10, 0));
        scope.Cancel();
        world.Run().ShouldBe(10);
        census = world.Census;
        (census.Live, census.Completed, census.Failed, census.Canceled, census.Steps).ShouldBe((0, 10, 10, 10, 100));
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C4_twin_a_task_that_comes_back_from_its_end_or_changes_its_outcome_or_is_in_no_state_is_caught()
    {
        TaskState[][] wrong =
        [
            [TaskState.Running, TaskState.Completed, TaskState.Running], [TaskState.Canceled, TaskState.Ready], [TaskState.Completed, TaskState.Failed], [(TaskState)7],
        ];
        foreach (TaskState[] states in wrong)
        {
            Twin.IsCaught(() => Watch(states), "wrong states");
        }

        Watch([TaskState.Created, TaskState.Blocked, TaskState.Ready, TaskState.Failed, TaskState.Failed]);

        static void Watch(TaskState[] states)
        {
            var watcher = new Watcher(tasks: 1);
            Array.ForEach(states, state => watcher.See(0, state));
            watcher.ShouldHaveSeenNothingWrong();
        }
    }

    [Fact]
    public void C4_twin_a_census_that_lost_a_task_or_counted_one_twice_is_caught()
    {
        var watcher = new Watcher(tasks: 0);
        var world = new World();
        _ = world.Start(static _ => Future.Completed());
        Census exact = world.Census;
        watcher.See(exact);
        watcher.ShouldHaveSeenNothingWrong();
        Census[] wrong = [exact with { Completed = 0 }, exact with { Completed = 2 }, exact with { Live = 1 }, exact with { Created = 2 }];
        foreach (Census census in wrong)
        {
            Twin.IsCaught(
                () =>
                {
                    var other = new Watcher(tasks: 0);
                    other.See(census);
                    other.ShouldHaveSeenNothingWrong();
                },
                "unbalanced");
        }
    }

    [Fact]
    public void C4_states_read_from_other_threads_during_a_storm_are_states_and_ends_are_final()
    {
        int seed = Environment.ProcessId;
        output.WriteLine($"seed {seed}");
        var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "storm" });
        TaskScope scope = runtime.OpenScope("storm", ScopePolicy.Isolate);
        var random = new Random(seed);
        var tasks = new ManagedTask[2_000];
        using var done = new ManualResetEventSlim();
        var readers = new Thread[2];
        var watchers = new Watcher[readers.Length];
        for (int r = 0; r < readers.Length; r++)
        {
            Watcher watcher = watchers[r] = new Watcher(tasks.Length);
            readers[r] = new Thread(() =>
            {
                while (!done.IsSet)
                {
                    for (int i = 0; i < tasks.Length; i++)
                    {
                        if (Volatile.Read(ref tasks[i]) is { } task)
                        {
                            watcher.See(i, task.State);
                        }
                    }

                    watcher.See(runtime.TakeCensus());
                }
            });
            readers[r].Start();
        }

        for (int i = 0; i < tasks.Length; i++)
        {
            int yields = random.Next(50);
            int way = random.Next(3);
            Volatile.Write(ref tasks[i], scope.Spawn((yields, way), static async (plan, _) =>
            {
                for (int y = 0; y < plan.yields; y++)
                {
                    await Future.Yield();
                }

                if (plan.way == 1)
                {
                    throw new FormatException("as planned");
                }

                await Future.Delay(plan.way == 2 ? Timeout.InfiniteTimeSpan : TimeSpan.Zero);
            }));
            if (way == 2)
            {
                tasks[i].Cancel();
            }
        }

        runtime.Run(scope.JoinAsync());
        done.Set();
        foreach (Thread reader in readers)
        {
            reader.Join();
        }

        watchers.ShouldAllBe(static watcher => watcher.Seen > 0);
        Array.ForEach(watchers, static watcher => watcher.ShouldHaveSeenNothingWrong());
        Census census = runtime.TakeCensus();
        census.IsEmpty.ShouldBeTrue(census.ToString());
        tasks.Count(task => task.State == TaskState.Canceled).ShouldBe((int)census.Canceled);
        tasks.Count(task => task.State == TaskState.Failed).ShouldBe((int)census.Failed);
    }

    /// <summary>What a reader remembers, and what it must never see. Used by one thread.</summary>
    private sealed class Watcher(int tasks)
    {
        private readonly TaskState?[] _ended = new TaskState?[tasks];
        private long _wrong;
        private long _unbalanced;

        public long Seen { get; private set; }

        public void See(int task, TaskState state)
        {
            Seen++;
            if (_ended[task] is { } end ? end != state : state > TaskState.Canceled)
            {
                _wrong++;
            }

            _ended[task] ??= LifecycleTable.IsEnded(state) ? state : null;
        }

        public void See(Census census) => _unbalanced += census.IsBalanced ? 0 : 1;

        public void ShouldHaveSeenNothingWrong()
        {
            _wrong.ShouldBe(0, "wrong states");
            _unbalanced.ShouldBe(0, "unbalanced");
        }
    }
}
