using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using PlainDriver;

namespace Moirai.Programs.Tests;

/// <summary>Issue 5, part 6: calls by <see cref="HttpClient"/> and requests of ASP.NET Core, over Kestrel on the loopback.</summary>
public sealed class HttpTests : IAsyncLifetime
{
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _arrived = new(0);
    private readonly TaskCompletionSource _hungUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Stage _stage = new();
    private readonly HeldServer _server = new();
    private Database _database = null!;
    private WebApplication _app = null!;
    private HttpClient _http = null!;
    private string? _endpointSite;

    public async ValueTask InitializeAsync()
    {
        _database = new Database(_server.Address, maxConnections: 1);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddMoirai()
            .ConfigureRuntime((_, runtime) => (runtime.Name, runtime.TimeProvider, runtime.Accounting, runtime.Alarms) = ("web", _stage.Time, AccountingLevel.Exact, _stage.Limits))
            .AddTaskPool("requests", static pool => pool.MaxTasks = 2)
            .AddPooledRequests(static requests => (requests.Pool, requests.AdmissionTimeout) = ("requests", TimeSpan.FromHours(1)));
        _app = builder.Build();
        _app.UsePooledRequests();
        _app.MapGet("/slow", SlowAsync);
        _app.MapGet("/order/{id}", OrderAsync);
        await _app.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.First()), Timeout = Timeout.InfiniteTimeSpan };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Stage.EndsAsync(_app.DisposeAsync().AsTask());
        await _stage.DisposeAsync();
        _database.Dispose();
        await _server.DisposeAsync();
        _arrived.Dispose();
    }

    [Fact]
    public async Task A_call_that_gets_no_answer_is_told_with_the_line_of_its_await_and_ends_with_its_task()
    {
        string? site = null;
        ManagedTask<string> call = _stage.Runtime.SpawnDetached(
            async ct =>
            {
                site = Stage.Here(); string answer = await _http.GetStringAsync(new Uri("/slow", UriKind.Relative), ct).ConfigureAwait(false);
                return answer;
            },
            name: "price");
        await Stage.EndsAsync(_arrived.WaitAsync());
        TaskSnapshot told = await _stage.StandsInAsync(call, "a lambda in A_call_that_gets_no_answer_is_told_with_the_line_of_its_await_and_ends_with_its_task");

        told.AwaitSite.ShouldBe(site);
        told.Wait.ShouldNotBeNull().What.ShouldBe("HttpClient.GetStringAsync (a socket)");
        told.Chain.ShouldContain(static frame => frame.Type == "HttpConnection" && frame.IsInfrastructure);
        _stage.Pass(31);
        (call.TakeAccount().Blocked, call.TakeAccount().Busy).ShouldBe((TimeSpan.FromSeconds(31), TimeSpan.Zero));
        Alarm alarm = _stage.Alarms.Single(one => one.Task == call.Id && one.Name == "price");
        (alarm.Kind, alarm.AwaitSite).ShouldBe((AlarmKind.BlockedTooLong, site));

        call.Cancel("too slow");
        await Stage.IsAsync(() => call.IsEnded, "the cancellation reaches the call");
        call.State.ShouldBe(TaskState.Canceled);
        await Stage.EndsAsync(_hungUp.Task); // and the server sees who hung up
    }

    [Fact]
    public async Task A_request_is_a_task_whose_time_and_place_are_told_through_the_framework_and_the_driver()
    {
        TaskRuntime web = _app.Services.GetRequiredService<TaskRuntime>();
        Task<string> answer = _http.GetStringAsync(new Uri("/order/7", UriKind.Relative));
        (await _server.ArrivesAsync()).ShouldBe("held 7");
        TaskSnapshot? request = null;
        await Stage.IsAsync(
            () => (request = web.TakeSnapshot().Tasks.SingleOrDefault()) is { State: TaskState.Blocked, Chain: [.., _] } && request.Chain.Any(static frame => frame.Method == "FillAsync"),
            () => $"the request waits in the driver, but it is {request}");

        request!.Name.ShouldBe("HTTP: GET /order/{id} => OrderAsync");
        request.Chain.Where(static frame => !frame.IsInfrastructure).Select(static frame => frame.Method).Take(5).ShouldBe(["FillAsync", "ReadFrameAsync", "AskAsync", "QueryAsync", "OrderAsync"]);
        request.Chain.ShouldContain(frame => frame.Site == _endpointSite);
        request.Holds.ShouldContain(static held => held.Contains("requests", StringComparison.Ordinal));
        _stage.Time.Advance(TimeSpan.FromSeconds(8));
        web.TakeSnapshot().Tasks.Single().Blocked.ShouldBe(TimeSpan.FromSeconds(8));
        web.TakeSnapshot().Tasks.Single().Busy.ShouldBe(TimeSpan.FromSeconds(1), "what the endpoint computed before");

        _server.Answer("held 7", "done");
        (await Stage.EndsAsync(answer)).ShouldBe("order done");
        await Stage.IsAsync(() => web.TakeCensus().Live == 0, "the request has ended");
    }

    [Fact]
    public async Task Requests_that_fill_their_pool_are_told_together_and_raise_an_alarm_that_names_it_and_who_waits()
    {
        Task<string>[] answers = [.. Enumerable.Range(0, 3).Select(_ => _http.GetStringAsync(new Uri("/slow", UriKind.Relative)))];
        await Stage.EndsAsync(_arrived.WaitAsync());
        await Stage.EndsAsync(_arrived.WaitAsync());
        TaskPool pool = _app.Services.GetRequiredKeyedService<TaskPool>("requests");
        await Stage.IsAsync(() => pool.WaitingCount == 1, "the third waits for a slot");
        string full = _app.Services.GetRequiredService<TaskRuntime>().TakeSnapshot().ToString();
        full.ShouldContain("× 2 'HTTP: GET /slow => SlowAsync' waiting at HttpTests.cs:");
        _stage.Pass(32);
        Alarm alarm = _stage.Alarms.Single(static one => one.Kind == AlarmKind.PoolFull);
        (alarm.Name, alarm.Count, alarm.Detail).ShouldBe(("requests", 1, "all 2 slots are held"));
        _gate.SetResult();
        foreach (Task<string> answer in answers)
        {
            (await Stage.EndsAsync(answer)).ShouldBe("at last");
        }
    }

    private async Task<string> SlowAsync(CancellationToken aborted)
    {
        _arrived.Release();
        try
        {
            await _gate.Task.WaitAsync(aborted);
            return "at last";
        }
        catch (OperationCanceledException)
        {
            _hungUp.SetResult();
            throw;
        }
    }

    private async Task<string> OrderAsync(string id, CancellationToken aborted)
    {
        _stage.Time.Advance(TimeSpan.FromSeconds(1));
        _endpointSite = Stage.Here(); string answer = await _database.QueryAsync($"held {id}", aborted);
        return $"order {answer}";
    }
}
