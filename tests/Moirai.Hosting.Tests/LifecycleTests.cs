using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Moirai.Hosting.Tests;

/// <summary>Row C3, the end of a host: stop intake, drain within the host's time, cancel, report.</summary>
public sealed class LifecycleTests
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    private static Task<House> OpenAsync(TimeSpan? shutdown = null) => House.OpenAsync(services =>
    {
        services.AddMoirai().AddTaskPool("work", static pool => pool.MaxTasks = 10);
        if (shutdown is { } timeout)
        {
            services.Configure<HostOptions>(host => host.ShutdownTimeout = timeout);
        }
    });

    [Fact]
    public async Task A_stop_lets_tasks_end_and_reports_them_in_the_log()
    {
        House house = await OpenAsync();
        house.Pool("work").TrySpawn(static async _ => await Future.Delay(TimeSpan.FromSeconds(9)), out ManagedTask? task).ShouldBeTrue();
        Task stop = house.StopAsync();
        await Eventually.IsAsync(() => house.Runtime.IsStopped, "the stop of the runtime");
        Should.Throw<InvalidOperationException>(() => house.Pool("work").TrySpawn(static async _ => await Future.Yield(), out ManagedTask? _));
        await house.PassAsync(TimeSpan.FromSeconds(9));
        await Eventually.EndsAsync(stop);
        task.State.ShouldBe(TaskState.Completed);
        house.Log.Of("Moirai.Lifecycle").Select(static line => line.Id).ShouldBe([101, 103]);
        house.Log.Of("Moirai.Lifecycle").Last().Text.ShouldStartWith("Runtime 'house' stopped: 1 completed, 0 failed, 0 canceled, 0 left (since the stop began 1 ended by themselves");
        await house.DisposeAsync();
        house.Time.ActiveTimers.ShouldBe(0);
        house.Runtime.TakeCensus().OpenScopes.ShouldBe(0);
    }

    [Fact]
    public async Task What_has_not_ended_is_canceled_when_only_the_time_for_that_is_left_of_the_hosts()
    {
        House house = await OpenAsync();
        house.Pool("work").TrySpawn(static async _ => await Future.Delay(s_hour), out ManagedTask? task).ShouldBeTrue();
        Task stop = house.StopAsync();
        await house.PassAsync(House.Drain);
        await Eventually.EndsAsync(stop);
        task.State.ShouldBe(TaskState.Canceled);
        task.CancelCause!.Kind.ShouldBe(CancelKind.RuntimeStopped);
        await house.DisposeAsync();
    }

    [Fact]
    public async Task The_time_is_counted_from_the_first_word_of_the_stop_and_over_while_another_service_still_stops()
    {
        var slow = new SlowService();
        House house = await House.OpenAsync(services =>
        {
            services.AddMoirai().AddTaskPool("work", static pool => pool.MaxTasks = 10);
            services.AddSingleton<IHostedService>(slow);
        });
        house.Pool("work").TrySpawn(static async _ => await Future.Delay(s_hour), out ManagedTask? task).ShouldBeTrue();
        Task stop = house.StopAsync();
        await Eventually.EndsAsync(slow.Stopping.Task);
        house.Runtime.IsStopped.ShouldBeFalse("services that stop may still spawn");
        house.Time.Advance(House.Drain);
        await Eventually.IsAsync(() => task.State == TaskState.Canceled, "the end of the task, although the host waits for a service");
        stop.IsCompleted.ShouldBeFalse();
        house.Log.Of("Moirai.Lifecycle").ShouldContain(static line => line.Id == 102);
        slow.MayEnd.SetResult();
        await Eventually.EndsAsync(stop);
        house.Log.Of("Moirai.Lifecycle").Last().Id.ShouldBe(103);
        await house.DisposeAsync();
    }

    [Fact]
    public async Task A_host_that_is_in_a_hurry_drains_no_longer()
    {
        House house = await OpenAsync(Timeout.InfiniteTimeSpan);
        house.Pool("work").TrySpawn(static async _ => await Future.Delay(s_hour), out ManagedTask? task).ShouldBeTrue();
        using var hurry = new CancellationTokenSource();
        Task stop = house.StopAsync(hurry.Token);
        await Eventually.IsAsync(() => house.Runtime.IsStopped, "the stop of the runtime");
        task.IsEnded.ShouldBeFalse();
        await hurry.CancelAsync();
        await Eventually.EndsAsync(stop);
        task.State.ShouldBe(TaskState.Canceled);
        await house.DisposeAsync();
    }

    [Fact]
    public async Task A_task_that_ignores_the_stop_is_named_in_the_log_and_keeps_neither_the_stop_nor_the_process()
    {
        House house = await OpenAsync();
        var held = new TaskCompletionSource();
        house.Pool("work").TrySpawn(_ => held.Task, out ManagedTask? task, "deaf").ShouldBeTrue();
        await Eventually.IsAsync(() => task.State == TaskState.Blocked, "the deaf one at work");
        Task stop = house.StopAsync();
        await house.PassAsync(House.Drain);
        await house.PassAsync(TimeSpan.FromSeconds(5));
        await Eventually.IsAsync(() => stop.IsCompleted, "the end of the stop");
        LogLine told = house.Log.Of("Moirai.Runtime").Single(static line => line.Id == (int)RuntimeEventKind.StopIncomplete);
        told.Text.ShouldContain("left: #");
        told.Text.ShouldContain("'deaf'");
        await house.DisposeAsync(); // the pool is disposed, too, and does not wait
        held.SetResult();
        await Eventually.IsAsync(() => task.IsEnded, "the end of the deaf one");
    }

    [Fact]
    public async Task A_host_that_is_stopped_again_and_disposed_reports_once()
    {
        House house = await OpenAsync();
        await Task.WhenAll(house.StopAsync(), house.StopAsync());
        await house.StopAsync();
        await house.DisposeAsync();
        house.Log.Of("Moirai.Lifecycle").Count(static line => line.Id == 103).ShouldBe(1);
    }

    [Fact]
    public async Task A_host_that_was_never_started_can_be_disposed()
    {
        House house = House.Build(static services => services.AddMoirai().AddTaskPool("work", static pool => pool.MaxTasks = 1));
        house.Pool("work").TrySpawn(static async _ => await Future.Delay(s_hour), out ManagedTask? task).ShouldBeTrue();
        await Eventually.EndsAsync(((IAsyncDisposable)house.Host).DisposeAsync().AsTask());
        task.State.ShouldBe(TaskState.Canceled);
    }

    private sealed class SlowService : IHostedService
    {
        internal TaskCompletionSource Stopping { get; } = new();

        internal TaskCompletionSource MayEnd { get; } = new();

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken)
        {
            Stopping.TrySetResult();
            return MayEnd.Task;
        }
    }
}
