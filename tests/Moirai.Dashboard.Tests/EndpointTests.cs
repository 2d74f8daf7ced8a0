using System.Net;
using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, part 3: what the page is served by, and to whom.</summary>
public sealed class EndpointTests
{
    private static readonly string[] s_paths = ["/moirai/", "/moirai/page.js", "/moirai/page.css", "/moirai/runtimes", "/moirai/events", "/moirai/frame", "/moirai/snapshot", "/moirai/groups", "/moirai/tasks/1"];

    [Fact]
    public async Task The_page_runs_nothing_but_its_own_script_and_is_asked_for_again_only_when_it_has_changed()
    {
        await using var runtime = new TaskRuntime();
        await using Site site = await Site.OpenAsync(runtime);
        using HttpResponseMessage moved = await site.GetAsync("/moirai?runtime=x");
        moved.StatusCode.ShouldBe(HttpStatusCode.Redirect);
        moved.Headers.Location!.ToString().ShouldBe("/moirai/?runtime=x");

        foreach ((string path, string type) in new[] { ("/moirai/", "text/html"), ("/moirai/page.js", "text/javascript"), ("/moirai/page.css", "text/css") })
        {
            using HttpResponseMessage page = await site.GetAsync(path);
            page.StatusCode.ShouldBe(HttpStatusCode.OK);
            page.Content.Headers.ContentType!.MediaType.ShouldBe(type);
            string policy = page.Headers.GetValues("Content-Security-Policy").Single();
            policy.ShouldContain("default-src 'none'; script-src 'self'; style-src 'self'");
            policy.ShouldNotContain("unsafe");
            page.Headers.GetValues("X-Content-Type-Options").Single().ShouldBe("nosniff");
            using var again = new HttpRequestMessage(HttpMethod.Get, path);
            again.Headers.IfNoneMatch.Add(page.Headers.ETag!);
            (await site.Http.SendAsync(again)).StatusCode.ShouldBe(HttpStatusCode.NotModified);
        }
    }

    [Fact]
    public async Task The_page_asks_nobody_else_and_has_no_script_or_style_within()
    {
        await using var runtime = new TaskRuntime();
        await using Site site = await Site.OpenAsync(runtime);
        string html = await site.Http.GetStringAsync(new Uri("/moirai/", UriKind.Relative));
        html.ShouldNotContain("<style");
        html.ShouldNotContain("style=\"");
        html.ShouldNotContain("onclick");
        html.Split("<script").Length.ShouldBe(2);
        string script = await site.Http.GetStringAsync(new Uri("/moirai/page.js", UriKind.Relative));
        foreach (string way in new[] { "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function" })
        {
            script.ShouldNotContain(way, Case.Sensitive, "names are the program's, and only text");
        }

        (html + script).Replace("http://www.w3.org/", "", StringComparison.Ordinal).ShouldNotContain("://");
    }

    [Fact]
    public async Task Authorization_chains_and_holds_for_everything_below_the_prefix()
    {
        await using var runtime = new TaskRuntime();
        await using Site site = await Site.OpenAsync(
            app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.MapMoirai("/moirai", options =>
                {
                    options.Runtimes.Add(runtime);
                    (options.AllowCommands, options.CommandPolicy) = (true, "operators");
                }).RequireAuthorization();
            },
            static services =>
            {
                services.AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, NamedUser>("test", null);
                services.AddAuthorization(static options => options.AddPolicy("operators", static policy => policy.RequireUserName("operator")));
            });
        foreach (string path in s_paths)
        {
            using HttpResponseMessage refused = await site.GetAsync(path);
            refused.StatusCode.ShouldBe(HttpStatusCode.Unauthorized, path);
        }

        (await site.PostAsync("/moirai/leaks")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        site.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("test", "reader");
        (await site.GetAsync("/moirai/runtimes")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await site.PostAsync("/moirai/leaks")).StatusCode.ShouldBe(HttpStatusCode.Forbidden, "reading is not commanding");
        site.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("test", "operator");
        (await site.PostAsync("/moirai/leaks")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_page_that_is_only_for_reading_refuses_commands()
    {
        await using var runtime = new TaskRuntime();
        await using Site site = await Site.OpenAsync(runtime);
        ManagedTask task = runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)));
        (await site.PostAsync($"/moirai/tasks/{task.Id.Value}/cancel")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await site.PostAsync("/moirai/leaks?policy=heal")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        task.CancelCause.ShouldBeNull();
        (await site.JsonAsync("/moirai/runtimes")).GetProperty("allowsCommands").GetBoolean().ShouldBeFalse();
    }

    [Fact]
    public async Task A_task_is_canceled_where_commands_are_allowed_and_only_from_this_origin()
    {
        await using var runtime = new TaskRuntime();
        await using Site site = await Site.OpenAsync(runtime, static options => options.AllowCommands = true);
        ManagedTask task = runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)));
        string cancel = $"/moirai/tasks/{task.Id.Value}/cancel";
        (await site.PostAsync(cancel, withHeader: false)).StatusCode.ShouldBe(HttpStatusCode.BadRequest, "a form of another page could have sent it");
        task.CancelCause.ShouldBeNull();
        (await site.PostAsync(cancel)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Eventually.IsAsync(() => task.State == TaskState.Canceled, "a canceled task");
        task.CancelCause!.ToString().ShouldContain("asked for on the page");
        Task<HttpResponseMessage> again = site.PostAsync(cancel);
        (await again).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("cross-site")]
    [InlineData("same-site")]
    public async Task A_page_of_another_site_sends_no_command_although_the_application_lets_it_send_headers(string whence)
    {
        await using var runtime = new TaskRuntime();
        await using Site site = await Site.OpenAsync(
            app =>
            {
                app.UseCors(static cors => cors.AllowAnyOrigin().AllowAnyHeader().AllowAnyMethod());
                app.MapMoirai(configure: options =>
                {
                    options.Runtimes.Add(runtime);
                    options.AllowCommands = true;
                });
            },
            static services => services.AddCors());
        ManagedTask task = runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)));
        site.Http.DefaultRequestHeaders.Add("Origin", "https://elsewhere.example");
        site.Http.DefaultRequestHeaders.Add("Sec-Fetch-Site", whence);

        (await site.PostAsync($"/moirai/tasks/{task.Id.Value}/cancel")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await site.PostAsync("/moirai/leaks?policy=heal")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        task.CancelCause.ShouldBeNull();
        site.Http.DefaultRequestHeaders.Remove("Sec-Fetch-Site");
        site.Http.DefaultRequestHeaders.Add("Sec-Fetch-Site", "same-origin");
        (await site.PostAsync($"/moirai/tasks/{task.Id.Value}/cancel")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Leaks_are_reported_then_healed_and_remembered()
    {
        await using var runtime = new TaskRuntime(new() { Name = "leaky" });
        await using Site site = await Site.OpenAsync(runtime, static options => options.AllowCommands = true);
        Leak(runtime);
        await Eventually.IsAsync(() => runtime.TakeSnapshot().States.Blocked == 1, "a task that waits");
        (await site.PostAsync("/moirai/leaks?policy=guess")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        JsonElement report = JsonDocument.Parse(await (await site.PostAsync("/moirai/leaks?policy=report")).Content.ReadAsStringAsync()).RootElement;
        report.GetProperty("report").GetProperty("leaks")[0].GetProperty("name").GetString().ShouldBe("orphan");
        runtime.TakeCensus().Live.ShouldBe(1, "it was only told of");
        (await site.PostAsync("/moirai/leaks?policy=heal")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Eventually.IsAsync(() => runtime.TakeCensus().Live == 0, "the healing of the leak");
        JsonElement frame = await site.JsonAsync("/moirai/frame");
        JsonElement leak = frame.GetProperty("leaks").EnumerateArray().ShouldHaveSingleItem(); // although it was found twice
        leak.GetProperty("taskName").GetString().ShouldBe("orphan");
        leak.GetProperty("message").GetString().ShouldNotBeNull().ShouldContain("it was resumed");
    }

    [Fact]
    public async Task Runtimes_are_chosen_by_name_that_of_the_services_first()
    {
        await using var own = new TaskRuntime(new() { Name = "mine" });
        await using var twin = new TaskRuntime(new() { Name = "mine" });
        await using Site site = await Site.OpenAsync(
            app => app.MapMoirai(configure: options =>
            {
                options.Runtimes.Add(own);
                options.Runtimes.Add(twin);
                options.Runtimes.Add(own);
            }),
            static services => services.AddMoirai(static options => options.Name = "host"));
        _ = twin.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)), name: "of the twin");
        JsonElement choices = await site.JsonAsync("/moirai/runtimes");
        choices.GetProperty("runtimes").EnumerateArray().Select(static one => one.GetProperty("key").GetString()).ShouldBe(["host", "mine", "mine-2"]);
        (await site.JsonAsync("/moirai/frame")).GetProperty("key").GetString().ShouldBe("host");
        (await site.JsonAsync("/moirai/frame?runtime=mine-2")).GetProperty("snapshot").GetProperty("census").GetProperty("live").GetInt32().ShouldBe(1);
        (await site.GetAsync("/moirai/frame?runtime=nobody")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    private static void Leak(TaskRuntime runtime)
    {
        var nobody = new TaskCompletionSource();
        _ = runtime.SpawnDetached(_ => nobody.Task, name: "orphan");
    }

    // Whoever says who he is, is.
    private sealed class NamedUser(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (!AuthenticationHeaderValue.TryParse(Request.Headers.Authorization, out AuthenticationHeaderValue? said) || said.Parameter is null)
            {
                return Task.FromResult(AuthenticateResult.NoResult());
            }

            var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, said.Parameter)], "test"));
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(user, "test")));
        }
    }
}
