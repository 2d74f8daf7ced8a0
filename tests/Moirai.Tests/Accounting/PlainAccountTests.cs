using Moirai.Testing;

namespace Moirai.Tests.Accounting;

/// <summary>The account of tasks whose bodies and callees are plain <c>async</c> code that knows nothing of Moirai. Gates are opened and time is turned by the test, so every figure is exact.</summary>
public sealed class PlainAccountTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    private readonly World _world = new(static options => options.Accounting = AccountingLevel.Exact);

    // Continuations run inline, on the thread of the test.
    private readonly TaskCompletionSource _first = new();
    private readonly TaskCompletionSource _second = new();

    private VirtualTimeProvider Time => _world.Time;

    [Fact]
    public void C5_exact_plain_bodies_and_their_callees_are_accounted_to_the_tick()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            Time.Advance(s_second);
            await CalleeAsync();
            Time.Advance(s_second);
        });
        _world.Run();
        Time.Advance(10 * s_second);
        task.TakeAccount().State.ShouldBe(TaskState.Blocked);
        task.TakeAccount().Polls.ShouldBe(1);
        _first.SetResult();
        task.TakeAccount().Busy.ShouldBe(3 * s_second);
        Time.Advance(20 * s_second);
        _second.SetResult();
        Time.Advance(5 * s_second); // the outcome waits for a thread
        _world.Run();

        TaskAccount account = task.TakeAccount();
        account.State.ShouldBe(TaskState.Completed);
        account.Polls.ShouldBe(3);
        account.Busy.ShouldBe(8 * s_second);
        account.Ready.ShouldBe(5 * s_second);
        account.Blocked.ShouldBe(30 * s_second);
        account.Age.ShouldBe(43 * s_second);
        account.Threads.ShouldBe(0);
        _world.ShouldBeEmpty();

        async ValueTask CalleeAsync()
        {
            await _first.Task.ConfigureAwait(false);
            Time.Advance(2 * s_second);
            await DeeperAsync().ConfigureAwait(false);
            Time.Advance(s_second);
        }

        async Task DeeperAsync()
        {
            await Task.CompletedTask; // ends at once: no poll
            await _second.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Time.Advance(3 * s_second);
        }
    }

    [Fact]
    public void C5_exact_plain_code_under_a_future_is_accounted_from_the_first_time_on()
    {
        TaskState inside = default;
        ManagedTask? self = null;
        ManagedTask task = self = _world.Runtime.SpawnDetached(async Future (_) =>
        {
            await Future.Yield();
            await OuterAsync();
        });
        _world.Run();
        Time.Advance(10 * s_second);
        _first.SetResult();
        _world.Run();

        inside.ShouldBe(TaskState.Running, "while the task itself waits for this code");
        TaskAccount account = task.TakeAccount();
        account.State.ShouldBe(TaskState.Completed);
        account.Polls.ShouldBe(4); // two steps, the plain code, and the step that goes on
        account.Busy.ShouldBe(2 * s_second);
        account.Blocked.ShouldBe(10 * s_second);
        _world.ShouldBeEmpty();

        async Future OuterAsync() => await PlainAsync();

        async Task PlainAsync()
        {
            await _first.Task.ConfigureAwait(false);
            Time.Advance(2 * s_second);
            inside = self!.TakeAccount().State;
        }
    }

    [Fact]
    public void C5_exact_a_timed_wait_for_plain_code_is_accounted_too()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(async Future (_) => await PlainAsync().WithTimeout(100 * s_second));
        _world.Run();
        Time.Advance(10 * s_second);
        _first.SetResult();
        _world.Run();

        task.TakeAccount().Busy.ShouldBe(2 * s_second);
        task.TakeAccount().Blocked.ShouldBe(10 * s_second);
        _world.ShouldBeEmpty();

        async Task PlainAsync()
        {
            await _first.Task;
            Time.Advance(2 * s_second);
        }
    }

    [Fact]
    public void C5_trap_code_of_another_task_that_resumes_inline_is_charged_to_that_task()
    {
        ManagedTask waiter = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            await _second.Task;
            Time.Advance(7 * s_second);
        });
        ManagedTask opener = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            await _first.Task;
            Time.Advance(s_second);
            _second.SetResult(); // the waiter goes on in here
            Time.Advance(s_second);
        });
        _world.Run();
        _first.SetResult();
        _world.Run();

        waiter.TakeAccount().Busy.ShouldBe(7 * s_second);
        waiter.TakeAccount().Polls.ShouldBe(2);
        opener.TakeAccount().Busy.ShouldBe(2 * s_second);
        opener.TakeAccount().Polls.ShouldBe(2, "a thread that comes back has not taken it up anew");
        opener.TakeAccount().Blocked.ShouldBe(7 * s_second);
        _world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)] // what is known of the stack is left as it was found
    public void C5_trap_a_branch_that_code_of_another_task_resumes_inline_is_a_poll_of_the_task_whose_branch_it_is(int times)
    {
        for (int i = 0; i < times; i++)
        {
            TaskCompletionSource first = new(), second = new(), third = new(), fourth = new();
            ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) => await Task.WhenAll(OpenAsync(first, second, 1), OpenAsync(third, fourth, 2)));
            ManagedTask other = _world.Runtime.SpawnDetached(async Task (_) => await Task.WhenAll(OpenAsync(second, third, 10), OpenAsync(fourth, null, 20)));
            _world.Run();
            first.SetResult(); // a branch of the task, in it one of the other, in it the second of the task, in it the second of the other; and all the way back
            _world.Run();

            task.TakeAccount().Polls.ShouldBe(3);
            other.TakeAccount().Polls.ShouldBe(3);
            task.TakeAccount().Busy.ShouldBe(2 * 3 * s_second);
            other.TakeAccount().Busy.ShouldBe(2 * 30 * s_second);
        }

        _world.ShouldBeEmpty();

        async Task OpenAsync(TaskCompletionSource mine, TaskCompletionSource? next, int seconds)
        {
            await mine.Task;
            Time.Advance(seconds * s_second);
            next?.SetResult();
            Time.Advance(seconds * s_second);
        }
    }

    [Fact]
    public void C5_a_thread_that_goes_from_one_task_to_another_looks_at_the_clock_once()
    {
        var clock = new CountedClock();
        World world = new(options =>
        {
            options.Accounting = AccountingLevel.Exact;
            options.TimeProvider = clock;
        });
        _ = world.Runtime.SpawnDetached(async Task (_) => await _second.Task);
        _ = world.Runtime.SpawnDetached(async Task (_) =>
        {
            await _first.Task;
            clock.Reads = 0;
            _second.SetResult(); // there and back
            clock.Seen = clock.Reads;
        });
        world.Run();
        _first.SetResult();
        world.Run();

        clock.Seen.ShouldBe(2, "there and back");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_trap_plain_code_that_resumes_inline_in_a_step_is_not_what_the_step_is_busy_with()
    {
        ManagedTask waiter = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            await _first.Task;
            Time.Advance(7 * s_second);
        });
        ManagedTask opener = _world.Runtime.SpawnDetached(async Future (_) =>
        {
            await Future.Yield();
            Time.Advance(s_second);
            _first.SetResult();
            Time.Advance(s_second);
        });
        _world.Run();

        waiter.TakeAccount().Busy.ShouldBe(7 * s_second);
        waiter.TakeAccount().Ready.ShouldBe(s_second); // its end waits until the step is over
        opener.TakeAccount().Busy.ShouldBe(2 * s_second);
        opener.TakeAccount().Polls.ShouldBe(2);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_trap_a_spawner_is_not_charged_for_its_children_and_they_not_for_it()
    {
        ManagedTask? child = null;
        ManagedTask parent = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            await _first.Task;
            child = _world.Runtime.SpawnDetached(async Task (_) =>
            {
                await _second.Task;
                Time.Advance(7 * s_second);
            });
            Time.Advance(s_second);
        });
        _world.Run();
        _first.SetResult();
        _world.Run();
        _second.SetResult();
        _world.Run();

        parent.TakeAccount().Polls.ShouldBe(2);
        parent.TakeAccount().Busy.ShouldBe(s_second);
        child!.TakeAccount().Polls.ShouldBe(2);
        child.TakeAccount().Busy.ShouldBe(7 * s_second);
        child.TakeAccount().Ready.ShouldBe(s_second);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_polls_counts_plain_code_without_a_clock()
    {
        World world = new(static options => options.Accounting = AccountingLevel.Polls);
        ManagedTask task = world.Runtime.SpawnDetached(async Task (_) =>
        {
            await _first.Task;
            await _second.Task;
        });
        world.Run();
        _first.SetResult();
        _second.SetResult();
        world.Run();

        task.TakeAccount().ShouldBe(new() { Level = AccountingLevel.Polls, State = TaskState.Completed, Polls = 3 });
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_polls_of_a_plain_body_that_never_waits_are_one()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(static Task (_) => Task.CompletedTask);
        _world.Run();

        task.TakeAccount().Polls.ShouldBe(1);
        task.TakeAccount().LastAwait.ShouldBeNull();
    }

    private sealed class CountedClock : TimeProvider
    {
        public int Reads { get; set; }

        public int Seen { get; set; }

        public override long GetTimestamp() => ++Reads;
    }
}
