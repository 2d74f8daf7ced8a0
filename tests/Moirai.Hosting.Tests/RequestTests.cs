using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Moirai.Testing;

namespace Moirai.Hosting.Tests;

/// <summary>Row C3, a request runs as a managed task of a pool.</summary>
public sealed class RequestTests
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    [Fact]
    public async Task A_request_is_a_task_of_the_pool_by_the_name_of_its_endpoint()
    {
        await using Shop shop = await Shop.OpenAsync(static app => app.MapGet("/who/{id}", static async (IHttpContextAccessor accessor) =>
        {
            await Task.Yield();
            return $"{ManagedTask.Current!.Name}, {accessor.HttpContext!.Request.Path}";
        }));
        (await shop.Http.GetStringAsync(new Uri("/who/7", UriKind.Relative))).ShouldBe("HTTP: GET /who/{id}, /who/7");
        (await shop.GetAsync("/nowhere")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        shop.Pool.Counts.ShouldBe(new PoolCounts(2, 0, 2, 0, 0));
    }

    [Fact]
    public async Task The_activity_of_the_request_flows_into_its_task()
    {
        Activity? seen = null;
        using var source = new Activity("outside");
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.MapGet("/", async () =>
            {
                await Task.Yield();
                seen = Activity.Current;
            });
        });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        (await shop.Http.SendAsync(request)).EnsureSuccessStatusCode();
        seen.ShouldNotBeNull().TraceId.ToString().ShouldBe("0af7651916cd43dd8448eb211c80319c");
    }

    [Fact]
    public async Task The_span_of_a_request_and_of_its_wait_for_a_slot_are_children_of_the_servers_and_the_handler_stays_in_its_trace()
    {
        const string Trace = "1af7651916cd43dd8448eb211c80319d";
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name is "Moirai" or "Microsoft.AspNetCore",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        var held = new Held();
        var seen = new ConcurrentQueue<string?>();
        await using (Shop shop = await Shop.OpenAsync(
            app => app.MapGet("/", async () =>
            {
                seen.Enqueue(Activity.Current?.DisplayName);
                _ = await held.StayAsync();
                seen.Enqueue(Activity.Current?.DisplayName);
            }),
            slots: 1))
        {
            Task<HttpResponseMessage> first = SendAsync(shop);
            await held.ArriveAsync(1);
            Task<HttpResponseMessage> second = SendAsync(shop);
            await Eventually.IsAsync(() => shop.Pool.WaitingCount == 1, "the wait for a slot");
            held.Gate.SetResult();
            (await first).EnsureSuccessStatusCode();
            (await second).EnsureSuccessStatusCode();
        }

        seen.ShouldBe(["HTTP: GET /", "HTTP: GET /", "HTTP: GET /", "HTTP: GET /"]);
        Activity[] ofTrace = [.. spans.Where(static span => span.TraceId.ToString() == Trace)];
        ActivitySpanId[] servers = [.. ofTrace.Where(static span => span.Source.Name == "Microsoft.AspNetCore").Select(static span => span.SpanId)];
        servers.Length.ShouldBe(2);
        Activity[] ours = [.. ofTrace.Where(static span => span.Source.Name == "Moirai")];
        ours.Select(static span => span.DisplayName).ShouldBe(["HTTP: GET /", "HTTP: GET /", "admission"], ignoreOrder: true);
        ours.ShouldAllBe(span => servers.Contains(span.ParentSpanId) && !span.Links.Any());

        static async Task<HttpResponseMessage> SendAsync(Shop shop)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/");
            request.Headers.Add("traceparent", $"00-{Trace}-b7ad6b7169203331-01");
            return await shop.Http.SendAsync(request);
        }
    }

    [Fact]
    public async Task A_request_that_gets_no_slot_in_time_is_answered_with_503_and_when_to_come_again()
    {
        var held = new Held();
        await using Shop shop = await Shop.OpenAsync(app => app.MapGet("/", held.StayAsync), slots: 1);
        Task<HttpResponseMessage> first = shop.GetAsync("/");
        await held.ArriveAsync(1);
        Task<HttpResponseMessage> second = shop.GetAsync("/");
        await Eventually.IsAsync(() => shop.Pool.WaitingCount == 1 && shop.Time.NextTimerIn == TimeSpan.FromSeconds(5), "the wait for a slot");
        shop.Time.Advance(TimeSpan.FromSeconds(5));
        HttpResponseMessage refused = await second;
        refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        refused.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(2), "rounded up");
        shop.Log.Of("Moirai.Requests").ShouldHaveSingleItem().Text.ShouldContain("was refused with 503 by pool 'requests': no slot came within 00:00:05");

        held.Gate.SetResult();
        (await (await first).Content.ReadAsStringAsync()).ShouldBe("done");
        (await shop.GetAsync("/")).EnsureSuccessStatusCode();
        Census census = shop.Runtime.TakeCensus();
        (census.Live, census.SlotsInUse, census.Waiters, census.TimerEntries).ShouldBe((0, 0, 0, 0));
    }

    [Fact]
    public async Task A_refusal_is_a_problem_in_the_form_that_the_application_gives_to_problems()
    {
        var held = new Held();
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapGet("/", held.StayAsync), slots: 1, static requests => requests.AdmissionTimeout = TimeSpan.Zero, static services => services.AddProblemDetails());
        Task<HttpResponseMessage> first = shop.GetAsync("/");
        await held.ArriveAsync(1);
        HttpResponseMessage refused = await shop.GetAsync("/");
        refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("The service is busy");
        held.Gate.SetResult();
        (await first).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task A_request_that_waits_gets_the_slot_of_one_that_ends()
    {
        var held = new Held();
        await using Shop shop = await Shop.OpenAsync(app => app.MapGet("/", held.StayAsync), slots: 1);
        Task<HttpResponseMessage> first = shop.GetAsync("/");
        await held.ArriveAsync(1);
        Task<HttpResponseMessage> second = shop.GetAsync("/");
        await Eventually.IsAsync(() => shop.Pool.WaitingCount == 1, "the wait for a slot");
        held.Gate.SetResult();
        (await first).EnsureSuccessStatusCode();
        (await second).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task A_limit_of_an_endpoint_holds_although_the_pool_has_slots_and_leaves_the_others_alone()
    {
        var held = new Held();
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.MapGet("/heavy", held.StayAsync).WithTaskPool("requests", maxRequests: 2);
                app.MapGet("/light", static () => "light");
            },
            slots: 10);
        Task<HttpResponseMessage>[] heavy = [shop.GetAsync("/heavy"), shop.GetAsync("/heavy"), shop.GetAsync("/heavy")];
        await held.ArriveAsync(2);
        await Eventually.IsAsync(() => shop.Time.NextTimerIn == TimeSpan.FromSeconds(5), "the wait of the third");
        (shop.Pool.ActiveCount, shop.Pool.WaitingCount).ShouldBe((2, 0), "it waits in the line of its endpoint");
        (await shop.Http.GetStringAsync(new Uri("/light", UriKind.Relative))).ShouldBe("light");
        shop.Time.Advance(TimeSpan.FromSeconds(5));
        HttpResponseMessage refused = await await Task.WhenAny(heavy);
        refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        held.Gate.SetResult();
        (await Task.WhenAll(heavy)).Count(static answer => answer.StatusCode == HttpStatusCode.OK).ShouldBe(2);
        (await shop.GetAsync("/heavy")).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task A_limit_of_a_group_is_shared_by_its_endpoints()
    {
        var held = new Held();
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                RouteGroupBuilderOf(app, held);
            },
            slots: 10,
            static requests => requests.AdmissionTimeout = TimeSpan.Zero);
        Task<HttpResponseMessage> first = shop.GetAsync("/group/a");
        await held.ArriveAsync(1);
        (await shop.GetAsync("/group/b")).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        held.Gate.SetResult();
        (await first).EnsureSuccessStatusCode();
        (await shop.GetAsync("/group/b")).EnsureSuccessStatusCode();
    }

    private static void RouteGroupBuilderOf(WebApplication app, Held held)
    {
        var group = app.MapGroup("/group").WithTaskPool("requests", maxRequests: 1);
        group.MapGet("/a", held.StayAsync);
        group.MapGet("/b", static () => "b");
    }

    [Fact]
    public async Task An_endpoint_may_have_a_pool_of_its_own_or_none()
    {
        await using Shop shop = await Shop.OpenAsync(
            static app =>
            {
                app.MapGet("/own", static () => ManagedTask.Current is null ? "none" : "some").WithTaskPool("own");
                app.MapGet("/none", static () => ManagedTask.Current is null ? "none" : "some").WithoutTaskPool();
            },
            more: static services => services.AddMoirai().AddTaskPool("own", static pool => pool.MaxTasks = 1));
        (await shop.Http.GetStringAsync(new Uri("/own", UriKind.Relative))).ShouldBe("some");
        (await shop.Http.GetStringAsync(new Uri("/none", UriKind.Relative))).ShouldBe("none");
        shop.Pool.Counts.Created.ShouldBe(0);
        shop.App.Services.GetRequiredKeyedService<TaskPool>("own").Counts.Completed.ShouldBe(1);
    }

    [Fact]
    public async Task Without_a_pool_for_all_only_endpoints_that_name_one_are_pooled()
    {
        await using Shop shop = await Shop.OpenAsync(
            static app =>
            {
                app.MapGet("/pooled", static () => ManagedTask.Current is null ? "none" : "some").WithTaskPool("requests");
                app.MapGet("/plain", static () => ManagedTask.Current is null ? "none" : "some");
            },
            configure: static requests => requests.Pool = null);
        (await shop.Http.GetStringAsync(new Uri("/pooled", UriKind.Relative))).ShouldBe("some");
        (await shop.Http.GetStringAsync(new Uri("/plain", UriKind.Relative))).ShouldBe("none");
    }

    [Fact]
    public async Task An_endpoint_that_names_an_unknown_pool_keeps_the_host_from_starting()
    {
        Exception error = (await Should.ThrowAsync<InvalidOperationException>(static () => Shop.OpenAsync(static app => app.MapGet("/", static () => "").WithTaskPool("reqests"))))!;
        error.Message.ShouldBe("Endpoint 'HTTP: GET /' is to run in pool 'reqests', and there is no such pool (there are: requests). Correct the name, or add the pool: services.AddMoirai().AddTaskPool(\"reqests\", …).");
    }

    [Fact]
    public async Task A_middleware_without_its_services_says_what_to_add()
    {
        await using WebApplication app = WebApplication.CreateSlimBuilder().Build();
        Should.Throw<InvalidOperationException>(() => app.UsePooledRequests()).Message.ShouldContain("services.AddMoirai().AddPooledRequests(…)");
        Should.Throw<ArgumentOutOfRangeException>(() => app.MapGet("/", static () => "").WithTaskPool("requests", -1));
    }

    [Fact]
    public async Task A_failure_of_a_request_is_the_applications_as_ever()
    {
        await using Shop shop = await Shop.OpenAsync(static app => app.MapGet("/", static string () => throw new InvalidOperationException("planned")));
        (await shop.GetAsync("/")).StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        shop.Pool.Counts.Failed.ShouldBe(1);
        await shop.StopAsync();
        shop.Log.Of("Moirai.Runtime").ShouldBeEmpty("somebody has looked at it");
    }

    [Fact]
    public Task A_client_that_hangs_up_leaves_nothing() => HangsUpAsync(static _ => { });

    [Fact]
    public async Task twin_A_request_that_does_not_hear_of_the_hang_up_is_caught()
    {
        LeftBehindException left = (await Should.ThrowAsync<LeftBehindException>(() => HangsUpAsync(static requests => requests.HeedsHangUps = false, TimeSpan.Zero)))!;
        left.Left.ShouldContain(static one => one.Contains("HTTP: GET /slow", StringComparison.Ordinal));
        left.Left.ShouldContain("1 slots of pools are held");
    }

    private static async Task HangsUpAsync(Action<PooledRequestsOptions> plant, TimeSpan? settle = null)
    {
        var (inside, aborted) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapGet("/slow", async (HttpContext context, TaskRuntime runtime) =>
            {
                context.RequestAborted.Register(aborted.SetResult);

                // Nothing here looks at RequestAborted: the tree of the request's task is canceled.
                await runtime.RunScopeAsync("parts", async scope =>
                {
                    _ = scope.Spawn(async _ =>
                    {
                        inside.SetResult();
                        await Future.Delay(s_hour);
                    });
                    await Future.Delay(s_hour);
                });
            }),
            configure: plant);
        try
        {
            await HangUpInsideAsync(shop, inside.Task, aborted.Task, settle);
        }
        finally
        {
            shop.Pool.Cancel("the test is over"); // in the twin the server would wait for the request as long as it may
        }
    }

    private static async Task HangUpInsideAsync(Shop shop, Task inside, Task aborted, TimeSpan? settle)
    {
        await using var nothing = new NothingLeftBehind(shop.Runtime, settle) { CountsTimers = false };
        using var hangUp = new CancellationTokenSource();
        Task<HttpResponseMessage> request = shop.GetAsync("/slow", hangUp.Token);
        await Eventually.EndsAsync(inside);
        await hangUp.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => request);
        await Eventually.EndsAsync(aborted);
    }

    [Fact]
    public async Task A_client_that_hangs_up_in_the_line_leaves_it_at_once()
    {
        var held = new Held();
        await using Shop shop = await Shop.OpenAsync(app => app.MapGet("/", held.StayAsync), slots: 1);
        Task<HttpResponseMessage> first = shop.GetAsync("/");
        await held.ArriveAsync(1);
        using var hangUp = new CancellationTokenSource();
        Task<HttpResponseMessage> second = shop.GetAsync("/", hangUp.Token);
        await Eventually.IsAsync(() => shop.Pool.WaitingCount == 1, "the wait for a slot");
        await hangUp.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => second);
        await Eventually.IsAsync(() => shop.Pool.WaitingCount == 0 && shop.Runtime.TakeCensus().TimerEntries == 0, "the line is left, and its timer with it");
        held.Gate.SetResult();
        (await first).EnsureSuccessStatusCode();
        held.Entered.ShouldBe(1);
    }

    [Fact]
    public async Task A_host_that_stops_refuses_new_requests_and_lets_those_inside_end()
    {
        var held = new Held();
        Shop shop = await Shop.OpenAsync(app => app.MapGet("/", held.StayAsync), more: static services => services.AddHostedService<Gatekeeper>());
        Task<HttpResponseMessage> inside = shop.GetAsync("/");
        await held.ArriveAsync(1);
        Gatekeeper gatekeeper = shop.App.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<Gatekeeper>().Single();
        gatekeeper.Ask = () => shop.GetAsync("/"); // while the server still listens
        Task stop = shop.StopAsync();
        HttpResponseMessage late = await await Eventually.EndsAsync(gatekeeper.Asked.Task);
        late.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        late.Headers.RetryAfter.ShouldNotBeNull();
        late.Headers.ConnectionClose.ShouldBe(true);
        held.Gate.SetResult();
        (await (await inside).Content.ReadAsStringAsync()).ShouldBe("done");
        await Eventually.EndsAsync(stop);
        held.Entered.ShouldBe(1);
        await shop.DisposeAsync();
    }

    [Fact]
    public async Task A_request_that_has_not_ended_when_the_hosts_time_is_over_is_canceled_and_answered()
    {
        var inside = new TaskCompletionSource();
        Shop shop = await Shop.OpenAsync(app => app.MapGet("/", async (TaskRuntime runtime) =>
        {
            inside.SetResult();
            await runtime.RunScopeAsync("for ever", static async _ => await Future.Delay(s_hour));
        }));
        Task<HttpResponseMessage> request = shop.GetAsync("/");
        await Eventually.EndsAsync(inside.Task);
        Task stop = shop.StopAsync();
        await Eventually.IsAsync(() => shop.Time.NextTimerIn < s_hour, "the clock of the stop");
        shop.Time.Advance(House.Drain);
        (await Eventually.EndsAsync(request)).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        await Eventually.EndsAsync(stop);
        await shop.DisposeAsync();
    }

    [Fact]
    public async Task A_request_that_an_operator_cancels_is_answered_with_503()
    {
        ManagedTask? task = null;
        await using Shop shop = await Shop.OpenAsync(app => app.MapGet("/", async (TaskRuntime runtime) =>
        {
            task = ManagedTask.Current;
            await runtime.RunScopeAsync("for ever", static async _ => await Future.Delay(s_hour));
        }));
        Task<HttpResponseMessage> request = shop.GetAsync("/");
        await Eventually.IsAsync(() => task is { State: TaskState.Blocked }, "the request");
        task!.Cancel("an operator").ShouldBeTrue();
        (await Eventually.EndsAsync(request)).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        shop.Log.Of("Moirai.Requests").ShouldHaveSingleItem().Text.ShouldContain("an operator");
    }

    /// <summary>Asks once, between the first word of a stop and the server's own.</summary>
    private sealed class Gatekeeper : Microsoft.Extensions.Hosting.IHostedLifecycleService
    {
        internal Func<Task<HttpResponseMessage>>? Ask { get; set; }

        internal TaskCompletionSource<Task<HttpResponseMessage>> Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task StoppingAsync(CancellationToken cancellationToken)
        {
            if (Asked.Task.IsCompleted)
            {
                return; // the host is stopped once more, when it is disposed
            }

            Task<HttpResponseMessage> answer = Ask!();
            Asked.SetResult(answer);
            await answer;
        }

        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
