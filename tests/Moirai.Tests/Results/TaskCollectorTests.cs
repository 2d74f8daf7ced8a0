namespace Moirai.Tests.Results;

/// <summary>Where outcomes go: all, some, the first, or one after the other.</summary>
public sealed class TaskCollectorTests
{
    [Fact]
    public void C9_all_results_come_in_the_order_of_adding_whatever_the_order_of_ending()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        for (int i = 0; i < 5; i++)
        {
            _ = collector.Add(i, static async (number, _) =>
            {
                await Future.Delay(TimeSpan.FromSeconds(10 - number));
                return number;
            });
        }

        ManagedTask<IReadOnlyList<int>> all = world.Runtime.SpawnDetached(collector.CollectAsync());
        Pass(world, seconds: 9);
        all.IsEnded.ShouldBeFalse();
        Pass(world, seconds: 1);
        all.Result.ShouldBe([0, 1, 2, 3, 4]);
        collector.Count.ShouldBe(5);
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_the_first_failure_cancels_the_rest_which_is_awaited_before_it_is_thrown()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        var cleanUp = new Gate();
        ManagedTask<int> slow = collector.Add(async _ =>
        {
            try
            {
                await Future.Delay(Timeout.InfiniteTimeSpan);
            }
            finally
            {
                using (ManagedTask.Shield())
                {
                    await cleanUp.WaitAsync();
                }
            }

            return 1;
        });
        ManagedTask<int> failing = collector.Add(Future.FromException<int>(new FormatException("first")));
        ManagedTask<IReadOnlyList<int>> all = world.Runtime.SpawnDetached(collector.CollectAsync());
        world.Run();
        slow.CancelCause!.Kind.ShouldBe(CancelKind.ScopeFailed);
        all.IsEnded.ShouldBeFalse("the rest is still cleaning up");
        cleanUp.Open();
        world.Run();
        all.Exception.ShouldBeOfType<FormatException>();
        (slow.State, failing.State).ShouldBe((TaskState.Canceled, TaskState.Failed));
        scope.CancelCause.ShouldBeNull("the failure is an outcome, the scope is not concerned");
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_several_failures_come_together_in_the_order_in_which_they_came()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        _ = collector.Add(Future.FromException<int>(new FormatException("one")));
        _ = collector.Add(Future.FromException<int>(new NotSupportedException("two")));
        TaskScopeException error = world.Fails<TaskScopeException>(Ignore(collector.CollectAsync()));
        error.Scope.ShouldBe("prices");
        error.InnerExceptions.Select(inner => inner.Message).ShouldBe(["one", "two"]);
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_a_task_that_somebody_canceled_ends_the_collection_as_a_cancellation()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        ManagedTask<int> canceled = collector.Add(NeverAsync);
        ManagedTask<int> rest = collector.Add(NeverAsync);
        ManagedTask<IReadOnlyList<int>> all = world.Runtime.SpawnDetached(collector.CollectAsync());
        world.Run();
        canceled.Cancel("not wanted");
        world.Run();
        all.State.ShouldBe(TaskState.Failed, "the collecting task itself was asked by nobody");
        all.Exception.ShouldBeOfType<ManagedTaskCanceledException>().Cause.Reason.ShouldBe("not wanted");
        rest.State.ShouldBe(TaskState.Canceled);
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_a_partial_collection_tells_results_errors_and_unfinished_by_their_index_at_the_deadline()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        _ = collector.Add(NeverAsync);
        _ = collector.Add(async _ => await Future.FromResult(11));
        _ = collector.Add(Future.FromException<int>(new FormatException("as planned")));
        _ = collector.Add(async _ =>
        {
            await Future.Delay(TimeSpan.FromSeconds(1));
            return 33;
        });
        ManagedTask<PartialResults<int>> partial = world.Runtime.SpawnDetached(collector.CollectPartialAsync(within: TimeSpan.FromSeconds(2)));
        Pass(world, seconds: 1);
        partial.IsEnded.ShouldBeFalse();
        Pass(world, seconds: 1);
        PartialResults<int> some = partial.Result;
        some.Results.ShouldBe([(1, 11), (3, 33)]);
        some.Errors.Select(error => (error.Index, error.Error.Message)).ShouldBe([(2, "as planned")]);
        some.Unfinished.ShouldBe([0]);
        some.Outcomes.Select(outcome => outcome.Index).ShouldBe([0, 1, 2, 3]);
        some.Outcomes[0].Task.CancelCause!.Kind.ShouldBe(CancelKind.NoLongerNeeded);
        (some.InTime, some.IsComplete).ShouldBe((false, false));
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_outcomes_come_as_they_complete_with_the_index_of_their_adding()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        for (int i = 0; i < 3; i++)
        {
            _ = collector.Add(i, static async (number, _) =>
            {
                await Future.Delay(TimeSpan.FromSeconds(3 - number));
                return number == 1 ? throw new FormatException("as planned") : number;
            });
        }

        var seen = new List<(int, TaskState)>();
        ManagedTask reader = world.Runtime.SpawnDetached(async _ =>
        {
            await foreach (TaskOutcome<int> outcome in collector.AsCompleted())
            {
                seen.Add((outcome.Index, outcome.State));
                if (outcome.Index == 2)
                {
                    ManagedTask added = collector.Add(Future.FromResult(9)); // more may come while it goes on
                    added.State.ShouldBe(TaskState.Ready);
                }
            }
        });
        Pass(world, seconds: 1);
        seen.ShouldBe([(2, TaskState.Completed), (3, TaskState.Completed)]);
        Pass(world, seconds: 2);
        seen.ShouldBe([(2, TaskState.Completed), (3, TaskState.Completed), (1, TaskState.Failed), (0, TaskState.Completed)]);
        reader.State.ShouldBe(TaskState.Completed);
        world.Run(collector.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_the_first_to_complete_wins_failures_before_it_do_not_count_and_the_rest_is_canceled_and_awaited()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        _ = collector.Add(Future.FromException<int>(new FormatException("lost")));
        ManagedTask<int> rest = collector.Add(NeverAsync);
        _ = collector.Add(Future.FromResult(5));
        world.Run(collector.CollectFirstAsync()).ShouldBe(5);
        rest.State.ShouldBe(TaskState.Canceled);
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_the_first_of_none_and_the_first_of_failures_only_throw()
    {
        (World world, TaskScope scope, TaskCollector<int> none) = Make();
        world.Fails<InvalidOperationException>(Ignore(none.CollectFirstAsync())).Message.ShouldContain("'prices'");
        var failures = new TaskCollector<int>(scope, "failures");
        _ = failures.Add(Future.FromException<int>(new FormatException("one")));
        _ = failures.Add(Future.FromException<int>(new FormatException("two")));
        world.Fails<TaskScopeException>(Ignore(failures.CollectFirstAsync())).InnerExceptions.Count.ShouldBe(2);
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_outcomes_that_were_given_out_one_by_one_are_not_given_again_as_a_collection()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        _ = collector.Add(Future.FromException<int>(new FormatException("seen")));
        world.Run(ReadAllAsync(collector)).ShouldBe(1);

        // A silent answer would be a list of defaults, without the failure.
        world.Fails<InvalidOperationException>(Ignore(collector.CollectAsync())).Message.ShouldContain("'prices'");
        world.Run(collector.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_a_collection_of_the_first_that_is_canceled_tells_of_that_and_not_of_members_that_were_canceled_before()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        ManagedTask<int> member = collector.Add(NeverAsync);
        _ = collector.Add(NeverAsync);
        TaskId told = default;
        ManagedTask collecting = world.Start(async _ =>
        {
            try
            {
                await collector.CollectFirstAsync();
            }
            catch (ManagedTaskCanceledException canceled)
            {
                told = canceled.Task;
                throw;
            }
        });
        member.Cancel();
        world.Run();
        collecting.IsEnded.ShouldBeFalse("another may still complete");
        collecting.Cancel();
        world.Run();
        (collecting.State, told).ShouldBe((TaskState.Canceled, collecting.Id));
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void C9_what_is_added_to_a_collector_of_a_canceled_scope_never_runs()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("canceled");
        scope.Cancel("enough");
        var collector = new TaskCollector<int>(scope);
        bool ran = false;
        ManagedTask<int> member = collector.Add(async _ =>
        {
            ran = true;
            return await Future.FromResult(1);
        });
        world.Run();
        (member.State, member.CancelCause?.Reason, ran).ShouldBe((TaskState.Canceled, "enough", false));
        world.Run(collector.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    internal static async Future Ignore<T>(Future<T> future) => await future;

    internal static async Future<int> NeverAsync(CancellationToken token)
    {
        await Future.Delay(Timeout.InfiniteTimeSpan);
        return 0;
    }

    internal static async Future<int> ReadAllAsync(TaskCollector<int> collector)
    {
        int count = 0;
        await foreach (TaskOutcome<int> outcome in collector.AsCompleted())
        {
            count += outcome.Task.IsEnded ? 1 : 0;
        }

        return count;
    }

    private static (World World, TaskScope Scope, TaskCollector<int> Collector) Make()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("shop");
        return (world, scope, new TaskCollector<int>(scope, "prices"));
    }

    private static void Pass(World world, int seconds)
    {
        world.Run();
        world.Time.Advance(TimeSpan.FromSeconds(seconds));
        world.Run();
    }
}
