using Moirai.Lifecycle;
using Moirai.Testing;

namespace Moirai.Tests.Accounting;

/// <summary>What a task of futures has done with its time: by its own steps, to the tick of a clock that the test turns.</summary>
public sealed class FutureAccountTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    private readonly World _world = new(static options => options.Accounting = AccountingLevel.Exact);

    [Fact]
    public void C5_exact_the_life_of_a_task_is_busy_ready_or_blocked_to_the_tick()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(async Future (_) =>
        {
            _world.Time.Advance(s_second); // one second of work
            await Future.Delay(5 * s_second);
            _world.Time.Advance(2 * s_second);
        });
        _world.Time.Advance(3 * s_second); // nobody drives the executor
        task.TakeAccount().ShouldBe(new()
        {
            Level = AccountingLevel.Exact, State = TaskState.Ready, Polls = 0, Age = 3 * s_second, Busy = default(TimeSpan), Ready = 3 * s_second, Blocked = default(TimeSpan),
            CreatedAt = VirtualTimeProvider.DefaultStart, Threads = 0,
        });
        _world.Run();
        _world.Time.Advance(4 * s_second);
        TaskAccount waiting = task.TakeAccount();
        waiting.State.ShouldBe(TaskState.Blocked);
        waiting.Polls.ShouldBe(1);
        waiting.Busy.ShouldBe(s_second);
        waiting.Blocked.ShouldBe(4 * s_second);
        waiting.LastAwait.ShouldNotBeNull().ShouldBe("a timer due in 1 s");
        _world.Time.Advance(2 * s_second); // due after one of them, and nobody drives
        task.TakeAccount().Ready.ShouldBe(4 * s_second);
        task.TakeAccount().LastAwait.ShouldBe("a timer");
        _world.Run();
        TaskAccount ended = task.TakeAccount();
        _world.Time.Advance(100 * s_second);

        ended.ShouldBe(new()
        {
            Level = AccountingLevel.Exact, State = TaskState.Completed, Polls = 2, Age = 12 * s_second, Busy = 3 * s_second, Ready = 4 * s_second, Blocked = 5 * s_second,
            CreatedAt = VirtualTimeProvider.DefaultStart, Threads = 0, LastAwait = "a timer",
        });
        task.TakeAccount().ShouldBe(ended, "an end is final");
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_exact_a_running_task_is_asked_from_inside()
    {
        TaskAccount inside = default;
        ManagedTask task = _world.Runtime.SpawnDetached(async Future (_) =>
        {
            await Future.Yield();
            _world.Time.Advance(s_second);
            inside = ManagedTask.Current!.TakeAccount();
        });
        _world.Run();

        inside.State.ShouldBe(TaskState.Running);
        inside.Threads.ShouldBe(1);
        inside.Busy.ShouldBe(s_second);
        inside.Polls.ShouldBe(2);
        task.State.ShouldBe(TaskState.Completed);
    }

    [Theory]
    [InlineData(AccountingLevel.Polls)]
    [InlineData(AccountingLevel.Exact)]
    public void C5_polls_are_steps_and_awaits_that_end_at_once_are_none(AccountingLevel level)
    {
        World world = new(options => options.Accounting = level);
        ManagedTask task = world.Runtime.SpawnDetached(async Future (_) =>
        {
            await Future.Delay(TimeSpan.Zero);
            await NoneAsync();
            for (int i = 0; i < 10; i++)
            {
                await Future.Yield();
            }

            await Future.Delay(s_second);
        });
        world.Run();
        world.Time.Advance(s_second);
        world.Run();

        task.TakeAccount().Polls.ShouldBe(12);
        world.ShouldBeEmpty();

        static async Future NoneAsync() => await Task.CompletedTask;
    }

    [Fact]
    public void C5_polls_reads_no_clock_and_says_what_it_does_not_know()
    {
        World world = new(static options => options.Accounting = AccountingLevel.Polls);
        ManagedTask task = world.Runtime.SpawnDetached(async Future (_) => await Future.Delay(s_second));
        world.Run();

        task.TakeAccount().ShouldBe(new() { Level = AccountingLevel.Polls, State = TaskState.Blocked, Polls = 1, LastAwait = task.DescribeWait() });
        task.Cell.ShouldBeNull("a task of futures pays nothing");
        task.Cancel();
        world.Run();
        task.TakeAccount().ShouldBe(new() { Level = AccountingLevel.Polls, State = TaskState.Canceled, Polls = 2 });
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_none_knows_the_state_alone()
    {
        World world = new(static options => options.Accounting = AccountingLevel.None);
        ManagedTask task = world.Runtime.SpawnDetached(async Future (_) => await Future.Yield());
        world.Run();

        task.TakeAccount().ShouldBe(new() { Level = AccountingLevel.None, State = TaskState.Completed });
    }

    [Fact]
    public void C5_polls_go_on_beyond_the_ticket()
    {
        bool go = true;
        ManagedTask task = _world.Runtime.SpawnDetached(async Future (_) =>
        {
            while (go)
            {
                await Future.Yield();
            }
        });
        _world.Executor.RunOneStep();
        SetTicket(task, LifecycleWord.Tickets - 2);
        for (int i = 0; i < 5; i++)
        {
            _world.Executor.RunOneStep();
        }

        task.TakeAccount().Polls.ShouldBe(LifecycleWord.Tickets + 3);
        go = false;
        _world.Run();
        task.TakeAccount().Polls.ShouldBe(LifecycleWord.Tickets + 4, "the end keeps it");
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_a_task_that_was_canceled_before_it_began_has_no_polls()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(async Future (_) => await Future.Yield());
        task.Cancel();
        _world.Time.Advance(s_second);
        _world.Run();

        TaskAccount account = task.TakeAccount();
        account.State.ShouldBe(TaskState.Canceled);
        account.Polls.ShouldBe(0);
        account.Ready.ShouldBe(s_second);
    }

    [Fact]
    public void C5_a_task_that_drives_another_executor_is_not_busy_with_what_runs_there()
    {
        World inner = new(options =>
        {
            options.Accounting = AccountingLevel.Exact;
            options.TimeProvider = _world.Time;
        });
        ManagedTask there = inner.Runtime.SpawnDetached(async Future (_) =>
        {
            await Future.Yield();
            _world.Time.Advance(7 * s_second);
        });
        ManagedTask here = _world.Runtime.SpawnDetached(async Future (_) =>
        {
            _world.Time.Advance(s_second);
            inner.Run();
            _world.Time.Advance(s_second);
            await Future.Yield();
        });
        _world.Run();

        here.TakeAccount().Busy.ShouldBe(2 * s_second);
        here.TakeAccount().Blocked.ShouldBe(7 * s_second);
        there.TakeAccount().Busy.ShouldBe(7 * s_second);
    }

    // As if it had been taken up so often.
    private static void SetTicket(ManagedTask task, long starts)
    {
        while (task.Word.Starts != starts)
        {
            task.Word.Move(TaskEvent.Start);
            task.Word.Move(TaskEvent.Yield);
        }
    }
}
