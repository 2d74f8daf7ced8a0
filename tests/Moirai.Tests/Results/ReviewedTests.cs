using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Ground;

namespace Moirai.Tests.Results;

/// <summary>What a hostile review broke once.</summary>
public class ReviewedTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void A_future_that_is_timed_twice_is_refused_and_harms_nobody()
    {
        var world = new World();
        Future once = WorkAsync();
        Future first = once.WithTimeout(Second), second = once.WithTimeout(Second);
        world.Run(first);
        world.Fails<InvalidOperationException>(second).Message.ShouldContain("WorkAsync");
        Should.Throw<InvalidOperationException>(() => once.WithTimeout(Second)).Message.ShouldContain("WorkAsync");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_future_that_was_spawned_and_is_timed_stays_with_its_task()
    {
        var world = new World();
        Future shared = WorkAsync();
        Future timed = shared.WithTimeout(Second);
        ManagedTask first = world.Runtime.SpawnDetached(shared);
        ManagedTask second = world.Runtime.SpawnDetached(timed);
        Should.Throw<InvalidOperationException>(() => shared.WithTimeout(Second)).Message.ShouldContain(first.Id.ToString());
        world.Run();
        first.State.ShouldBe(TaskState.Completed);
        second.Exception.ShouldBeOfType<InvalidOperationException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_timed_future_that_never_ran_because_its_scope_was_canceled_cannot_run_later()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("canceled");
        scope.Cancel();
        Future future = WorkAsync();
        scope.Spawn(future.WithTimeout(Second)).State.ShouldBe(TaskState.Canceled);
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(future));
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void A_task_that_awaits_itself_is_told_at_the_await()
    {
        var world = new World();
        ManagedTask? self = null;
        bool cleaned = false;
        self = world.Spawn(async _ =>
        {
            try
            {
                await Future.Yield();
                await self!;
            }
            finally
            {
                cleaned = true;
            }
        });
        world.Run();
        self.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain("awaits its own end");
        cleaned.ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_that_goes_on_inside_a_tasks_step_may_await_that_task()
    {
        await using var runtime = new TaskRuntime();
        var reached = new TaskCompletionSource(); // its continuation runs inline, on the task's stack
        ManagedTask task = runtime.SpawnDetached(async _ =>
        {
            await Future.Yield();
            reached.SetResult();
        });
        await reached.Task;
        await task;
    }

    [Fact]
    public void A_poll_that_wakes_itself_lets_others_run_and_can_be_canceled()
    {
        var world = new World();
        ManagedTask polls = world.Spawn(async _ => await Future.FromPoll(static waker =>
        {
            waker.Wake();
            return false;
        }));
        world.Spawn(async _ =>
        {
            await Future.Yield();
            polls.Cancel("enough");
        });
        world.Run();
        polls.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_Foreign_code_that_heeds_no_token_has_timed_out_all_the_same_when_it_comes_back_late()
    {
        var world = new World();
        var foreign = new TaskCompletionSource<int>();
        ManagedTask<int> task = world.Spawn(async _ => await ForeignAsync(foreign.Task).WithTimeout(Second));
        world.Run();
        world.Advance(2);
        foreign.SetResult(1);
        world.Executor.RunUntil(task);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.Events.ShouldContain(static e => e.Kind == RuntimeEventKind.TimedOut);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_reader_of_outcomes_is_woken_when_an_addition_it_waits_for_is_refused()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("scope");
        var collector = new TaskCollector<int>(scope);
        TaskGroup group = GroupOf(collector);
        group.StopIntake();
        ManagedTask<int> reader = world.Spawn(async _ => await TaskCollectorTests.ReadAllAsync(collector));
        GateOf(group).Enter(); // the addition is counted, and held where it is about to be refused
        Exception? refused = null;
        var adder = new Thread(() => refused = Record.Exception(() => collector.Add(Future.FromResult(1))));
        adder.Start();
        var spinner = default(SpinWait);
        while (collector.Count == 0)
        {
            spinner.SpinOnce();
        }

        world.Run();
        reader.State.ShouldBe(TaskState.Blocked, "one was added, and it has not ended");
        GateOf(group).Exit();
        adder.Join();
        world.Run();

        refused.ShouldBeOfType<InvalidOperationException>();
        reader.Result.ShouldBe(0);
        collector.Count.ShouldBe(0);
        world.Run(collector.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_gate")]
    private static extern ref SpinGate GateOf(TaskGroup group);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_group")]
    private static extern ref readonly TaskGroup GroupOf(TaskCollector<int> collector);

    [Fact]
    public async Task A_stop_drives_a_local_executor_until_what_wakes_late_has_ended()
    {
        var executor = new LocalExecutor();
        var runtime = new TaskRuntime(new TaskRuntimeOptions { Executor = executor });
        var late = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ManagedTask task = runtime.SpawnDetached(async _ => await late.Task);
        executor.RunUntilStalled();

        Task<StopReport> stop = runtime.StopAsync(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        late.SetResult();
        StopReport report = await stop;

        report.IsComplete.ShouldBeTrue(report.ToString());
        task.State.ShouldBe(TaskState.Completed);
    }

    private static async Future WorkAsync() => await Future.Yield();

    private static async Future<int> ForeignAsync(Task<int> foreign) => await foreign;
}
