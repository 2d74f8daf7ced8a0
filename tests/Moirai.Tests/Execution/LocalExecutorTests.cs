using Moirai.Execution;

namespace Moirai.Tests.Execution;

/// <summary>The executor on one thread: order, single steps, driving until a task has ended, and who may drive.</summary>
public sealed class LocalExecutorTests
{
    [Fact]
    public void Tasks_run_in_the_order_in_which_they_became_ready()
    {
        var world = new World();
        for (int i = 0; i < 3; i++)
        {
            int mine = i;
            _ = world.Spawn(async ct =>
            {
                world.Log($"{mine}a");
                await Future.Yield();
                world.Log($"{mine}b");
            });
        }

        world.Trace.ShouldBeEmpty(); // nothing runs before it is driven
        world.Run().ShouldBe(6);
        world.Trace.ShouldBe(["0a", "1a", "2a", "0b", "1b", "2b"]);
        world.Executor.StepCount.ShouldBe(6);
    }

    [Fact]
    public void One_step_at_a_time_takes_one_task_to_its_next_wait()
    {
        var world = new World();
        _ = world.Spawn(async ct =>
        {
            world.Log("1");
            await Future.Yield();
            world.Log("2");
        });
        world.Executor.ReadyCount.ShouldBe(1);
        world.Executor.RunOneStep().ShouldBeTrue();
        world.Trace.ShouldBe(["1"]);
        world.Executor.RunOneStep().ShouldBeTrue();
        world.Trace.ShouldBe(["1", "2"]);
        world.Executor.RunOneStep().ShouldBeFalse();
        world.Executor.ReadyCount.ShouldBe(0);
    }

    [Fact]
    public void Run_until_sleeps_and_is_woken_from_another_thread()
    {
        var world = new World();
        var gate = new Gate();
        using var parked = new ManualResetEventSlim();
        int thread = 0;
        ManagedTask task = world.Spawn(async ct =>
        {
            parked.Set();
            await gate.WaitAsync();
            thread = Environment.CurrentManagedThreadId;
        });
        var waker = new Thread(() =>
        {
            parked.Wait();
            gate.Open();
        });
        waker.Start();
        world.Executor.RunUntil(task);
        waker.Join();
        task.State.ShouldBe(TaskState.Completed);
        thread.ShouldBe(Environment.CurrentManagedThreadId);
    }

    [Fact]
    public void Run_until_after_single_steps_loses_no_wake()
    {
        for (int i = 0; i < 200; i++)
        {
            var world = new World();
            var gate = new Gate();
            ManagedTask task = world.Spawn(async ct => await gate.WaitAsync());
            world.Executor.RunOneStep();
            var waker = new Thread(gate.Open);
            waker.Start();
            world.Executor.RunUntil(task);
            task.State.ShouldBe(TaskState.Completed);
            waker.Join();
        }
    }

    [Fact]
    public void Run_until_ends_with_its_token_and_the_task_goes_on_later()
    {
        var world = new World();
        var gate = new Gate();
        using var source = new CancellationTokenSource();
        ManagedTask task = world.Spawn(async ct =>
        {
            var canceler = new Thread(source.Cancel);
            canceler.Start();
            await gate.WaitAsync();
        });
        Should.Throw<OperationCanceledException>(() => world.Executor.RunUntil(task, source.Token));
        task.State.ShouldBe(TaskState.Blocked);
        gate.Open();
        world.Executor.RunUntil(task, CancellationToken.None);
        task.State.ShouldBe(TaskState.Completed);
    }

    [Fact]
    public void Driven_by_a_second_thread_or_by_one_of_its_own_tasks_it_says_so()
    {
        var world = new World();
        Exception? fromTask = null;
        Exception? fromThread = null;
        ManagedTask task = world.Start(async ct =>
        {
            fromTask = Record.Exception(() => world.Executor.RunUntilStalled());
            var other = new Thread(() => fromThread = Record.Exception(() => world.Executor.RunOneStep()));
            other.Start();
            other.Join();
            await Future.Yield();
        });
        fromTask.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain($"{task.Id} 'task'");
        fromThread.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain("Another thread");
        task.State.ShouldBe(TaskState.Completed);
        world.Run().ShouldBe(0); // and it can be driven again
    }

    [Fact]
    public void Spawns_from_many_threads_are_all_run_by_the_driver()
    {
        var world = new World();
        int[] ran = new int[4];
        int home = Environment.CurrentManagedThreadId;
        var threads = new Thread[ran.Length];
        for (int t = 0; t < threads.Length; t++)
        {
            int mine = t;
            threads[t] = new Thread(() =>
            {
                for (int i = 0; i < 500; i++)
                {
                    _ = world.Spawn(async ct =>
                    {
                        await Future.Yield();
                        ran[mine] += Environment.CurrentManagedThreadId == home ? 1 : 0;
                    });
                }
            });
            threads[t].Start();
        }

        while (Array.Exists(threads, thread => thread.IsAlive))
        {
            world.Run();
        }

        world.Run();
        ran.ShouldAllBe(count => count == 500);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_body_may_drive_another_runtimes_executor()
    {
        var outer = new World();
        var inner = new World();
        ManagedTask? seenInside = null;
        ManagedTask? seenAfter = null;
        ManagedTask<int>? innerTask = null;
        ManagedTask task = outer.Start(async ct =>
        {
            innerTask = inner.Spawn(async ct =>
            {
                await Future.Yield();
                seenInside = ManagedTask.Current;
                return 5;
            });
            inner.Run();
            seenAfter = ManagedTask.Current;
            await Future.Yield();
        });
        innerTask!.Result.ShouldBe(5);
        seenInside.ShouldBeSameAs(innerTask);
        seenAfter.ShouldBeSameAs(task);
        ManagedTask.Current.ShouldBeNull();
        task.State.ShouldBe(TaskState.Completed);
    }

    [Fact]
    public async Task A_body_on_the_thread_pool_that_drives_a_local_executor_keeps_its_own_queue()
    {
        await using var outer = new TaskRuntime();
        var inner = new World();
        ManagedTask<(object? Before, object? After)> task = outer.SpawnDetached(async _ =>
        {
            await Future.Yield();
            object? before = StepContext.Current.Shard;
            ManagedTask innerTask = inner.Start(static async _ => await Future.Yield());
            innerTask.State.ShouldBe(TaskState.Completed);
            return (before, StepContext.Current.Shard);
        });
        (object? before, object? after) = await task;
        after.ShouldBeSameAs(before);
        before.ShouldBeOfType<Pump>();
    }

    [Fact]
    public void An_executor_serves_one_runtime()
    {
        var world = new World();
        Should.Throw<InvalidOperationException>(() => new TaskRuntime(new TaskRuntimeOptions { Executor = world.Executor }))
            .Message.ShouldContain("'world'");
    }
}
