namespace Moirai.Tests.Execution;

/// <summary>What every executor owes, asked of each.</summary>
public sealed class ExecutorSuiteTests
{
    private static readonly AsyncLocal<string?> Ambient = new();

    public static TheoryData<string> Executors => ["pool", "local"];

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task Results_failures_and_cancellations_come_to_who_awaits(string executor)
    {
        await using TaskRuntime runtime = Make(executor);
        runtime.Run(CheckAsync(runtime));
        World.ShouldBeEmpty(runtime);

        static async Future CheckAsync(TaskRuntime runtime) => await runtime.RunScopeAsync(
            "all",
            async scope =>
            {
                (await scope.Spawn(static async ct =>
                {
                    await Future.Yield();
                    return 5;
                })).ShouldBe(5);
                await Should.ThrowAsync<ArithmeticException>(scope.Spawn(static ct => Future.FromException(new ArithmeticException())).AsTask());
                ManagedTask canceled = scope.Spawn(static async ct => await new Gate().WaitAsync());
                canceled.Cancel();
                TaskId seen = default;
                try
                {
                    await canceled;
                }
                catch (ManagedTaskCanceledException error)
                {
                    seen = error.Task;
                }

                seen.ShouldBe(canceled.Id);
                canceled.AsTask().IsCanceled.ShouldBeTrue();
            },
            ScopePolicy.Isolate);
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task Every_shape_of_body_runs(string executor)
    {
        await using TaskRuntime runtime = Make(executor);
        runtime.Run(runtime.RunScopeAsync("shapes", async scope =>
        {
            int sum = 0;
            await scope.Spawn(async ct => await Future.Yield());
            sum += await scope.Spawn(static ct => Future.FromResult(1));
            await scope.Spawn(static Task (ct) => Task.CompletedTask);
            sum += await scope.Spawn(static Task<int> (ct) => Task.FromResult(2));
            await scope.Spawn(static ValueTask (ct) => ValueTask.CompletedTask);
            sum += await scope.Spawn(static ValueTask<int> (ct) => ValueTask.FromResult(4));
            sum += await scope.Spawn(8, static (state, ct) => Future.FromResult(state));
            sum += await scope.Spawn(Future.FromResult(16));
            sum.ShouldBe(31);
        }));
        World.ShouldBeEmpty(runtime);
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task A_foreign_await_comes_back_to_the_executor_as_the_same_task(string executor)
    {
        await using TaskRuntime runtime = Make(executor);
        runtime.Run(CheckAsync());

        static async Future CheckAsync()
        {
            ManagedTask? before = ManagedTask.Current;
            _ = before.ShouldNotBeNull();
            await Task.Run(static () => ManagedTask.Current.ShouldBeNull());
            ManagedTask.Current.ShouldBeSameAs(before);
            await Task.Yield();
            ManagedTask.Current.ShouldBeSameAs(before);
        }
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task An_async_local_set_in_a_callee_does_not_reach_its_caller(string executor)
    {
        await using TaskRuntime runtime = Make(executor);
        runtime.Run(CallerAsync());
        Ambient.Value.ShouldBeNull();

        static async Future CallerAsync()
        {
            Ambient.Value = "caller";
            await CalleeAsync(yields: false);
            Ambient.Value.ShouldBe("caller");
            await CalleeAsync(yields: true);
            Ambient.Value.ShouldBe("caller");
            await CalleeAsync(yields: true).WithTimeout(TimeSpan.FromHours(1));
            Ambient.Value.ShouldBe("caller");
            await Should_fail();
            Ambient.Value.ShouldBe("caller");
        }

        static async Future Should_fail()
        {
            try
            {
                await FailAsync();
            }
            catch (ArithmeticException)
            {
                // as it was asked to
            }
        }

        static async Future FailAsync()
        {
            Ambient.Value = "failing";
            await Future.Yield();
            throw new ArithmeticException();
        }

        static async Future CalleeAsync(bool yields)
        {
            Ambient.Value.ShouldBe("caller");
            Ambient.Value = "callee";
            if (yields)
            {
                await Future.Yield();
                Ambient.Value.ShouldBe("callee");
                await Task.Yield();
            }

            Ambient.Value.ShouldBe("callee");
        }
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task An_async_local_is_inherited_at_the_spawn_and_does_not_flow_back(string executor)
    {
        await using TaskRuntime runtime = Make(executor);
        runtime.Run(runtime.RunScopeAsync("flow", async scope =>
        {
            Ambient.Value = "at the spawn";
            ManagedTask<string> child = scope.Spawn(static async ct =>
            {
                string inherited = Ambient.Value ?? "nothing";
                Ambient.Value = "child";
                await Future.Yield();
                Ambient.Value.ShouldBe("child");
                return inherited;
            });
            Ambient.Value = "after the spawn";
            (await child).ShouldBe("at the spawn");
            Ambient.Value.ShouldBe("after the spawn");
        }));
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task An_activity_flows_like_an_async_local_and_stops_with_its_callee(string executor)
    {
        await using TaskRuntime runtime = Make(executor);
        using var root = new System.Diagnostics.Activity("root");
        root.Start();
        runtime.Run(CallerAsync(root));
        System.Diagnostics.Activity.Current.ShouldBeSameAs(root);

        static async Future CallerAsync(System.Diagnostics.Activity root)
        {
            System.Diagnostics.Activity.Current.ShouldBeSameAs(root);
            await CalleeAsync();
            System.Diagnostics.Activity.Current.ShouldBeSameAs(root);
        }

        static async Future CalleeAsync()
        {
            using var inner = new System.Diagnostics.Activity("inner");
            _ = inner.Start();
            await Future.Yield();
            System.Diagnostics.Activity.Current.ShouldBeSameAs(inner);
        }
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task A_step_leaves_no_context_behind_for_the_next_task(string executor)
    {
        await using TaskRuntime runtime = Make(executor);
        string? seen = "nothing yet";
        runtime.Run(runtime.RunScopeAsync("clean", async scope =>
        {
            for (int i = 0; i < 50; i++)
            {
                _ = scope.Spawn(static async ct =>
                {
                    Ambient.Value = "left behind";
                    await Future.Yield();
                    Ambient.Value = "again";
                });
                _ = scope.Spawn(async ct =>
                {
                    seen = Ambient.Value;
                    await Future.Yield();
                    seen ??= Ambient.Value;
                });
            }

            await Future.Yield();
        }));
        seen.ShouldBeNull();
        Ambient.Value.ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task A_run_inside_a_task_is_refused_and_names_it(string executor)
    {
        await using TaskRuntime runtime = Make(executor);
        runtime.Run(CheckAsync(runtime));

        static async Future CheckAsync(TaskRuntime runtime)
        {
            Should.Throw<InvalidOperationException>(() => runtime.Run(Future.Completed())).Message.ShouldContain(ManagedTask.Current!.Id.ToString());
            await Future.Yield();
        }
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task Run_gives_the_value_and_throws_the_failure_and_tells_nobody_of_it(string executor)
    {
        List<RuntimeEvent> events = [];
        await using TaskRuntime runtime = Make(executor, events.Add);
        for (int i = 0; i < 2_000; i++)
        {
            runtime.Run(Future.FromResult(i)).ShouldBe(i);
            Should.Throw<ArithmeticException>(() => runtime.Run(Future.FromException(new ArithmeticException())));
        }

        events.ShouldBeEmpty();
        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public async Task A_failure_that_plain_code_awaits_is_never_told_as_unobserved()
    {
        List<RuntimeEvent> events = [];
        await using TaskRuntime runtime = Make("pool", what =>
        {
            lock (events)
            {
                events.Add(what);
            }
        });
        for (int i = 0; i < 3_000; i++)
        {
            bool thrown = false;
            try
            {
                await runtime.RunScopeAsync("failing", static scope => Future.FromException(new ArithmeticException()));
            }
            catch (ArithmeticException)
            {
                thrown = true;
            }

            thrown.ShouldBeTrue();
        }

        events.ShouldBeEmpty();
    }

    private static TaskRuntime Make(string executor, Action<RuntimeEvent>? onEvent = null) => new(new TaskRuntimeOptions
    {
        Name = executor,
        Executor = executor == "pool" ? new ThreadPoolExecutor() : new LocalExecutor(),
        OnEvent = onEvent,
    });
}
