using Moirai.Testing;
using Moirai.Timers;

namespace Moirai.Tests.Timers;

/// <summary>A provider that cannot set a timer: whoever asked for the time is told at its await, nothing stays in the queue, and no place stays open.</summary>
public sealed class FailingProviderTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    public static TheoryData<string> Waits => ["delay", "timeout of a future", "timeout of a task", "timeout of what may be given up", "timed wait in a primitive", "scope with a deadline"];

    [Theory]
    [MemberData(nameof(Waits))]
    public void A1_a_wait_for_which_no_timer_can_be_set_is_told_so_and_leaves_nothing(string wait)
    {
        var clock = new FailingProvider { Fails = true };
        var world = new World(options => options.TimeProvider = clock);
        bool ran = false;
        var notify = new Notify("items");
        world.Fails<TimeZoneNotFoundException>(WaitAsync(wait)).Message.ShouldBe("no timers today");
        ran.ShouldBeFalse("it was to run in time, and there was no time");
        world.Census.OpenScopes.ShouldBe(0);
        notify.Waiting.ShouldBe(0);
        world.ShouldBeEmpty();

        clock.Fails = false;
        ManagedTask again = world.Runtime.SpawnDetached(WaitAsync(wait), "again");
        world.Run();
        clock.Time.Advance(s_second * 3);
        world.Run();
        again.IsEnded.ShouldBeTrue("once timers can be set, time goes on");
        world.Census.OpenScopes.ShouldBe(0);
        world.ShouldBeEmpty();

        Future WaitAsync(string what) => what switch
        {
            "delay" => Future.Delay(s_second),
            "timeout of a future" => RunAsync().WithTimeout(s_second),
            "timeout of a task" => new TaskCompletionSource().Task.WithTimeout(s_second),
            "timed wait in a primitive" => notify.WaitAsync().WithTimeout(s_second).AsFuture(),
            "timeout of what may be given up" => RunAsync().WithTimeout(s_second, s_second),
            _ => world.Runtime.RunScopeAsync("late", s_second, _ => RunAsync()),
        };

        async Future RunAsync()
        {
            ran = true;
            await Future.Delay(Timeout.InfiniteTimeSpan);
        }
    }

    [Fact]
    public void A3_once_the_timer_could_be_set_again_later_deadlines_set_it_no_more()
    {
        var clock = new FailingProvider { Fails = true };
        using var queue = new TimerQueue(clock);
        var first = new TestWait();
        Should.Throw<TimeZoneNotFoundException>(() => queue.Arm(first, s_second.Ticks, first.Park()));
        clock.Fails = false;
        var second = new TestWait();
        queue.Arm(second, 2 * s_second.Ticks, second.Park()).ShouldBeTrue();
        int sets = clock.Sets;
        sets.ShouldBePositive("who comes next sets it, though it was planned for an earlier time");
        var later = new TestWait();
        queue.Arm(later, 3 * s_second.Ticks, later.Park()).ShouldBeTrue();
        clock.Sets.ShouldBe(sets);
    }

    [Theory]
    [InlineData("a future")]
    [InlineData("a Task")]
    public void A1_a_scopes_end_whose_budget_cannot_be_timed_waits_without_a_limit_and_tells(string operation)
    {
        var clock = new FailingProvider();
        var world = new World(options => options.TimeProvider = clock);
        var slow = new TaskCompletionSource();
        ManagedTask task = world.Runtime.SpawnDetached(world.Runtime.RunScopeAsync("patient", async _ =>
        {
            try
            {
                await (operation == "a Task" ? slow.Task.WithTimeout(s_second).AsFuture() : DeafAsync().WithTimeout(s_second, TimeSpan.Zero));
            }
            catch (TaskTimeoutException)
            {
                clock.Fails = true;
            }
        }));
        world.Run();
        clock.Time.Advance(s_second);
        world.Run();
        clock.Fails.ShouldBeTrue();
        task.State.ShouldBe(TaskState.Blocked, "what was given up in it goes on");
        RuntimeEvent told = world.Events.Where(static e => e.Kind == RuntimeEventKind.UnobservedFailure).ShouldHaveSingleItem();
        told.Task.ShouldBe(task.Id);
        told.Message.ShouldContain("without a limit");
        told.Error.ShouldBeOfType<TimeZoneNotFoundException>();

        slow.SetResult();
        using var failsafe = new CancellationTokenSource(TimeSpan.FromSeconds(20), TimeProvider.System);
        world.Executor.RunUntil(task, failsafe.Token);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();

        async Future DeafAsync()
        {
            using (ManagedTask.Shield())
            {
                await slow.Task.ConfigureAwait(false);
            }
        }
    }

    [Theory]
    [InlineData("fails")]
    [InlineData("is gone")]
    public void A1_plain_code_for_whose_delay_no_timer_can_be_set_is_told_so_at_its_await_and_goes_on(string timer)
    {
        var clock = new FailingProvider { Fails = timer == "fails" };
        var world = new World(options => options.TimeProvider = clock);
        using var failsafe = new CancellationTokenSource(TimeSpan.FromSeconds(20), TimeProvider.System);
        string? told = null;
        ManagedTask task = world.Runtime.SpawnDetached(_ => PlainAsync());
        world.Executor.RunUntil(task, failsafe.Token);
        task.State.ShouldBe(TaskState.Completed);
        told.ShouldBe(timer == "fails" ? nameof(TimeZoneNotFoundException) : nameof(ObjectDisposedException));
        world.ShouldBeEmpty();

        async Task PlainAsync()
        {
            if (timer == "is gone")
            {
                world.Runtime.Engine.Timers.Dispose(); // as a stop does that was told of this task's end a moment too early
            }

            try
            {
                await Future.Delay(s_second);
            }
            catch (Exception error) when (error is TimeZoneNotFoundException or ObjectDisposedException)
            {
                told = error.GetType().Name;
            }

            await Future.Delay(TimeSpan.Zero);
        }
    }

    private sealed class FailingProvider : TimeProvider
    {
        public VirtualTimeProvider Time { get; } = new();

        public bool Fails { get; set; }

        public int Sets { get; private set; }

        public override long TimestampFrequency => Time.TimestampFrequency;

        public override long GetTimestamp() => Time.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => Time.GetUtcNow();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            Fails ? throw Failure() : new Timer(this, Time.CreateTimer(callback, state, dueTime, period));

        private static TimeZoneNotFoundException Failure() => new("no timers today");

        private sealed class Timer(FailingProvider provider, ITimer timer) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                provider.Sets++;
                return provider.Fails ? throw Failure() : timer.Change(dueTime, period);
            }

            public void Dispose() => timer.Dispose();

            public ValueTask DisposeAsync() => timer.DisposeAsync();
        }
    }
}
