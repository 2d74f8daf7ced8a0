using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Moirai.Hosting.Health;
using Moirai.Testing;

namespace Moirai.Hosting.Tests;

/// <summary>Asks for the health of a host.</summary>
internal static class Health
{
    internal static async Task<(string Status, string Story)> OfAsync(House house, string check)
    {
        HealthReport report = await house.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(one => one.Name == check);
        HealthReportEntry entry = report.Entries[check];
        return (entry.Status.ToString(), entry.Description!);
    }
}

/// <summary>Row C3, health checks: full pools, starvation, supervisors that gave up. Leaks are in <see cref="EventLogTests"/>.</summary>
public sealed class HealthTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    private static Task<House> OpenAsync(HealthStatus failure = HealthStatus.Degraded) => House.OpenAsync(services =>
    {
        services.AddMoirai().AddTaskPool("work", static pool => pool.MaxTasks = 1).AddTaskPool("idle", static pool => pool.MaxTasks = 1);
        services.AddHealthChecks().AddMoirai(failureStatus: failure);
    });

    [Fact]
    public async Task The_checks_have_the_tag_moirai()
    {
        await using House house = await OpenAsync();
        HealthReport report = await house.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(static check => check.Tags.Contains("moirai"));
        report.Entries.Keys.ShouldBe(["moirai-pools", "moirai-leaks", "moirai-deadlocks", "moirai-alarms", "moirai-starvation", "moirai-supervisors"]);
        report.Status.ShouldBe(HealthStatus.Healthy);
    }

    [Fact]
    public async Task A_pool_is_full_when_somebody_waits_and_stuck_when_nothing_moves_any_more()
    {
        await using House house = await OpenAsync(HealthStatus.Unhealthy);
        TaskPool pool = house.Pool("work");
        var (first, second) = (new TaskCompletionSource(), new TaskCompletionSource());
        pool.TrySpawn(_ => first.Task, out ManagedTask? _).ShouldBeTrue();
        (await Health.OfAsync(house, "moirai-pools")).ShouldBe(("Healthy", "No pool is full."), "a pool that is used is not ill");

        ManagedTask waiting = house.Runtime.SpawnDetached(async _ => await await pool.SpawnAsync(_ => second.Task));
        await Eventually.IsAsync(() => pool.WaitingCount == 1, "the first in line");
        ManagedTask last = house.Runtime.SpawnDetached(async _ => await await pool.SpawnAsync(static async _ => await Future.Yield()));
        await Eventually.IsAsync(() => pool.WaitingCount == 2, "the waiters");
        (await Health.OfAsync(house, "moirai-pools")).ShouldBe(("Degraded", "pool 'work' is full (1 of 1 active, 2 waiting)"));

        house.Time.Advance(30 * s_second);
        (await Health.OfAsync(house, "moirai-pools")).ShouldBe(("Unhealthy", "pool 'work' is stuck: none was admitted for 00:00:30 (1 of 1 active, 2 waiting)"));

        first.SetResult();
        await Eventually.IsAsync(() => pool.Counts.Created == 2, "the admission");
        (await Health.OfAsync(house, "moirai-pools")).ShouldBe(("Degraded", "pool 'work' is full (1 of 1 active, 1 waiting)"), "it moves again");

        second.SetResult();
        await Eventually.IsAsync(() => waiting.IsEnded && last.IsEnded, "the ends");
        (await Health.OfAsync(house, "moirai-pools")).Status.ShouldBe("Healthy");
    }

    [Fact]
    public async Task A_deadlock_is_logged_and_remembered()
    {
        await using House house = await OpenAsync();
        (await Health.OfAsync(house, "moirai-deadlocks")).Status.ShouldBe("Healthy");
        var (left, right) = (new AsyncMutex("left"), new AsyncMutex("right"));
        var (hasLeft, hasRight) = (new TaskCompletionSource(), new TaskCompletionSource());
        ManagedTask one = house.Runtime.SpawnDetached(_ => BothAsync(left, hasLeft, hasRight.Task, right), "one");
        ManagedTask other = house.Runtime.SpawnDetached(_ => BothAsync(right, hasRight, hasLeft.Task, left), "other");
        await Eventually.IsAsync(() => one.IsEnded && other.IsEnded, "the ends");
        new[] { one.Exception, other.Exception }.OfType<DeadlockException>().ShouldHaveSingleItem();

        await Eventually.IsAsync(() => house.Log.Of("Moirai.Runtime").Any(static line => line.Id == (int)RuntimeEventKind.Deadlock), "the line in the log");
        await Eventually.IsAsync(() => house.Services.GetRequiredService<HealthFindings>().Find(HealthFindings.Deadlocks) is not null, "the finding");
        (string status, string story) = await Health.OfAsync(house, "moirai-deadlocks");
        status.ShouldBe("Degraded");
        story.ShouldStartWith("1 since the start, the last one 00:00:00 ago: ");
        house.Time.Advance(TimeSpan.FromMinutes(10));
        (await Health.OfAsync(house, "moirai-deadlocks")).Status.ShouldBe("Healthy");

        static async Future BothAsync(AsyncMutex mine, TaskCompletionSource have, Task others, AsyncMutex theirs)
        {
            using MutexLease first = await mine.LockAsync();
            have.SetResult();
            await others;
            using MutexLease second = await theirs.LockAsync();
        }
    }

    [Fact]
    public async Task An_alarm_is_told_for_as_long_as_it_is_there()
    {
        await using House house = await House.OpenAsync(static services =>
        {
            // The clock jumps, so of all limits only the one that this test is about.
            services.AddMoirai().AddTaskPool("work", static pool => pool.MaxTasks = 1).ConfigureRuntime(static (_, runtime) =>
                runtime.Alarms = new AlarmLimits { WorkerHeld = null, Starved = null, TimersLate = null, CancelIgnored = null });
            services.AddHealthChecks().AddMoirai();
        });
        var held = new TaskCompletionSource();
        house.Pool("work").TrySpawn(_ => held.Task, out ManagedTask? task).ShouldBeTrue();
        (await Health.OfAsync(house, "moirai-alarms")).ShouldBe(("Healthy", "There is no alarm."));
        await TurnsAsync(house, "Degraded");
        (await Health.OfAsync(house, "moirai-alarms")).Story.ShouldContain("pool 'work' had no free slot for");
        house.Log.Of("Moirai.Runtime").ShouldContain(static line => line.Id == (int)RuntimeEventKind.Alarm);
        held.SetResult();
        await Eventually.IsAsync(() => task.IsEnded, "the end of the task");
        await TurnsAsync(house, "Healthy");
        house.Log.Of("Moirai.Runtime").ShouldContain(static line => line.Id == (int)RuntimeEventKind.AlarmCleared);
    }

    [Fact]
    public async Task The_limits_of_alarms_that_the_program_sets_are_kept()
    {
        var limits = new AlarmLimits { PoolFull = null };
        AlarmLimits? used = null;
        await using House house = await House.OpenAsync(services =>
        {
            services.AddMoirai().ConfigureRuntime((_, runtime) => runtime.Alarms = limits);
            services.AddHealthChecks().AddMoirai();
            services.AddMoirai().ConfigureRuntime((_, runtime) => used = runtime.Alarms);
        });
        used.ShouldBeSameAs(limits);
    }

    // The runtime looks every half second of its clock.
    private static async Task TurnsAsync(House house, string status)
    {
        for (int i = 0; i < 100 && (await Health.OfAsync(house, "moirai-alarms")).Status != status; i++)
        {
            house.Time.Advance(s_second / 2);
        }

        (await Health.OfAsync(house, "moirai-alarms")).Status.ShouldBe(status);
    }

    [Fact]
    public async Task A_supervisor_that_has_given_up_is_unhealthy()
    {
        await using House house = await House.OpenAsync(static services =>
        {
            services.AddMoirai().AddSupervisor("feeds", static supervisor => supervisor
                .Configure(static options => (options.MaxRestarts, options.Escalation) = (0, Escalation.GiveUp))
                .AddChild("a", static Future (_, _) => throw new InvalidOperationException("planned")));
            services.AddHealthChecks().AddMoirai();
        });
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.GaveUp, "giving up");
        (string status, string story) = await Health.OfAsync(house, "moirai-supervisors");
        status.ShouldBe("Unhealthy");
        story.ShouldStartWith("supervisor 'feeds' has given up: child 'a' needed restart number 1");
    }

    [Fact]
    public async Task A_starved_thread_pool_is_told_while_it_is_starved_and_remembered_when_it_is_not()
    {
        await using House house = await OpenAsync();
        var pool = new Queue<Action>();
        using var probe = new StarvationProbe(house.Services.GetRequiredService<HealthFindings>(), house.Time, 2 * s_second, house.Log, pool.Enqueue);

        probe.Beat();
        house.Time.Advance(s_second);
        pool.Dequeue()();
        house.Log.Of("Moirai.Health").ShouldBeEmpty("late, but not too late");

        probe.Beat();
        for (int i = 0; i < 5; i++)
        {
            house.Time.Advance(s_second);
            probe.Beat();
        }

        pool.Count.ShouldBe(1, "a starved pool is not given more to do");
        house.Log.Of("Moirai.Health").ShouldHaveSingleItem().Id.ShouldBe(401);
        (string status, string story) = await Health.OfAsync(house, "moirai-starvation");
        status.ShouldBe("Degraded");
        story.ShouldContain("had not begun a piece of work after 00:00:03.000");

        pool.Dequeue()();
        house.Log.Of("Moirai.Health").Select(static line => line.Id).ShouldBe([401, 402]);
        (await Health.OfAsync(house, "moirai-starvation")).Story.ShouldContain("took 00:00:05.000 to begin a piece of work");
        house.Time.Advance(TimeSpan.FromMinutes(11));
        (await Health.OfAsync(house, "moirai-starvation")).Status.ShouldBe("Healthy");

        probe.Beat();
        pool.Dequeue()();
        house.Log.Of("Moirai.Health").Count().ShouldBe(2);
    }

    [Fact]
    public async Task The_probe_asks_from_a_thread_of_its_own_until_it_is_stopped()
    {
        await using House house = await OpenAsync();
        var asked = new TaskCompletionSource<(bool IsOfThePool, string? Name)>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var probe = new StarvationProbe(
            house.Services.GetRequiredService<HealthFindings>(), TimeProvider.System, 2 * s_second, house.Log, _ => asked.TrySetResult((Thread.CurrentThread.IsThreadPoolThread, Thread.CurrentThread.Name)));
        await probe.StartAsync(default);
        (await Eventually.EndsAsync(asked.Task)).ShouldBe((false, "Moirai starvation probe"));
        await probe.StopAsync(default);
        await probe.StopAsync(default);
    }

    [Fact]
    public async Task A_question_that_is_answered_late_between_two_beats_is_told_too()
    {
        var (time, book, pool) = (new VirtualTimeProvider(), new LogBook(), new Queue<Action>());
        await using House house = await OpenAsync();
        using var probe = new StarvationProbe(house.Services.GetRequiredService<HealthFindings>(), time, 2 * s_second, book, pool.Enqueue);
        probe.Beat();
        time.Advance(3 * s_second);
        pool.Dequeue()();
        book.Lines.ShouldHaveSingleItem().Id.ShouldBe(402);
    }
}
