using Microsoft.Extensions.DependencyInjection;

namespace Moirai.Hosting.Tests;

/// <summary>Row C3, supervised background tasks: the rules of docs/hosting.md, one by one.</summary>
[Collection(nameof(SetsTheExitCode))]
public sealed class SupervisorTests
{
    private static readonly TimeSpan s_delay = TimeSpan.FromSeconds(1);

    private readonly Puppets _puppets = new();

    private Task<House> OpenAsync(Action<SupervisorOptions>? configure, params (string Name, RestartPolicy Restart)[] children) => House.OpenAsync(services => services
        .AddMoirai().AddSupervisor("feeds", supervisor =>
        {
            supervisor.Configure(static options =>
            {
                (options.FirstDelay, options.MaxDelay, options.UseJitter) = (s_delay, TimeSpan.FromSeconds(8), false);
                (options.MaxRestarts, options.Escalation) = (4, Escalation.GiveUp);
            });
            if (configure is not null)
            {
                supervisor.Configure(configure);
            }

            foreach ((string name, RestartPolicy restart) in children)
            {
                supervisor.AddChild(name, _puppets.Child(name), child => child.Restart = restart);
            }
        }));

    private async Task<Dictionary<string, Life>> StartedAsync(params string[] names)
    {
        var lives = new Dictionary<string, Life>();
        foreach (string name in names)
        {
            lives[name] = await _puppets.StartOf(name);
        }

        return lives;
    }

    private static Action<SupervisorOptions> As(RestartStrategy strategy) => options => options.Strategy = strategy;

    [Fact]
    public async Task Children_are_started_in_order_and_stopped_in_reverse()
    {
        House house = await OpenAsync(null, ("a", default), ("b", default), ("c", default));
        await StartedAsync("a", "b", "c");
        Supervisor supervisor = house.Supervisor("feeds");
        supervisor.State.ShouldBe(SupervisorState.Running);
        supervisor.Children.Select(static child => (child.Name, child.IsRunning, child.Starts)).ShouldBe([("a", true, 1), ("b", true, 1), ("c", true, 1)]);
        supervisor.Children[0].Task!.Name.ShouldBe("feeds/a");
        await house.StopAsync();
        _puppets.Trace.ShouldEndWith("-c -b -a");
        supervisor.State.ShouldBe(SupervisorState.Stopped);
        Census census = house.Runtime.TakeCensus();
        (census.Live, census.OpenScopes, census.Canceled).ShouldBe((0, 0, 3));
        await house.DisposeAsync();
    }

    [Fact]
    public async Task A_child_is_told_by_where_it_was_added_and_not_by_where_the_supervisor_spawns_it()
    {
        House house = await House.OpenAsync(static services => services.AddMoirai().AddSupervisor("feeds", static feeds => feeds
            .AddChild("future", static async Future (_, ct) => await Future.Delay(TimeSpan.FromHours(1)))
            .AddChild("plain", static async Task (_, ct) => await Task.Delay(Timeout.Infinite, ct))
            .AddChild<Patient>("object")));

        house.Supervisor("feeds").Children.Select(static child => child.Task!.SpawnSite).ShouldAllBe(static site => site.StartsWith("SupervisorTests.cs:"));
        await house.DisposeAsync();
    }

    private sealed class Patient : ISupervisedTask
    {
        public async Future RunAsync(CancellationToken cancellationToken) => await Future.Delay(TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task One_for_one_restarts_the_child_that_failed_and_nobody_else()
    {
        await using House house = await OpenAsync(As(RestartStrategy.OneForOne), ("a", default), ("b", default), ("c", default));
        Dictionary<string, Life> lives = await StartedAsync("a", "b", "c");
        lives["b"].Fail();
        await house.PassAsync(s_delay);
        await _puppets.StartOf("b");
        _puppets.Trace.ShouldEndWith(" +b");
        _puppets.Trace.ShouldNotContain("-");
        house.Supervisor("feeds").Restarts.ShouldBe(1);
    }

    [Fact]
    public async Task One_for_all_stops_the_others_in_reverse_order_and_starts_all_in_order()
    {
        await using House house = await OpenAsync(As(RestartStrategy.OneForAll), ("a", default), ("b", default), ("c", default));
        Dictionary<string, Life> lives = await StartedAsync("a", "b", "c");
        int before = _puppets.Trace.Length;
        lives["b"].Fail();
        await house.PassAsync(s_delay);
        await StartedAsync("a", "b", "c");
        _puppets.Trace[before..].Trim().ShouldStartWith("-c -a");
        house.Supervisor("feeds").Children.ShouldAllBe(static child => child.Starts == 2);
    }

    [Fact]
    public async Task Rest_for_one_restarts_the_child_that_failed_and_those_after_it()
    {
        await using House house = await OpenAsync(As(RestartStrategy.RestForOne), ("a", default), ("b", default), ("c", default), ("d", default));
        Dictionary<string, Life> lives = await StartedAsync("a", "b", "c", "d");
        int before = _puppets.Trace.Length;
        lives["b"].Fail();
        await house.PassAsync(s_delay);
        await StartedAsync("b", "c", "d");
        _puppets.Trace[before..].Trim().ShouldStartWith("-d -c");
        _puppets.Trace[before..].ShouldNotContain("a");
        house.Supervisor("feeds").Children.Select(static child => child.Starts).ShouldBe([1, 2, 2, 2]);
    }

    [Theory]
    [InlineData(RestartPolicy.Permanent, false, true)]
    [InlineData(RestartPolicy.Permanent, true, true)]
    [InlineData(RestartPolicy.Transient, false, false)]
    [InlineData(RestartPolicy.Transient, true, true)]
    [InlineData(RestartPolicy.Temporary, false, false)]
    [InlineData(RestartPolicy.Temporary, true, false)]
    public async Task The_restart_policy_says_after_which_end_a_child_is_started_again(RestartPolicy policy, bool fails, bool restarts)
    {
        await using House house = await OpenAsync(null, ("a", policy));
        Life life = await _puppets.StartOf("a");
        if (fails)
        {
            life.Fail();
        }
        else
        {
            life.Complete();
        }

        if (restarts)
        {
            await house.PassAsync(s_delay);
            await _puppets.StartOf("a");
        }
        else
        {
            await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.Stopped, "the supervisor is done when its last child has ended for good");
            _puppets.Trace.ShouldBe("+a");
        }
    }

    [Fact]
    public async Task A_child_that_somebody_cancels_has_ended_well()
    {
        await using House house = await OpenAsync(null, ("a", RestartPolicy.Transient));
        await _puppets.StartOf("a");
        house.Supervisor("feeds").Children[0].Task!.Cancel("an operator").ShouldBeTrue();
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.Stopped, "the end of the supervisor");
        house.Log.Of("Moirai.Supervision").ShouldNotContain(static line => line.Id == 202);
    }

    [Fact]
    public async Task A_transient_child_that_had_completed_is_started_again_with_its_group_and_a_temporary_one_is_not()
    {
        await using House house = await OpenAsync(As(RestartStrategy.OneForAll), ("a", RestartPolicy.Transient), ("b", RestartPolicy.Temporary), ("c", RestartPolicy.Permanent));
        Dictionary<string, Life> lives = await StartedAsync("a", "b", "c");
        lives["a"].Complete();
        await Eventually.IsAsync(() => !house.Supervisor("feeds").Children[0].IsRunning, "the end of a");
        lives["c"].Fail();
        await house.PassAsync(s_delay);
        await StartedAsync("a", "c");
        _puppets.Trace.ShouldContain("-b");
        house.Supervisor("feeds").Children.Select(static child => (child.IsRunning, child.Starts)).ShouldBe([(true, 2), (false, 1), (true, 2)]);
    }

    [Fact]
    public async Task Each_further_restart_of_a_run_of_failures_waits_twice_as_long_up_to_the_longest_delay()
    {
        await using House house = await OpenAsync(static options => (options.MaxRestarts, options.MaxDelay) = (10, TimeSpan.FromSeconds(4)), ("a", default));
        foreach (int seconds in (int[])[1, 2, 4, 4, 4])
        {
            (await _puppets.StartOf("a")).Fail();
            await house.PassAsync(TimeSpan.FromSeconds(seconds));
        }

        await _puppets.StartOf("a");
        house.Log.Of("Moirai.Supervision").Where(static line => line.Id == 204).Select(static line => line.Text)
            .ShouldBe(((int[])[1, 2, 4, 4, 4]).Select(static seconds => $"Supervisor 'feeds' starts child 'a' again in 00:00:0{seconds}."));
    }

    [Fact]
    public async Task A_child_that_ran_for_longer_than_the_window_begins_anew_with_the_first_delay()
    {
        await using House house = await OpenAsync(static options => options.MaxRestarts = 2, ("a", default));
        (await _puppets.StartOf("a")).Fail();
        await house.PassAsync(TimeSpan.FromSeconds(1));
        (await _puppets.StartOf("a")).Fail();
        await house.PassAsync(TimeSpan.FromSeconds(2));
        Life life = await _puppets.StartOf("a");
        house.Time.Advance(TimeSpan.FromMinutes(2));
        life.Fail();
        await house.PassAsync(TimeSpan.FromSeconds(1));
        await _puppets.StartOf("a");
        house.Supervisor("feeds").State.ShouldBe(SupervisorState.Running, "the restarts of long ago do not count");
    }

    [Fact]
    public async Task Children_that_are_restarted_alone_wait_alone()
    {
        await using House house = await OpenAsync(null, ("a", default), ("b", default));
        Dictionary<string, Life> lives = await StartedAsync("a", "b");
        lives["a"].Fail();
        await Eventually.IsAsync(() => house.Time.NextTimerIn == s_delay, "the delay of a");
        house.Time.Advance(TimeSpan.FromMilliseconds(400));
        lives["b"].Fail();
        await Eventually.IsAsync(() => house.Time.ActiveTimers == 2, "the delay of b");
        await house.PassAsync(TimeSpan.FromMilliseconds(600));
        await _puppets.StartOf("a");
        await house.PassAsync(TimeSpan.FromMilliseconds(400));
        await _puppets.StartOf("b");
    }

    [Theory]
    [InlineData(RestartStrategy.OneForOne)]
    [InlineData(RestartStrategy.OneForAll)]
    [InlineData(RestartStrategy.RestForOne)]
    public async Task One_restart_more_than_allowed_within_the_window_and_the_supervisor_stops_its_children_and_gives_up(RestartStrategy strategy)
    {
        await using House house = await OpenAsync(options => (options.Strategy, options.MaxRestarts) = (strategy, 2), ("steady", default), ("a", default));
        await _puppets.StartOf("steady");
        foreach (int seconds in (int[])[1, 2])
        {
            (await _puppets.StartOf("a")).Fail();
            await house.PassAsync(TimeSpan.FromSeconds(seconds));
        }

        (await _puppets.StartOf("a")).Fail("the third time");
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.GaveUp, "giving up");
        _puppets.Trace.ShouldEndWith("-steady");
        house.Supervisor("feeds").Failure.ShouldBe("child 'a' needed restart number 3 within 00:01:00, and 2 are allowed; it failed with InvalidOperationException: the third time");
        LogLine last = house.Log.Of("Moirai.Supervision").Single(static line => line.Id == 206);
        last.Text.ShouldContain("Its children stay down.");
        last.Error.ShouldNotBeNull();
    }

    [Fact]
    public async Task No_restart_allowed_escalates_at_the_first_failure()
    {
        await using House house = await OpenAsync(static options => options.MaxRestarts = 0, ("a", default));
        (await _puppets.StartOf("a")).Fail();
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.GaveUp, "giving up");
    }

    [Fact]
    public async Task A_child_that_fails_for_ever_is_restarted_for_ever_where_that_is_said()
    {
        await using House house = await OpenAsync(static options => (options.MaxRestarts, options.FirstDelay, options.MaxDelay) = (int.MaxValue, TimeSpan.Zero, TimeSpan.Zero), ("a", default));
        for (int i = 0; i < 100; i++)
        {
            (await _puppets.StartOf("a")).Fail();
        }

        await _puppets.StartOf("a");
        house.Supervisor("feeds").Restarts.ShouldBe(100);
    }

    [Fact]
    public async Task Escalation_stops_the_host_with_an_exit_code()
    {
        await using House house = await OpenAsync(static options => (options.MaxRestarts, options.Escalation, options.ExitCode) = (0, Escalation.StopHost, 42), ("a", default));
        Task ended = Microsoft.Extensions.Hosting.HostingAbstractionsHostExtensions.WaitForShutdownAsync(house.Host);
        try
        {
            (await _puppets.StartOf("a")).Fail();
            await Eventually.EndsAsync(ended);
            Environment.ExitCode.ShouldBe(42);
        }
        finally
        {
            Environment.ExitCode = 0;
        }

        house.Log.Of("Moirai.Supervision").Single(static line => line.Id == 206).Text.ShouldContain("The host is stopped, with exit code 42.");
    }

    [Fact]
    public async Task A_stop_does_not_wait_for_a_restart_that_is_delayed()
    {
        House house = await OpenAsync(null, ("a", default));
        (await _puppets.StartOf("a")).Fail();
        await Eventually.IsAsync(() => house.Time.NextTimerIn == s_delay, "the delay");
        await house.StopAsync();
        _puppets.Trace.ShouldBe("+a");
        house.Supervisor("feeds").State.ShouldBe(SupervisorState.Stopped);
        await house.DisposeAsync();
        house.Time.ActiveTimers.ShouldBe(0);
    }

    [Fact]
    public async Task A_host_that_is_stopped_twice_stops_a_supervisor_once()
    {
        House house = await OpenAsync(null, ("a", default));
        await _puppets.StartOf("a");
        await Task.WhenAll(house.StopAsync(), house.StopAsync());
        await house.StopAsync();
        _puppets.Trace.ShouldBe("+a -a");
        await house.DisposeAsync();
    }

    [Fact]
    public async Task Supervisors_are_stopped_in_reverse_order_of_their_start()
    {
        House house = await House.OpenAsync(services => services.AddMoirai()
            .AddSupervisor("first", supervisor => supervisor.AddChild("a", _puppets.Child("a")))
            .AddSupervisor("second", supervisor => supervisor.AddChild("b", _puppets.Child("b"))));
        await StartedAsync("a", "b");
        await house.StopAsync();
        _puppets.Trace.ShouldEndWith("-b -a");
        await house.DisposeAsync();
    }
}

/// <summary>The exit code belongs to the process.</summary>
[CollectionDefinition(nameof(SetsTheExitCode), DisableParallelization = true)]
public sealed class SetsTheExitCode;
