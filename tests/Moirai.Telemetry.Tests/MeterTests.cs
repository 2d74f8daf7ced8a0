using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace Moirai.Telemetry.Tests;

/// <summary>Issue 7: the meter says what the census says, and how long lives were.</summary>
[Trait("Issue", "7")]
public sealed class MeterTests
{
    [Fact]
    public void Tasks_are_counted_created_live_by_state_and_ended_by_outcome()
    {
        using var world = new World(nameof(Tasks_are_counted_created_live_by_state_and_ended_by_outcome));
        using var book = new MeterBook(world.Runtime.Name);
        world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "good");
        _ = world.Runtime.SpawnDetached(static Future (_) => throw new InvalidOperationException("bad"), "bad").Exception;
        ManagedTask canceled = world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)), "late");
        world.Run();
        canceled.Cancel();
        world.Run();
        world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)), "sleeper");
        world.Run();
        world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "new");

        book.Of("moirai.task.created").ShouldBe(["5"]);
        book.Of("moirai.task.ended").ShouldBe(["1 task.outcome=completed", "1 task.outcome=failed", "1 task.outcome=canceled"]);
        book.Of("moirai.task.live").ShouldBe(["1 task.state=ready", "1 task.state=blocked"]);
    }

    [Fact]
    public void A_pool_shows_its_slots_and_who_waits_and_how_its_tasks_ended()
    {
        using var world = new World(nameof(A_pool_shows_its_slots_and_who_waits_and_how_its_tasks_ended));
        using var book = new MeterBook(world.Runtime.Name);
        TaskPool pool = world.Runtime.CreatePool("db", 2);
        world.Runtime.SpawnDetached(
            async _ =>
            {
                for (int i = 0; i < 4; i++)
                {
                    await pool.SpawnAsync(async _ => await Future.Delay(TimeSpan.FromSeconds(1)), "query");
                }
            },
            "spawner");
        world.Run();

        book.Of("moirai.pool.slot.limit").ShouldBe(["2 pool.name=db"]);
        book.Of("moirai.pool.slot.in_use").ShouldBe(["2 pool.name=db"]);
        book.Of("moirai.pool.slot.waiting").ShouldBe(["1 pool.name=db"]);
        book.Of("moirai.scope.open").ShouldBe(["1"]);
        world.Advance(1);
        world.Advance(1);
        book.Of("moirai.pool.task.ended").ShouldBe(["4 pool.name=db task.outcome=completed"]);
        book.Of("moirai.pool.slot.in_use").ShouldBeEmpty();
    }

    [Fact]
    public void The_timer_queue_shows_depth_lag_and_what_is_overdue_A5()
    {
        using var world = new World(nameof(The_timer_queue_shows_depth_lag_and_what_is_overdue_A5));
        using var book = new MeterBook(world.Runtime.Name);
        world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromSeconds(5)));
        world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromSeconds(9)));
        world.Run();

        book.Of("moirai.timer.depth").ShouldBe(["2"]);
        book.Of("moirai.timer.overdue").ShouldBeEmpty();
        world.Advance(5);
        book.Of("moirai.timer.depth").ShouldBe(["1"]);
        book.Of("moirai.timer.fired").ShouldBe(["1"]);
        book.Of("moirai.timer.lag").ShouldBeEmpty();
    }

    [Fact]
    public void Whole_lives_are_measured_by_name_pool_and_outcome_at_any_level_of_accounting()
    {
        using var world = new World(nameof(Whole_lives_are_measured_by_name_pool_and_outcome_at_any_level_of_accounting));
        using var book = new MeterBook(world.Runtime.Name);
        TaskPool pool = world.Runtime.CreatePool("db", 2);
        pool.TrySpawn(static async _ => await Future.Delay(TimeSpan.FromSeconds(2)), out ManagedTask? query, "query").ShouldBeTrue();
        ManagedTask stopped = world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromSeconds(9)), "stopped");
        var promise = new TaskCompletionSource();
        world.Runtime.SpawnDetached(PlainAsync, "plain");
        world.Run();
        world.Advance(0.5);
        stopped.Cancel();
        promise.SetResult();
        world.Run();
        world.Advance(1.5);

        book.Of("moirai.task.duration").ShouldBe(
            ["0.5 task.name=stopped task.outcome=canceled", "0.5 task.name=plain task.outcome=completed", "2 pool.name=db task.name=query task.outcome=completed"],
            ignoreOrder: true);

        async Task PlainAsync(CancellationToken cancellationToken) => await promise.Task;
    }

    [Fact]
    public void Busy_ready_and_blocked_times_are_measured_where_accounts_are_exact()
    {
        using var world = new World(nameof(Busy_ready_and_blocked_times_are_measured_where_accounts_are_exact), static options => options.Accounting = AccountingLevel.Exact);
        using var book = new MeterBook(world.Runtime.Name);
        world.Runtime.SpawnDetached(
            async _ =>
            {
                world.Time.Advance(TimeSpan.FromSeconds(3)); // what it computes takes so long
                await Future.Delay(TimeSpan.FromSeconds(5));
            },
            "worker");
        world.Time.Advance(TimeSpan.FromSeconds(1));
        world.Run();
        world.Advance(5);

        IReadOnlyList<Measured> all = book.Collect();
        Times(all, "moirai.task.ready.duration").ShouldBe([1]);
        Times(all, "moirai.task.busy.duration").ShouldBe([3]);
        Times(all, "moirai.task.blocked.duration").ShouldBe([5]);
        Times(all, "moirai.task.duration").ShouldBe([9]);

        static double[] Times(IReadOnlyList<Measured> all, string name) => [.. all.Where(one => one.Name == name).Select(static one => one.Value)];
    }

    [Fact]
    public void Of_tasks_that_are_spawned_faster_than_a_thousand_a_second_one_in_sixty_one_is_measured()
    {
        using var world = new World(nameof(Of_tasks_that_are_spawned_faster_than_a_thousand_a_second_one_in_sixty_one_is_measured));
        using var book = new MeterBook(world.Runtime.Name);
        OwnThread.Run(() =>
        {
            for (int i = 0; i < 17_000; i++)
            {
                _ = world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "short");
                world.Run();
            }
        });

        IReadOnlyList<Measured> all = book.Collect();
        int measured = all.Count(static one => one.Name == "moirai.task.duration");
        measured.ShouldBeInRange(1_000 + (16_000 / 61), 17_000 / 2); // a slow machine takes several seconds, each with its thousand
        all.ShouldContain(static one => one.Name == "moirai.task.created" && one.Value == 17_000);
    }

    [Fact]
    public void What_is_named_without_end_is_told_as_other()
    {
        var book = new NameBook(3);
        string[] told = [.. Enumerable.Range(0, 5).Select(i => book.Of($"order {i}"))];

        told.ShouldBe(["order 0", "order 1", "order 2", "other", "other"]);
        book.Of("order 1").ShouldBe("order 1");
        book.Of("order 4").ShouldBe("other");
        MoiraiMeter.MostTaskNames.ShouldBe(200);
    }

    [Fact]
    public void Alarms_are_counted_when_they_are_raised_and_shown_while_they_are_there()
    {
        using var world = new World(nameof(Alarms_are_counted_when_they_are_raised_and_shown_while_they_are_there), static options => options.Alarms = new AlarmLimits { Blocked = TimeSpan.FromSeconds(10) });
        using var book = new MeterBook(world.Runtime.Name);
        world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromSeconds(60)), "waiter");
        world.Run();
        Pass(world, 20);

        IReadOnlyList<Measured> all = book.Collect();
        all.ShouldContain(new Measured("moirai.alarm.raised", 1, "alarm.kind=blocked_too_long"));
        all.ShouldContain(new Measured("moirai.alarm.open", 1, "alarm.kind=blocked_too_long"));
        all.ShouldContain(new Measured("moirai.runtime.events", 1, "event.kind=alarm"));
        Pass(world, 60);
        all = book.Collect();
        all.ShouldContain(new Measured("moirai.alarm.open", 0, "alarm.kind=blocked_too_long"));
        all.ShouldContain(new Measured("moirai.runtime.events", 1, "event.kind=alarm_cleared"));
    }

    [Fact]
    public void Deadlocks_are_counted()
    {
        using var world = new World(nameof(Deadlocks_are_counted));
        using var book = new MeterBook(world.Runtime.Name);
        var one = new AsyncMutex("one");
        var two = new AsyncMutex("two");
        ManagedTask[] both = [world.Runtime.SpawnDetached(_ => TakeAsync(one, two)), world.Runtime.SpawnDetached(_ => TakeAsync(two, one))];
        world.Run();

        book.Of("moirai.deadlock.found").ShouldBe(["1"]);
        both.Count(static task => task.Exception is DeadlockException).ShouldBe(1);

        static async Future TakeAsync(AsyncMutex first, AsyncMutex second)
        {
            using (await first.LockAsync())
            {
                await Future.Yield();
                using (await second.LockAsync())
                {
                }
            }
        }
    }

    [Fact]
    public async Task Leaks_are_counted_found_and_healed()
    {
        using var book = new MeterBook("leaky");
        await using var runtime = new TaskRuntime(new() { Name = "leaky" });
        Lose(runtime);
        while (runtime.TakeSnapshot().Tasks is not [{ State: TaskState.Blocked }])
        {
            await Task.Yield();
        }

        (await runtime.FindLeaksAsync()).Leaks.ShouldHaveSingleItem();

        IReadOnlyList<Measured> all = book.Collect();
        all.ShouldContain(new Measured("moirai.leak.found", 1, ""));
        all.ShouldContain(new Measured("moirai.leak.healed", 1, ""));
    }

    [Fact]
    public async Task A_leak_that_is_found_again_and_again_and_then_healed_is_one()
    {
        using var book = new MeterBook("leaky again");
        await using var runtime = new TaskRuntime(new() { Name = "leaky again" });
        Lose(runtime);
        while (runtime.TakeSnapshot().Tasks is not [{ State: TaskState.Blocked }])
        {
            await Task.Yield();
        }

        foreach (LeakPolicy policy in new[] { LeakPolicy.Report, LeakPolicy.Report, LeakPolicy.Heal })
        {
            (await runtime.FindLeaksAsync(policy)).Leaks.ShouldHaveSingleItem();
        }

        IReadOnlyList<Measured> all = book.Collect();
        all.Where(static one => one.Name == "moirai.leak.found").Sum(static one => one.Value).ShouldBe(1);
        all.Where(static one => one.Name == "moirai.leak.healed").Sum(static one => one.Value).ShouldBe(1);
    }

    [Fact]
    public void Runtimes_of_one_name_are_told_as_one()
    {
        using var one = new World("twins");
        using var two = new World("twins");
        using var book = new MeterBook("twins");
        one.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)));
        two.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)));
        one.Run();
        two.Run();

        book.Of("moirai.task.live").ShouldBe(["2 task.state=blocked"]);
    }

    [Fact]
    public void A_listener_that_throws_harms_no_task()
    {
        using var faults = new Faults();
        using var world = new World(nameof(A_listener_that_throws_harms_no_task));
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Name == "moirai.task.duration")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        int asked = 0;
        listener.SetMeasurementEventCallback<double>((_, _, _, _) =>
        {
            asked++;
            throw new InvalidOperationException("a fault of the listener");
        });
        listener.Start();
        ManagedTask task = world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "victim");
        world.Run();

        asked.ShouldBe(1);
        task.State.ShouldBe(TaskState.Completed);
        world.Runtime.TakeCensus().IsEmpty.ShouldBeTrue();
        faults.Told.ShouldHaveSingleItem().ShouldContain("a fault of the listener");
    }

    private static void Pass(World world, int seconds)
    {
        for (int i = 0; i < seconds; i++)
        {
            world.Advance(1);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose(TaskRuntime runtime) => _ = runtime.SpawnDetached(static _ => new TaskCompletionSource().Task, "lost");
}
