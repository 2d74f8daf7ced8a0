namespace Moirai.Tests.Execution;

/// <summary>The executor on the thread pool: bodies that block their thread strand nobody, and everything ready is run.</summary>
public sealed class ThreadPoolExecutorTests
{
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_body_that_blocks_its_thread_strands_nobody_behind_it()
    {
        await using var runtime = new TaskRuntime();
        using var release = new ManualResetEventSlim();
        using var blocked = new CountdownEvent(1);
        ManagedTask blocking = runtime.SpawnDetached(async ct =>
        {
            // Twenty tasks behind this one in the same queue; then the thread is gone.
            for (int i = 0; i < 20; i++)
            {
                _ = runtime.SpawnDetached(static async ct => await Future.Yield());
            }

            blocked.Signal();
            release.Wait(Failsafe);
            await Future.Yield();
        });
        blocked.Wait(Failsafe).ShouldBeTrue();
        await UntilAsync(() => runtime.TakeCensus().Completed == 20);
        blocking.State.ShouldBe(TaskState.Running);
        release.Set();
        await blocking;
        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public async Task With_all_pumps_blocked_the_rest_still_runs()
    {
        await using var runtime = new TaskRuntime();
        int pumps = Environment.ProcessorCount + 1;
        using var release = new ManualResetEventSlim();
        using var blocked = new CountdownEvent(pumps);
        var blocking = new ManagedTask[pumps];
        for (int i = 0; i < pumps; i++)
        {
            blocking[i] = runtime.SpawnDetached(async ct =>
            {
                blocked.Signal();
                release.Wait(Failsafe);
                await Future.Yield();
            });
        }

        blocked.Wait(Failsafe).ShouldBeTrue(); // more than there are pumps: the spare ones have come
        (await runtime.RunScopeAsync("rest", static async scope =>
        {
            int sum = 0;
            for (int i = 0; i < 100; i++)
            {
                sum += await scope.Spawn(static async ct =>
                {
                    await Future.Yield();
                    return 1;
                });
            }

            return sum;
        })).ShouldBe(100);
        blocking.ShouldAllBe(task => task.State == TaskState.Running);
        release.Set();
        foreach (ManagedTask task in blocking)
        {
            await task;
        }

        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public async Task A_task_that_never_waits_but_yields_starves_nobody()
    {
        await using var runtime = new TaskRuntime();
        bool stop = false;
        var greedy = new ManagedTask[2 * Environment.ProcessorCount];
        for (int i = 0; i < greedy.Length; i++)
        {
            greedy[i] = runtime.SpawnDetached(async ct =>
            {
                while (!Volatile.Read(ref stop))
                {
                    await Future.Yield();
                }
            });
        }

        for (int i = 0; i < 20; i++)
        {
            await runtime.SpawnDetached(static async ct => await Future.Yield());
            await Task.Run(static () => { }); // the rest of the process gets threads too
        }

        Volatile.Write(ref stop, true);
        foreach (ManagedTask task in greedy)
        {
            await task;
        }

        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public async Task A_hundred_thousand_tasks_that_spawn_each_other_all_end_and_steps_are_counted()
    {
        await using var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("tree", async scope => await GrowAsync(scope, 16));
        Census census = runtime.TakeCensus();
        census.Completed.ShouldBe((1 << 17) - 1);
        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public async Task A_chain_of_a_million_wakes_and_synchronous_awaits_needs_no_stack()
    {
        await using var runtime = new TaskRuntime();
        long sum = await runtime.RunScopeAsync("long", static async scope =>
        {
            long sum = 0;
            for (int i = 0; i < 1_000_000; i++)
            {
                sum += await Future.FromResult(1);
            }

            return sum + await DeepAsync(50_000);
        });
        sum.ShouldBe(1_050_000);
    }

    private static async Future<int> DeepAsync(int depth) => depth == 0 ? 0 : 1 + await DeepAsync(depth - 1);

    private static async Future GrowAsync(TaskScope scope, int depth)
    {
        await Future.Yield();
        if (depth > 0)
        {
            _ = scope.Spawn(async ct => await GrowAsync(scope, depth - 1));
            _ = scope.Spawn(async ct => await GrowAsync(scope, depth - 1));
        }
    }

    // Waits for a state of the runtime that no event tells of, without sleeping.
    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Yield();
        }
    }
}
