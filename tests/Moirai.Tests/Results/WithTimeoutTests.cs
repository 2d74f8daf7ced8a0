using System.Diagnostics.Tracing;

namespace Moirai.Tests.Results;

/// <summary>Row C6: a timeout on anything awaitable, with a typed error that says what timed out and what it was waiting for, and an event.</summary>
public sealed class WithTimeoutTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void C6_a_future_in_time_gives_its_value_and_tells_nobody()
    {
        var world = new World();
        ManagedTask<int> task = world.Spawn(static async ct => await ValueAfterAsync(Second, 42).WithTimeout(2 * Second));
        world.Run();
        world.Advance(1);
        task.Result.ShouldBe(42);
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_a_future_of_nothing_that_is_late_names_itself_and_its_wait() =>
        TimesOut(static _ => WaitForGateAsync(new Gate()).WithTimeout(Second), "WaitForGateAsync", "a polled operation");

    [Fact]
    public void C6_a_future_of_a_value_that_is_late_names_itself_and_its_wait() =>
        TimesOut(static _ => ValueAfterAsync(TimeSpan.FromHours(1), 1).WithTimeout(Second), "ValueAfterAsync", "time");

    [Fact]
    public void C6_a_Task_that_is_late_is_waited_for_no_longer() =>
        TimesOut(static _ => new TaskCompletionSource().Task.WithTimeout(Second), "", "a foreign task");

    [Fact]
    public void C6_a_Task_of_a_value_that_is_late_is_waited_for_no_longer() =>
        TimesOut(static _ => new TaskCompletionSource<int>().Task.WithTimeout(Second), "", "a foreign task");

    [Fact]
    public void C6_a_ValueTask_that_is_late_is_waited_for_no_longer() =>
        TimesOut(static _ => new ValueTask(new TaskCompletionSource().Task).WithTimeout(Second), "", "a foreign task");

    [Fact]
    public void C6_a_ValueTask_of_a_value_that_is_late_is_waited_for_no_longer() =>
        TimesOut(static _ => new ValueTask<int>(new TaskCompletionSource<int>().Task).WithTimeout(Second), "", "a foreign task");

    [Fact]
    public void C6_a_delay_that_is_longer_than_its_timeout_ends_with_it() =>
        TimesOut(static _ => Future.Delay(TimeSpan.FromHours(1)).WithTimeout(Second), "", "time");

    [Fact]
    public void C6_twin_a_timeout_that_leaves_the_work_running_is_caught() => Twin.IsCaught(
        // The usual race: whoever loses it runs on.
        static () => TimesOut(static world => world.Runtime.SpawnDetached(Future.Delay(TimeSpan.FromHours(1)).AsFuture()).WithTimeout(Second), "", "the end of"),
        "live 1");

    [Fact]
    public void C6_twin_a_timeout_that_leaves_its_timer_is_caught() => Twin.IsCaught(
        static () => TimesOut(
            static world =>
            {
                var entry = new Timers.TestWait();
                world.Runtime.Engine.Timers.Arm(entry, long.MaxValue, entry.Park());
                return Future.Delay(TimeSpan.FromHours(1)).WithTimeout(Second);
            },
            "",
            "time"),
        "timers 1");

    [Fact]
    public void C6_a_managed_task_that_is_late_runs_on_and_only_the_wait_ends()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask slow = world.Start(async ct => await gate.WaitAsync(), "slow");
        ManagedTask<int> slowValue = world.Spawn(
            async ct =>
            {
                await gate.WaitAsync();
                return 7;
            },
            "slow value");
        world.Run();

        ShouldTimeOut(world, _ => slow.WithTimeout(Second), "", $"the end of {slow.Id} 'slow'");
        ShouldTimeOut(world, _ => slowValue.WithTimeout(Second), "", $"the end of {slowValue.Id} 'slow value'");

        slow.State.ShouldBe(TaskState.Blocked);
        gate.Open();
        world.Run();
        slow.State.ShouldBe(TaskState.Completed);
        slowValue.Result.ShouldBe(7);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_a_spawn_into_a_full_pool_that_is_late_names_the_pool_and_takes_no_slot() =>
        LateSpawnTakesNoSlot("a slot of 'requests' (1 of 1 in use)", static (_, spawn) => spawn.WithTimeout(Second), static (_, spawn) => spawn.WithTimeout(Second));

    [Fact]
    public void C6_twin_a_late_spawn_that_stays_in_line_is_caught() => Twin.IsCaught(
        static () => LateSpawnTakesNoSlot(
            "the end of",
            static (world, spawn) => world.Runtime.SpawnDetached(spawn.AsFuture()).WithTimeout(Second),
            static (world, spawn) => world.Runtime.SpawnDetached(spawn.AsFuture()).WithTimeout(Second)),
        "it stands in line still");

    private static void LateSpawnTakesNoSlot(
        string waitingFor, Func<World, PoolSpawn, Future<ManagedTask>> timed, Func<World, PoolSpawn<int>, Future<ManagedTask<int>>> timedValue)
    {
        var world = new World();
        var gate = new Gate();
        TaskPool pool = world.Runtime.CreatePool("requests", 1);
        pool.TrySpawn(async ct => await gate.WaitAsync(), out _).ShouldBeTrue();
        bool ran = false;

        ShouldTimeOut(world, _ => timed(world, pool.SpawnAsync(Body)), "", waitingFor);
        ShouldTimeOut(world, _ => timedValue(world, pool.SpawnAsync(ValueBody)), "", waitingFor);

        pool.WaitingCount.ShouldBe(0, "it stands in line still");
        pool.ActiveCount.ShouldBe(1);
        gate.Open();
        world.Run();
        pool.ActiveCount.ShouldBe(0);
        ran.ShouldBeFalse();
        _ = world.Start(async ct => await pool.DisposeAsync());
        world.ShouldBeEmpty();

        Future Body(CancellationToken ct) => Ran();
        async Future<int> ValueBody(CancellationToken ct)
        {
            await Ran();
            return 1;
        }

        async Future Ran()
        {
            await Future.Yield();
            ran = true;
        }
    }

    [Fact]
    public void C6_foreign_code_that_heeds_the_current_token_ends_as_a_timeout() => TimesOut(
        static async _ => await ForeignAsync().WithTimeout(Second),
        "ForeignAsync",
        "a foreign awaitable");

    [Fact]
    public void C6_foreign_code_under_a_shield_of_a_canceled_task_ends_as_a_timeout_all_the_same()
    {
        var world = new World();
        var gate = new Gate();
        Exception? seen = null;
        ManagedTask task = world.Start(async ct =>
        {
            try
            {
                await gate.WaitAsync();
            }
            finally
            {
                using CancelShield shield = ManagedTask.Shield();
                try
                {
                    await ForeignAsync().WithTimeout(Second);
                }
                catch (Exception error)
                {
                    seen = error;
                }
            }
        });
        task.Cancel();
        world.Run();
        world.Advance(1);

        seen.ShouldBeOfType<TaskTimeoutException>();
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_clean_up_inside_runs_before_the_timeout_is_thrown()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct =>
        {
            try
            {
                await CleansUpAsync(world).WithTimeout(Second);
            }
            catch (TaskTimeoutException error)
            {
                error.InnerException.ShouldBeOfType<ManagedTaskCanceledException>().Cause.Kind.ShouldBe(CancelKind.TimedOut);
                world.Log("timeout");
            }
        });
        world.Advance(1);
        world.Trace.ShouldBe(["clean-up begins"]);
        world.Advance(1);
        world.Trace.ShouldBe(["clean-up begins", "clean-up ends", "timeout"]);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_the_event_reaches_the_event_source_Moirai_too()
    {
        using var listener = new Listener();
        var world = new World();
        string name = $"timed {Guid.NewGuid()}";
        ManagedTask task = world.Spawn(static async ct => await Future.Delay(TimeSpan.FromHours(1)).WithTimeout(Second), name);
        world.Run();
        world.Advance(1);

        EventWrittenEventArgs written = listener.Seen.Where(e => e.EventId == 1 && e.Payload![2] is string text && text.Contains(name, StringComparison.Ordinal))
            .First(e => (long)e.Payload![0]! == (long)RuntimeEventKind.TimedOut);
        written.Level.ShouldBe(EventLevel.Warning);
        written.Payload![1].ShouldBe(task.Id.Value);
        task.State.ShouldBe(TaskState.Failed);
    }

    [Fact]
    public void C6_a_watcher_that_throws_does_not_reach_the_task()
    {
        var world = new World(options => options.OnEvent = static _ => throw new InvalidOperationException("watcher"));
        ManagedTask task = world.Start(static async ct => await Future.Delay(TimeSpan.FromHours(1)).WithTimeout(Second));
        world.Advance(1);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task C6_plain_code_may_await_a_timed_future()
    {
        TaskTimeoutException error = await Should.ThrowAsync<TaskTimeoutException>(async () =>
            await Future.Delay(Timeout.InfiniteTimeSpan).WithTimeout(TimeSpan.FromMilliseconds(1)));
        error.Within.ShouldBe(TimeSpan.FromMilliseconds(1));
        (await ValueAfterAsync(TimeSpan.Zero, 3).WithTimeout(TimeSpan.FromHours(1))).ShouldBe(3);
    }

    private static void TimesOut(Func<World, Future> body, string operation, string waitingFor)
    {
        var world = new World();
        ShouldTimeOut(world, _ => body(world), operation, waitingFor);
        world.ShouldBeEmpty();
    }

    private static void ShouldTimeOut(World world, Func<CancellationToken, Future> body, string operation, string waitingFor)
    {
        int before = world.Events.Length;
        TaskTimeoutException? seen = null;
        ManagedTask task = world.Start(
            async ct =>
            {
                seen = await Should_throw(body(ct));
            },
            "timed");
        world.Advance(0.999);
        seen.ShouldBeNull();
        world.Advance(0.001);

        seen.ShouldNotBeNull();
        seen.Within.ShouldBe(Second);
        seen.Task.ShouldBe(task.Id);
        seen.Operation.ShouldContain(operation);
        seen.Operation.ShouldContain($"{task.Id} 'timed'");
        seen.WaitingFor.ShouldContain(waitingFor);
        seen.Message.ShouldContain(seen.WaitingFor);
        RuntimeEvent told = world.Events[before..].ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.TimedOut);
        told.Task.ShouldBe(task.Id);
        told.Message.ShouldBe(seen.Message);
        told.Error.ShouldBeSameAs(seen);
    }

    private static async Future<TaskTimeoutException?> Should_throw(Future timed)
    {
        try
        {
            await timed;
            return null;
        }
        catch (TaskTimeoutException error)
        {
            return error;
        }
    }

    private static async Future<int> ValueAfterAsync(TimeSpan delay, int value)
    {
        await Future.Delay(delay);
        return value;
    }

    private static async Future WaitForGateAsync(Gate gate) => await gate.WaitAsync();

    private static async Future ForeignAsync()
    {
        var never = new TaskCompletionSource();
        CancellationToken token = ManagedTask.CurrentToken;
        await using CancellationTokenRegistration end = token.UnsafeRegister(_ => never.SetCanceled(token), null);
        await never.Task.ConfigureAwait(false);
    }

    private static async Future CleansUpAsync(World world)
    {
        try
        {
            await Future.Delay(TimeSpan.FromHours(1));
        }
        finally
        {
            using CancelShield shield = ManagedTask.Shield();
            world.Log("clean-up begins");
            await Future.Delay(Second);
            world.Log("clean-up ends");
        }
    }

    private sealed class Listener : EventListener
    {
        private readonly List<EventWrittenEventArgs> _seen = [];

        public EventWrittenEventArgs[] Seen
        {
            get
            {
                lock (_seen)
                {
                    return [.. _seen];
                }
            }
        }

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "Moirai")
            {
                EnableEvents(eventSource, EventLevel.Verbose);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            // May be called by the base constructor's thread before the field is there.
            if (_seen is { } seen)
            {
                lock (seen)
                {
                    seen.Add(eventData);
                }
            }
        }
    }
}
