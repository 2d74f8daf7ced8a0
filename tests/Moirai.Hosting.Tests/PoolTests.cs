using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Moirai.Hosting.Tests;

/// <summary>Pools by dependency injection, and the options of runtime and pools.</summary>
public sealed class PoolTests
{
    private sealed class Consumer([FromKeyedServices("requests")] TaskPool pool)
    {
        public TaskPool Pool => pool;
    }

    [Fact]
    public async Task A_pool_is_a_keyed_service_by_its_name()
    {
        await using House house = await House.OpenAsync(static services =>
        {
            services.AddMoirai().AddTaskPool("requests", static pool => pool.MaxTasks = 3).AddTaskPool("mails", static pool => pool.MaxTasks = 1);
            services.AddSingleton<Consumer>();
        });
        TaskPool pool = house.Services.GetRequiredService<Consumer>().Pool;
        pool.ShouldBeSameAs(house.Pool("requests"));
        (pool.Name, pool.MaxTasks, house.Pool("mails").MaxTasks).ShouldBe(("requests", 3, 1));
        pool.TrySpawn(static async _ => await Future.Yield(), out ManagedTask? task).ShouldBeTrue();
        await task;
        house.Runtime.TakeCensus().Completed.ShouldBe(1, "the pool is the host's runtime's");
    }

    [Fact]
    public async Task The_configuration_says_how_large_a_pool_is_and_code_has_the_last_word()
    {
        await using House house = await House.OpenAsync(
            static services => services.AddMoirai().AddTaskPool("requests").AddTaskPool("mails", static pool => pool.MaxTasks++),
            ("Moirai:Pools:requests:MaxTasks", "7"),
            ("Moirai:Pools:mails:MaxTasks", "7"));
        (house.Pool("requests").MaxTasks, house.Pool("mails").MaxTasks).ShouldBe((7, 8));
    }

    [Fact]
    public async Task The_runtime_is_configured_by_its_section_by_code_and_by_what_no_configuration_can_say()
    {
        List<RuntimeEvent> told = [];
        await using House house = await House.OpenAsync(
            services => services.AddMoirai(static moirai => moirai.CancelTimeout = TimeSpan.FromSeconds(1)).ConfigureRuntime((_, runtime) => runtime.OnEvent = told.Add),
            ("Moirai:Name", "orders"));
        house.Runtime.Name.ShouldBe("orders");
        house.Runtime.TimeProvider.ShouldBeSameAs(house.Time);
        await Should.ThrowAsync<TaskTimeoutException>(async () => await TimedOutAsync(house));
        told.ShouldHaveSingleItem().Kind.ShouldBe(RuntimeEventKind.TimedOut);
        house.Log.Of("Moirai.Runtime").ShouldHaveSingleItem("the log hears of it too").Id.ShouldBe((int)RuntimeEventKind.TimedOut);
    }

    [Fact]
    public async Task Without_a_name_the_runtime_has_the_one_of_the_application()
    {
        await using House house = await House.OpenAsync(static services => services.AddMoirai());
        house.Runtime.Name.ShouldBe("house");
    }

    [Fact]
    public async Task Adding_Moirai_twice_adds_nothing_twice()
    {
        await using House house = await House.OpenAsync(static services =>
        {
            services.AddMoirai(static moirai => moirai.Name = "first").AddTaskPool("a", static pool => pool.MaxTasks = 1);
            services.AddMoirai(static moirai => moirai.ReportUnseenResults = true).AddTaskPool("b", static pool => pool.MaxTasks = 1).AddPooledRequests().AddPooledRequests();
            services.AddHealthChecks().AddMoirai().AddMoirai();
            services.Count(House.IsProbe).ShouldBe(1);
        });
        house.Services.GetServices<TaskRuntime>().ShouldHaveSingleItem().Name.ShouldBe("first");
        house.Services.GetServices<IHostedService>().Count(static service => service.GetType().Name == "MoiraiLifecycle").ShouldBe(1);
        house.Pool("a").ShouldNotBeSameAs(house.Pool("b"));
    }

    [Fact]
    public void A_second_pool_of_the_same_name_is_refused_where_it_is_added()
    {
        MoiraiBuilder moirai = new ServiceCollection().AddMoirai().AddTaskPool("requests");
        Should.Throw<ArgumentException>(() => moirai.AddTaskPool("requests")).Message.ShouldContain("'requests' was added before");
        Should.Throw<ArgumentException>(() => moirai.AddTaskPool("Requests")).Message.ShouldContain("the same key in the configuration");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("a:b")]
    [InlineData("a/b")]
    public void A_name_that_cannot_stand_in_a_key_is_refused(string name)
    {
        MoiraiBuilder moirai = new ServiceCollection().AddMoirai();
        Should.Throw<ArgumentException>(() => moirai.AddTaskPool(name));
        Should.Throw<ArgumentException>(() => moirai.AddSupervisor(name, static _ => { }));
    }

    [Fact]
    public async Task An_unknown_pool_is_not_made_up()
    {
        await using House house = await House.OpenAsync(static services => services.AddMoirai().AddTaskPool("requests", static pool => pool.MaxTasks = 1));
        house.Services.GetKeyedService<TaskPool>("reqests").ShouldBeNull();
    }

    public static TheoryData<string, string?, string> BadSettings => new()
    {
        { "Moirai:Pools:requests:MaxTasks", "0", "Moirai:Pools:requests:MaxTasks is 0, and a pool needs at least one slot. Say how many" },
        { "Moirai:Pools:requests:MaxTasks", "-3", "Moirai:Pools:requests:MaxTasks is -3" },
        { "Moirai:Pools:requests:MaxTasks", "many", "Moirai:Pools:requests:MaxTasks" },
        { "Moirai:Pools:requests:MaxTask", "5", "MaxTask" },
        { "Moirai:Pools:reqests:MaxTasks", "5", "Moirai:Pools:reqests configures a pool that the host does not have (it has requests). Correct the name, or call AddTaskPool(\"reqests\", …)." },
        { "Moirai:Supervisors:feeds:MaxRestarts", "5", "Moirai:Supervisors:feeds configures a supervisor that the host does not have (it has none)" },
        { "Moirai:CancelTimeout", "00:00:00", "Moirai:CancelTimeout is 00:00:00. It has to be longer than zero." },
        { "Moirai:AbandonTimeout", "-00:00:01", "Moirai:AbandonTimeout is -00:00:01. It must not be negative." },
        { "Moirai:LeakWatchPause", "-00:00:01", "Moirai:LeakWatchPause is -00:00:01" },
        { "Moirai:CancelTimeout", "00:02:00", "leave nothing of the host's shutdown timeout (00:02:00) for tasks to end by themselves. Shorten them, or lengthen HostOptions.ShutdownTimeout." },
        { "Moirai:Name", " ", "Moirai:Name is empty" },
        { "Moirai:LeaksAtStop", "7", "Moirai:LeaksAtStop is 7, which is no policy. Take Heal or Report" },
        { "Moirai:LeakWatch", "9", "Moirai:LeakWatch is 9, which is no policy" },
        { "Moirai:Requests:Pool", "nope", "Moirai:Requests:Pool is 'nope', and there is no such pool (there are: requests). Correct the name, or add the pool" },
        { "Moirai:Requests:RetryAfter", "00:00:00", "Moirai:Requests:RetryAfter is 00:00:00. It has to be longer than zero." },
        { "Moirai:Requests:AdmissionTimeout", "-1", "Moirai:Requests:AdmissionTimeout is -1.00:00:00. It must not be negative." },
        { "Moirai:Health:RememberFor", "00:00:00", "Moirai:Health:RememberFor is 00:00:00" },
        { "Moirai:Health:StuckAfter", "00:00:00", "Moirai:Health:StuckAfter is 00:00:00" },
        { "Moirai:Health:StarvedAfter", "00:00:00", "Moirai:Health:StarvedAfter is 00:00:00" },
        { "Moirai:Health:Typo", "1", "Typo" },
        { "Moirai:CancelTimout", "00:00:01", "Moirai:CancelTimout is no setting. There are: Name, CancelTimeout," },
        { "Moirai:Pool:requests:Max", "5", "Moirai:Pool is no setting." },
    };

    [Theory]
    [MemberData(nameof(BadSettings))]
    public async Task A_bad_setting_keeps_the_host_from_starting_and_names_the_key(string key, string? value, string complaint)
    {
        (string, string?)[] settings = key.EndsWith("requests:MaxTasks", StringComparison.Ordinal) ? [(key, value)] : [("Moirai:Pools:requests:MaxTasks", "1"), (key, value)];
        string error = await House.RefusesToStartAsync(
            static services =>
            {
                services.AddMoirai().AddTaskPool("requests").AddPooledRequests();
                services.AddHealthChecks().AddMoirai();
            },
            settings);
        error.ShouldContain(complaint);
    }

    [Fact]
    public async Task A_pool_without_a_size_keeps_the_host_from_starting() =>
        (await House.RefusesToStartAsync(static services => services.AddMoirai().AddTaskPool("requests"))).ShouldContain("in AddTaskPool(\"requests\", pool => pool.MaxTasks = …)");

    [Fact]
    public async Task Services_without_a_configuration_or_a_host_have_the_defaults()
    {
        var services = new ServiceCollection();
        services.AddMoirai().AddTaskPool("requests", static pool => pool.MaxTasks = 2);
        await using ServiceProvider provider = services.BuildServiceProvider();
        provider.GetRequiredKeyedService<TaskPool>("requests").MaxTasks.ShouldBe(2);
        provider.GetRequiredService<TaskRuntime>().Name.ShouldBe("moirai");
    }

    private static async Task TimedOutAsync(House house)
    {
        ManagedTask task = house.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)).WithTimeout(TimeSpan.FromSeconds(1)));
        await house.PassAsync(TimeSpan.FromSeconds(1));
        await task;
    }
}
