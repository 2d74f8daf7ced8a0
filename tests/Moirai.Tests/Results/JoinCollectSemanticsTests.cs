using System.Runtime.CompilerServices;

namespace Moirai.Tests.Results;

/// <summary>The part "Join / collect" of docs/semantics/join-collect.md.</summary>
public sealed class JoinCollectSemanticsTests
{
    [Fact]
    public void S025_dispose_cancels_all_and_waits_and_releases_what_they_captured()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("set");
        var collector = new TaskCollector<int>(scope);
        WeakReference captured = Fill(collector, plant: null);
        world.Run();
        world.Run(collector.DisposeAsync());
        scope.LiveCount.ShouldBe(0);
        Garbage.ShouldBeGone(captured);
        collector.Count.ShouldBe(10);
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S025_twin_a_set_that_is_not_disposed_is_caught()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("set");
        var collector = new TaskCollector<int>(scope);
        var gate = new Gate();
        WeakReference captured = Fill(collector, plant: gate);
        world.Run();
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(captured));
        world.Run(collector.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S027_a_cancellation_takes_no_outcome_out_and_what_had_completed_keeps_its_value()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        _ = collector.Add(Future.FromResult(1));
        _ = collector.Add(TaskCollectorTests.NeverAsync);
        world.Run();
        scope.Cancel();
        collector.Count.ShouldBe(2);
        PartialResults<int> some = world.Run(collector.CollectPartialAsync());
        some.Results.ShouldBe([(0, 1)]);
        some.Unfinished.ShouldBe([1]);
        collector.Count.ShouldBe(2);
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S029_collecting_nothing_ends_at_once_and_a_drained_collector_may_be_filled_and_read_again()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        world.Run(TaskCollectorTests.ReadAllAsync(collector)).ShouldBe(0);
        _ = collector.Add(Future.FromResult(1));
        world.Run(TaskCollectorTests.ReadAllAsync(collector)).ShouldBe(1);
        world.Run(TaskCollectorTests.ReadAllAsync(collector)).ShouldBe(0);
        _ = collector.Add(Future.FromResult(2));
        world.Run(TaskCollectorTests.ReadAllAsync(collector)).ShouldBe(1);
        world.Run(collector.DisposeAsync());

        var empty = new TaskCollector<int>(scope, "empty");
        world.Run(empty.CollectPartialAsync(TimeSpan.FromSeconds(1))).Outcomes.ShouldBeEmpty();
        world.Fails<InvalidOperationException>(TaskCollectorTests.Ignore(empty.CollectAsync())).Message.ShouldContain("'empty' was collected already");
        Should.Throw<InvalidOperationException>(() => empty.Add(Future.FromResult(1))).Message.ShouldContain("'empty'");
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S031_results_come_in_spawn_order_even_if_they_completed_in_reverse()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        Gate[] gates = [.. Enumerable.Range(0, 10).Select(_ => new Gate())];
        for (int i = 0; i < gates.Length; i++)
        {
            _ = collector.Add((gates[i], i), static async (state, _) =>
            {
                await state.Item1.WaitAsync();
                return state.i;
            });
        }

        ManagedTask<IReadOnlyList<int>> all = world.Runtime.SpawnDetached(collector.CollectAsync());
        foreach (Gate gate in gates.Reverse())
        {
            world.Run();
            all.IsEnded.ShouldBeFalse();
            gate.Open();
        }

        world.Run();
        all.Result.ShouldBe(Enumerable.Range(0, 10));
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S037_joining_a_thousand_finished_tasks_loses_none()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        for (int i = 0; i < 1_000; i++)
        {
            _ = collector.Add(Future.FromResult(i));
        }

        world.Run();
        world.Run(TaskCollectorTests.ReadAllAsync(collector)).ShouldBe(1_000);
        world.Run(collector.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S039_S041_counts_stay_right_while_members_end_out_of_order_throw_and_new_ones_come()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        var late = new Gate();
        _ = collector.Add(async _ =>
        {
            await late.WaitAsync();
            return 0;
        });
        var seen = new List<int>();
        ManagedTask reader = world.Runtime.SpawnDetached(async _ =>
        {
            await foreach (TaskOutcome<int> outcome in collector.AsCompleted())
            {
                seen.Add(outcome.Index);
                collector.Count.ShouldBe(seen.Count == 1 ? 2 : 3);
            }
        });
        _ = collector.Add(Future.FromException<int>(new FormatException("as planned")));
        world.Run();
        _ = collector.Add(Future.FromResult(2));
        world.Run();
        scope.LiveCount.ShouldBe(0, "members live in the collector");
        late.Open();
        world.Run();
        seen.ShouldBe([1, 2, 0]);
        reader.State.ShouldBe(TaskState.Completed);
        world.Run(collector.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S043_awaiting_handles_throws_at_the_first_failure_and_the_rest_keeps_running()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("plain", ScopePolicy.Isolate);
        var gate = new Gate();
        ManagedTask failing = scope.Spawn(Future.FromException(new FormatException("first")));
        ManagedTask rest = scope.Spawn(gate.WaitAsync());
        world.Fails<FormatException>(BothAsync());
        rest.State.ShouldBe(TaskState.Blocked);
        gate.Open();
        world.Run();
        rest.State.ShouldBe(TaskState.Completed);
        world.CloseAndBeEmpty(scope);

        async Future BothAsync()
        {
            await failing;
            await rest;
        }
    }

    [Fact]
    public void S045_all_results_are_a_read_only_list_in_spawn_order_and_empty_for_none()
    {
        (World world, TaskScope scope, TaskCollector<int> collector) = Make();
        world.Run(collector.CollectAsync()).ShouldBeEmpty();
        typeof(TaskCollector<int>).GetMethod(nameof(TaskCollector<int>.CollectAsync))!.ReturnType.ShouldBe(typeof(Future<IReadOnlyList<int>>));
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S051_a_result_that_is_read_before_the_end_throws_on_any_thread_and_then_the_state_decides()
    {
        var world = new World();
        var gate = new Gate();
        TaskScope scope = world.Runtime.OpenScope("read", ScopePolicy.Isolate);
        ManagedTask<int> completes = scope.Spawn(GiveAsync(gate, fail: false));
        ManagedTask<int> fails = scope.Spawn(GiveAsync(gate, fail: true));
        ManagedTask<int> canceled = scope.Spawn(GiveAsync(gate, fail: false));
        world.Run();
        Parallel.ForEach([completes, fails, canceled], task =>
        {
            Should.Throw<InvalidOperationException>(() => task.Result).Message.ShouldContain($"{task.Id} 'GiveAsync' has not ended");
            task.Exception.ShouldBeNull();
        });
        canceled.Cancel();
        gate.Open();
        world.Run();
        completes.Result.ShouldBe(1);
        Should.Throw<FormatException>(() => fails.Result).ShouldBeSameAs(fails.Exception);
        Should.Throw<ManagedTaskCanceledException>(() => canceled.Result).Task.ShouldBe(canceled.Id);
        canceled.Exception.ShouldBeNull();
        world.CloseAndBeEmpty(scope);

        static async Future<int> GiveAsync(Gate gate, bool fail)
        {
            await gate.WaitAsync();
            return fail ? throw new FormatException("as planned") : 1;
        }
    }

    [Fact]
    public async Task S053_a_handle_that_many_await_wakes_each_of_them_once()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask<int> task = world.Runtime.SpawnDetached(async _ =>
        {
            await gate.WaitAsync();
            return 5;
        });
        int resumed = 0;
        ManagedTask[] waiters =
        [
            .. Enumerable.Range(0, 100).Select(_ => world.Runtime.SpawnDetached(async _ =>
            {
                int sum = await task + await task; // copies of the handle in one task
                Interlocked.Add(ref resumed, sum / 10);
            })),
        ];
        Task<int> plain = task.AsTask();
        world.Run();
        ManagedTask gone = waiters[50];
        gone.Cancel();
        world.Run();
        gate.Open();
        world.ShouldBeEmpty();
        resumed.ShouldBe(99);
        (await plain).ShouldBe(5);
        gone.State.ShouldBe(TaskState.Canceled);
    }

    private static (World World, TaskScope Scope, TaskCollector<int> Collector) Make()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("shop");
        return (world, scope, new TaskCollector<int>(scope, "prices"));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Fill(TaskCollector<int> collector, Gate? plant)
    {
        var captured = new object();
        for (int i = 0; i < 10; i++)
        {
            _ = collector.Add(async _ =>
            {
                await (plant?.WaitAsync() ?? Future.Delay(Timeout.InfiniteTimeSpan));
                return captured.GetHashCode();
            });
        }

        return new WeakReference(captured);
    }
}
