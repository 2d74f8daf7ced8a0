namespace Moirai.Tests.Scopes;

/// <summary>What plain code awaits becomes a task. Dumps, reports and errors call it by what was asked for, never by a method of ours.</summary>
public sealed class PlainWaitNamesTests
{
    [Fact]
    public async Task C4_a_wait_of_plain_code_is_a_task_named_after_what_was_asked_for()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("mail", ScopePolicy.Isolate);
        var collector = new TaskCollector<int>(scope, "answers");
        TaskPool pool = world.Runtime.CreatePool("orders", 1);
        var gate = new Gate();
        _ = scope.Spawn(async _ => await gate.WaitAsync(), "sender");
        ManagedTask<int> answer = collector.Add(async _ =>
        {
            using (ManagedTask.Shield())
            {
                await gate.WaitAsync();
            }

            return 1;
        });
        _ = TaskSlotTests.Admit(pool, async _ => await gate.WaitAsync());

        Task[] waits =
        [
            world.Runtime.RunScopeAsync("import", async _ => await gate.WaitAsync()).AsTask(),
            pool.SpawnAsync(static _ => Future.Completed()).AsFuture().AsTask(),
        ];
        world.Run();
        world.Runtime.Engine.Root.OwnTasks().Select(static task => task.Name).ShouldBe(["scope import", "spawn into pool orders"], ignoreOrder: true);

        Task[] leaves = [scope.JoinAsync().AsTask(), collector.DisposeAsync().AsTask(), pool.DrainAsync().AsTask()];
        world.Run();
        world.Runtime.Engine.Housekeeping.OwnTasks().Select(static task => task.Name)
            .ShouldBe(["join of scope mail", "disposal of collector answers", "drain of pool orders"], ignoreOrder: true);
        gate.Open();
        world.Run();
        await Task.WhenAll([waits[0], .. leaves]);
        (await Should.ThrowAsync<InvalidOperationException>(waits[1])).Message.ShouldContain("'orders' takes no work any more");
        answer.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_a_wait_for_a_task_that_times_out_names_the_task_also_when_there_was_no_time_at_all()
    {
        var world = new World();
        ManagedTask slow = world.Spawn(static async _ => await Future.Delay(TimeSpan.FromDays(1)), "slow");
        ManagedTask<int> silent = world.Spawn(static async _ =>
        {
            await Future.Delay(TimeSpan.FromDays(1));
            return 1;
        }, "silent");
        world.Fails<TaskTimeoutException>(slow.WithTimeout(TimeSpan.Zero)).Message.ShouldContain("wait for slow");
        world.Fails<TaskTimeoutException>(silent.WithTimeout(TimeSpan.Zero)).Message.ShouldContain("wait for silent");
        slow.Cancel();
        silent.Cancel();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_a_partial_collection_that_runs_out_of_time_is_told_under_the_name_of_what_was_asked_for()
    {
        var world = new World();
        world.Run(world.Runtime.RunScopeAsync("late", async scope =>
        {
            var collector = new TaskCollector<int>(scope, "answers");
            _ = collector.Add(static async _ =>
            {
                await Future.Delay(TimeSpan.FromDays(1));
                return 1;
            });
            (await collector.CollectPartialAsync(TimeSpan.Zero)).InTime.ShouldBeFalse();
        }));
        world.Events.ShouldHaveSingleItem().Message.ShouldStartWith("CollectPartialAsync in ");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_future_of_a_scope_that_is_used_again_is_called_after_the_scope()
    {
        var world = new World();
        Future once = world.Runtime.RunScopeAsync("import", static async _ => await Future.Yield());
        world.Run(once);
        world.Fails<InvalidOperationException>(AgainAsync(once)).Message.ShouldContain("The future of scope import has already run");
        world.ShouldBeEmpty();

        static async Future AgainAsync(Future once) => await once;
    }

    [Theory]
    [InlineData("CollectAsync")]
    [InlineData("CollectPartialAsync")]
    [InlineData("CollectFirstAsync")]
    [InlineData("DisposeAsync")]
    public async Task C9_plain_code_of_a_task_that_waits_for_the_collector_it_runs_in_is_told_so(string way)
    {
        await using var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("own", async scope =>
        {
            var collector = new TaskCollector<int>(scope, "own");
            ManagedTask<int> inside = collector.Add(PlainAsync, "insider");
            PartialResults<int>? results = null;
            try
            {
                await inside;
            }
            catch (InvalidOperationException told)
            {
                told.Message.ShouldContain("'insider'");
                told.Message.ShouldContain("'own', in which it runs itself");
                results = await collector.CollectPartialAsync();
            }

            results.ShouldNotBeNull().Errors.ShouldHaveSingleItem();

            async Task<int> PlainAsync(CancellationToken token)
            {
                await Task.Yield();
                switch (way)
                {
                    case "CollectAsync":
                        return (await collector.CollectAsync()).Count;
                    case "CollectPartialAsync":
                        return (await collector.CollectPartialAsync()).Outcomes.Count;
                    case "CollectFirstAsync":
                        return await collector.CollectFirstAsync();
                    default:
                        await collector.DisposeAsync();
                        return 0;
                }
            }
        }).WithTimeout(TimeSpan.FromMinutes(1));
    }
}
