using Microsoft.Extensions.DependencyInjection;

namespace Moirai.Hosting.Tests;

/// <summary>Row C3, children and supervisors that are wrong: what throws when it is made, what ignores its stop, options out of range.</summary>
public sealed class BadChildrenTests
{
    private static readonly TimeSpan s_budget = TimeSpan.FromSeconds(3);

    private readonly Puppets _puppets = new();

    private sealed class Broken : ISupervisedTask
    {
        public Broken() => throw new NotSupportedException("the constructor");

        public Future RunAsync(CancellationToken cancellationToken) => Future.Completed();
    }

    /// <summary>Can be made at the first start, and as often as there are permits; notes its clean-up.</summary>
    private sealed class Fragile : ISupervisedTask, IDisposable
    {
        private readonly Plan _plan;

        public Fragile(Plan plan, ScopedThing thing)
        {
            _plan = plan;
            plan.Things.Add(thing);
            if (plan.Permits-- <= 0)
            {
                throw new NotSupportedException("out of permits");
            }
        }

        public async Future RunAsync(CancellationToken cancellationToken)
        {
            Life life = _plan.Puppets.Begin("fragile");
            await life.End.Task.WaitAsync(cancellationToken);
        }

        public void Dispose() => _plan.Puppets.Note("~fragile");
    }

    private sealed class ScopedThing : IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Dispose() => IsDisposed = true;
    }

    private sealed class Plan(Puppets puppets)
    {
        public Puppets Puppets => puppets;

        public int Permits { get; set; }

        public List<ScopedThing> Things { get; } = [];
    }

    private static void Fast(SupervisorOptions options)
    {
        (options.FirstDelay, options.MaxDelay, options.UseJitter) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), false);
        (options.MaxRestarts, options.Escalation) = (2, Escalation.GiveUp);
    }

    [Fact]
    public async Task A_child_that_cannot_be_made_keeps_the_host_from_starting_and_those_before_it_are_stopped()
    {
        string error = await House.RefusesToStartAsync(services => services.AddMoirai()
            .AddSupervisor("feeds", supervisor => supervisor.AddChild("a", _puppets.Child("a")).AddChild("b", _puppets.Child("b")).AddChild<Broken>("c")));
        error.ShouldContain("Supervisor 'feeds' could not make its child 'c', so the host does not start: NotSupportedException: the constructor");
        foreach (string name in _puppets.Trace.Split(' ').Where(static one => one.StartsWith('+'))) // one that was canceled before it began has no trace
        {
            _puppets.Trace.ShouldContain($"-{name[1..]}");
        }
    }

    [Fact]
    public async Task A_child_that_cannot_be_made_again_counts_as_one_that_failed_again()
    {
        var plan = new Plan(_puppets) { Permits = 1 };
        await using House house = await House.OpenAsync(services => services.AddSingleton(plan).AddScoped<ScopedThing>().AddMoirai()
            .AddSupervisor("feeds", static supervisor => supervisor.Configure(Fast).AddChild<Fragile>("fragile")));
        (await _puppets.StartOf("fragile")).Fail();
        await house.PassAsync(TimeSpan.FromSeconds(1));
        await house.PassAsync(TimeSpan.FromSeconds(1));
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.GaveUp, "giving up");
        house.Supervisor("feeds").Failure.ShouldNotBeNull().ShouldContain("it failed with NotSupportedException: out of permits");
        plan.Things.Count.ShouldBe(3);
        plan.Things.ShouldAllBe(static thing => thing.IsDisposed, "each attempt has a scope of its own, and none is left");
    }

    [Fact]
    public async Task A_child_is_made_anew_for_each_start_and_disposed_before_the_next_one_begins()
    {
        var plan = new Plan(_puppets) { Permits = 10 };
        House house = await House.OpenAsync(services => services.AddSingleton(plan).AddScoped<ScopedThing>().AddMoirai()
            .AddSupervisor("feeds", static supervisor => supervisor.Configure(Fast).AddChild<Fragile>("fragile")));
        (await _puppets.StartOf("fragile")).Fail();
        await house.PassAsync(TimeSpan.FromSeconds(1));
        (await _puppets.StartOf("fragile")).Complete();
        await house.PassAsync(TimeSpan.FromSeconds(1));
        await _puppets.StartOf("fragile");
        plan.Things.Select(static thing => thing.IsDisposed).ShouldBe([true, true, false]);
        await house.DisposeAsync();
        _puppets.Trace.ShouldBe("+fragile ~fragile +fragile ~fragile +fragile ~fragile");
        plan.Things.ShouldAllBe(static thing => thing.IsDisposed);
    }

    [Fact]
    public async Task A_child_that_throws_before_its_first_await_is_one_that_failed()
    {
        await using House house = await House.OpenAsync(static services => services.AddMoirai().AddSupervisor("feeds", static supervisor => supervisor
            .Configure(Fast)
            .AddChild("future", static Future (_, _) => throw new InvalidOperationException("at once"))
            .AddChild("task", static Task (_, _) => throw new InvalidOperationException("at once"), static child => child.Restart = RestartPolicy.Temporary)));
        await house.PassAsync(TimeSpan.FromSeconds(1));
        await house.PassAsync(TimeSpan.FromSeconds(1));
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.GaveUp, "giving up");
        house.Log.Of("Moirai.Supervision").Count(static line => line.Id == 202).ShouldBe(4);
    }

    [Fact]
    public async Task A_child_that_ignores_its_stop_is_left_when_its_budget_is_over_and_the_others_are_stopped()
    {
        House house = await House.OpenAsync(services => services.AddMoirai().AddSupervisor("feeds", supervisor => supervisor
            .AddChild("a", _puppets.Child("a"))
            .AddChild("deaf", _puppets.Deaf("deaf"), static child => child.StopBudget = s_budget)));
        await _puppets.StartOf("a");
        Life deaf = await _puppets.StartOf("deaf");
        Task stop = house.StopAsync();
        await Eventually.IsAsync(() => house.Time.NextTimerIn == s_budget, "the budget of the deaf one");
        _puppets.Trace.ShouldNotContain("-a", Case.Sensitive, "the younger one has its time first");
        house.Time.Advance(s_budget);
        await Eventually.IsAsync(() => _puppets.Trace.Contains("-a", StringComparison.Ordinal), "the stop of a");
        house.Log.Of("Moirai.Supervision").Single(static line => line.Id == 205).Text
            .ShouldStartWith("Child 'deaf' of supervisor 'feeds' had not ended 00:00:03 after it was asked to, and is left to itself: #");

        // The runtime's stop gives it another chance, and names it at last.
        deaf.Complete();
        await Eventually.EndsAsync(stop);
        await house.DisposeAsync();
        house.Runtime.TakeCensus().Live.ShouldBe(0);
    }

    [Fact]
    public async Task A_child_that_ignores_its_stop_is_not_started_beside_itself()
    {
        await using House house = await House.OpenAsync(services => services.AddMoirai().AddSupervisor("feeds", supervisor => supervisor
            .Configure(Fast)
            .Configure(static options => options.Strategy = RestartStrategy.OneForAll)
            .AddChild("a", _puppets.Child("a"))
            .AddChild("deaf", _puppets.Deaf("deaf"), static child => child.StopBudget = s_budget)));
        Life first = await _puppets.StartOf("a");
        Life deaf = await _puppets.StartOf("deaf");
        first.Fail();
        await house.PassAsync(s_budget);
        await house.PassAsync(s_budget); // giving up, it is asked again, with the others
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.GaveUp, "giving up");
        house.Supervisor("feeds").Failure.ShouldBe("child 'deaf' had to be started again because of 'a', and did not stop within its budget of 00:00:03; two of it would have run at once");
        _puppets.Trace.Split(' ').Count(static one => one == "+deaf").ShouldBe(1);
        deaf.Complete();
    }

    [Fact]
    public async Task A_host_that_has_no_more_time_does_not_wait_for_budgets()
    {
        House house = await House.OpenAsync(services => services.AddMoirai().AddSupervisor("feeds", supervisor => supervisor
            .AddChild("deaf", _puppets.Deaf("deaf"), static child => child.StopBudget = Timeout.InfiniteTimeSpan)));
        Life deaf = await _puppets.StartOf("deaf");
        using var hurry = new CancellationTokenSource();
        Task stop = house.StopAsync(hurry.Token);
        await Eventually.IsAsync(() => house.Services.GetRequiredKeyedService<Supervisor>("feeds").Children[0].Task!.CancelCause is not null, "the stop of the deaf one");
        await hurry.CancelAsync();
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.Stopped, "the end of the supervisor");
        house.Log.Of("Moirai.Supervision").Single(static line => line.Id == 205).Text.ShouldContain("had not ended when the host's time was over");
        deaf.Complete();
        await Eventually.EndsAsync(stop);
        await house.DisposeAsync();
    }

    public static TheoryData<string, string, string> BadSettings => new()
    {
        { "Strategy", "9", "Moirai:Supervisors:feeds:Strategy is 9, which is none. Take OneForOne, OneForAll or RestForOne." },
        { "Escalation", "9", "Moirai:Supervisors:feeds:Escalation is 9, which is none" },
        { "MaxRestarts", "-1", "Moirai:Supervisors:feeds:MaxRestarts is -1. It must not be negative" },
        { "Window", "00:00:00", "Moirai:Supervisors:feeds:Window is 00:00:00. It has to be longer than zero." },
        { "FirstDelay", "-00:00:01", "Moirai:Supervisors:feeds:FirstDelay is -00:00:01. It has to be between zero and a day." },
        { "MaxDelay", "00:00:00.1", "Moirai:Supervisors:feeds:MaxDelay is 00:00:00.1000000. It has to be between FirstDelay (00:00:00.2000000) and a day." },
        { "MaxDelay", "2.00:00:00", "Moirai:Supervisors:feeds:MaxDelay is 2.00:00:00" },
        { "ExitCode", "0", "Moirai:Supervisors:feeds:ExitCode is 0. It has to be between 1 and 255: 0 would say that all is well." },
        { "Window", "00:00:02", "Moirai:Supervisors:feeds:Window is 00:00:02, but 5 restarts take 00:00:03 at least, since each waits longer than the one before: the supervisor would never escalate." },
        { "Children:b:StopBudget", "00:00:01", "Moirai:Supervisors:feeds:Children:b configures a child that supervisor 'feeds' does not have (it has a)." },
        { "Children:a:StopBudget", "00:00:00", "Moirai:Supervisors:feeds:Children:a:StopBudget is 00:00:00. It has to be longer than zero" },
        { "Children:a:Restart", "9", "Moirai:Supervisors:feeds:Children:a:Restart is 9, which is no policy. Take Permanent, Transient or Temporary." },
        { "Children:a:Restarts", "Temporary", "Restarts" },
        { "Strategy", "all", "Moirai:Supervisors:feeds:Strategy" },
        { "MaxRestart", "3", "Moirai:Supervisors:feeds:MaxRestart is no setting. There are: Strategy, MaxRestarts," },
    };

    [Theory]
    [MemberData(nameof(BadSettings))]
    public async Task A_bad_setting_keeps_the_host_from_starting_and_names_the_key(string key, string value, string complaint) =>
        (await House.RefusesToStartAsync(services => services.AddMoirai().AddSupervisor("feeds", supervisor => supervisor.AddChild("a", _puppets.Child("a"))), ($"Moirai:Supervisors:feeds:{key}", value)))
            .ShouldContain(complaint);

    [Fact]
    public async Task Settings_come_from_the_configuration()
    {
        await using House house = await House.OpenAsync(
            services => services.AddMoirai().AddSupervisor("feeds", supervisor => supervisor.AddChild("a", _puppets.Child("a"))),
            ("Moirai:Supervisors:feeds:Strategy", "RestForOne"),
            ("Moirai:Supervisors:feeds:Children:a:Restart", "Temporary"));
        (await _puppets.StartOf("a")).Fail();
        await Eventually.IsAsync(() => house.Supervisor("feeds").State == SupervisorState.Stopped, "the end of the supervisor");
        house.Supervisor("feeds").Strategy.ShouldBe(RestartStrategy.RestForOne);
    }

    [Fact]
    public async Task A_supervisor_without_children_keeps_the_host_from_starting() =>
        (await House.RefusesToStartAsync(static services => services.AddMoirai().AddSupervisor("feeds", static _ => { }))).ShouldContain("Supervisor 'feeds' has no children. Give it some");

    [Fact]
    public void A_second_child_or_supervisor_of_the_same_name_is_refused_where_it_is_added()
    {
        MoiraiBuilder moirai = new ServiceCollection().AddMoirai();
        Should.Throw<ArgumentException>(() => moirai.AddSupervisor("feeds", supervisor => supervisor.AddChild("a", _puppets.Child("a")).AddChild("A", _puppets.Child("A"))))
            .Message.ShouldContain("Supervisor 'feeds' has a child 'A' already");
        moirai.AddSupervisor("feeds", supervisor => supervisor.AddChild("a", _puppets.Child("a")));
        Should.Throw<ArgumentException>(() => moirai.AddSupervisor("feeds", static _ => { })).Message.ShouldContain("A supervisor 'feeds' was added before");
    }
}
