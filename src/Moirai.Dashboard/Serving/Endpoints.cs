using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Moirai.Dashboard.Frames;
using Moirai.Dashboard.Watching;

namespace Moirai.Dashboard.Serving;

/// <summary>What is asked, and what is answered.</summary>
internal sealed class Endpoints(Gallery gallery, MoiraiDashboardOptions options)
{
    /// <summary>A header that no page of another origin can send without being asked about it first.</summary>
    internal const string CommandHeader = "X-Moirai-Command";

    // Set by browsers, and by no script.
    private const string WhenceHeader = "Sec-Fetch-Site";

    private const int LongestChain = 12;
    private const int LongestFilter = 200;

    internal IEndpointConventionBuilder Map(RouteGroupBuilder group)
    {
        group.ExcludeFromDescription();
        group.MapGet("/", PageAsync);
        group.MapGet("/page.js", PageFiles.Script.ServeAsync);
        group.MapGet("/page.css", PageFiles.Style.ServeAsync);
        group.MapGet("/runtimes", ChoicesAsync);
        group.MapGet("/events", StreamAsync);
        group.MapGet("/frame", FrameAsync);
        group.MapGet("/snapshot", SnapshotAsync);
        group.MapGet("/groups", GroupsAsync);
        group.MapGet("/tasks/{id:long}", TaskAsync);
        IEndpointConventionBuilder[] commands = [group.MapPost("/tasks/{id:long}/cancel", CancelAsync), group.MapPost("/leaks", FindLeaksAsync)];
        if (options.CommandPolicy is { } policy)
        {
            Array.ForEach(commands, command => command.RequireAuthorization(policy));
        }

        return group;
    }

    private static Task PageAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (request.Path.Value is not ([.., '/'] or null))
        {
            // What the page asks for is relative to it.
            context.Response.Redirect($"{request.PathBase}{request.Path}/{request.QueryString}");
            return Task.CompletedTask;
        }

        return PageFiles.Html.ServeAsync(context);
    }

    private Task ChoicesAsync(HttpContext context) => Answers.JsonAsync(
        context,
        new Choices(
            [.. gallery.Observers.Values.Select(static observer => new RuntimeRow(observer.Key, observer.Runtime.TakeCensus().Live, observer.Runtime.IsStopped))],
            options.AllowCommands),
        DashboardJson.Default.Choices);

    private async Task StreamAsync(HttpContext context)
    {
        if (await WatchAsync(context).ConfigureAwait(false) is not { } watcher)
        {
            return;
        }

        using (watcher)
        {
            Answers.Begin(context, StatusCodes.Status200OK, "text/event-stream; charset=utf-8");
            context.Response.Headers["X-Accel-Buffering"] = "no";
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            try
            {
                await context.Response.BodyWriter.WriteAsync("retry: 1000\n\n"u8.ToArray(), context.RequestAborted).ConfigureAwait(false);
                while (await watcher.NextAsync(context.RequestAborted).ConfigureAwait(false) is { } frame)
                {
                    // Waits until the client has taken the most of it; frames that come meanwhile replace each other in its seat.
                    if ((await context.Response.BodyWriter.WriteAsync(frame, context.RequestAborted).ConfigureAwait(false)).IsCompleted)
                    {
                        return;
                    }
                }
            }
            catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
            {
                // The client has gone, which is how a stream ends.
            }
        }
    }

    private async Task FrameAsync(HttpContext context)
    {
        if (await WatchAsync(context).ConfigureAwait(false) is not { } watcher)
        {
            return;
        }

        using (watcher)
        {
            if (await watcher.NextAsync(context.RequestAborted).ConfigureAwait(false) is { } frame)
            {
                Answers.Begin(context, StatusCodes.Status200OK, "application/json; charset=utf-8");
                await context.Response.Body.WriteAsync(FrameMaker.JsonOf(frame), context.RequestAborted).ConfigureAwait(false);
            }
            else
            {
                await Answers.RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "The host stops.").ConfigureAwait(false);
            }
        }
    }

    private async Task<Watcher?> WatchAsync(HttpContext context)
    {
        if (await ObserverAsync(context).ConfigureAwait(false) is not { } observer)
        {
            return null;
        }

        if (observer.Watch() is { } watcher)
        {
            return watcher;
        }

        await Answers.RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, $"As many as are allowed watch already ({options.MaxWatchers}), or the host stops.").ConfigureAwait(false);
        return null;
    }

    private async Task SnapshotAsync(HttpContext context)
    {
        if (await ObserverAsync(context).ConfigureAwait(false) is { } observer)
        {
            RuntimeSnapshot snapshot = await observer.Questions.PassAsync(() => observer.Runtime.TakeSnapshot(), context.RequestAborted).ConfigureAwait(false);
            Answers.Begin(context, StatusCodes.Status200OK, "application/json; charset=utf-8");
            await snapshot.WriteJsonAsync(context.Response.Body, context.RequestAborted).ConfigureAwait(false);
        }
    }

    // Out of the snapshot of those who watch: none is taken for it.
    private async Task GroupsAsync(HttpContext context)
    {
        if (await ObserverAsync(context).ConfigureAwait(false) is { } observer)
        {
            string filter = context.Request.Query["filter"].ToString();
            GroupMatches found = observer.LastSnapshot is { } snapshot
                ? FrameMaker.Matching(snapshot, filter.Length > LongestFilter ? filter[..LongestFilter] : filter)
                : new GroupMatches([], 0, 0);
            await Answers.JsonAsync(context, found, DashboardJson.Default.GroupMatches).ConfigureAwait(false);
        }
    }

    private async Task TaskAsync(HttpContext context)
    {
        if (await ObserverAsync(context).ConfigureAwait(false) is not { } observer)
        {
            return;
        }

        TaskSnapshot? told = await FindAsync(context, observer).ConfigureAwait(false) is { } task ? observer.Runtime.TakeTaskSnapshot(task) : null;
        if (told is null)
        {
            await Answers.RefuseAsync(context, StatusCodes.Status404NotFound, "No such task lives in this runtime: it has ended.").ConfigureAwait(false);
            return;
        }

        List<TaskSnapshot> chain = [];
        HashSet<TaskId> seen = [told.Id];
        bool isRing = false;
        TaskSnapshot at = told;
        while (chain.Count < LongestChain && (at.Wait?.Holder ?? at.Wait?.Task) is { } next)
        {
            isRing = !seen.Add(next);
            if (isRing || await observer.Handles.FindAsync(next, context.RequestAborted).ConfigureAwait(false) is not { } holder || observer.Runtime.TakeTaskSnapshot(holder) is not { } one)
            {
                break;
            }

            chain.Add(one);
            at = one;
        }

        await Answers.JsonAsync(context, new TaskDetail(told, chain) { IsRing = isRing }, DashboardJson.Default.TaskDetail).ConfigureAwait(false);
    }

    private async Task CancelAsync(HttpContext context)
    {
        if (!await MayCommandAsync(context).ConfigureAwait(false) || await ObserverAsync(context).ConfigureAwait(false) is not { } observer)
        {
            return;
        }

        ManagedTask? task = await FindAsync(context, observer).ConfigureAwait(false);
        bool done = task?.Cancel(context.User.Identity?.Name is { Length: > 0 } who ? $"asked for on the page by {who}" : "asked for on the page") == true;
        string said = task is null ? "No such task lives in this runtime: it has ended."
            : done ? $"{task.Id} '{task.Name}' was asked to stop."
            : $"{task.Id} '{task.Name}' had ended, or was asked before.";
        await Answers.JsonAsync(context, new CommandAnswer(done, said), DashboardJson.Default.CommandAnswer, task is null ? StatusCodes.Status404NotFound : StatusCodes.Status200OK).ConfigureAwait(false);
    }

    private async Task FindLeaksAsync(HttpContext context)
    {
        if (!await MayCommandAsync(context).ConfigureAwait(false) || await ObserverAsync(context).ConfigureAwait(false) is not { } observer)
        {
            return;
        }

        LeakPolicy? policy = context.Request.Query["policy"].ToString() switch
        {
            "" or "report" => LeakPolicy.Report,
            "heal" => LeakPolicy.Heal,
            _ => null,
        };
        if (policy is not { } chosen)
        {
            await Answers.RefuseAsync(context, StatusCodes.Status400BadRequest, "The policy is 'report' or 'heal'.").ConfigureAwait(false);
            return;
        }

        LeakReport report = await observer.Runtime.FindLeaksAsync(chosen).WaitAsync(context.RequestAborted).ConfigureAwait(false);
        string said = string.Create(CultureInfo.InvariantCulture, $"{(report.IsClean ? "Nothing has leaked" : $"{report.Leaks.Count:N0} leaked")}: {report.Examined:N0} waiting tasks were looked at in {report.Duration.TotalMilliseconds:0} ms.");
        await Answers.JsonAsync(
            context,
            new CommandAnswer(!report.IsClean, said) { Report = report with { Leaks = [.. report.Leaks.Take(100)] } },
            DashboardJson.Default.CommandAnswer).ConfigureAwait(false);
    }

    private async Task<bool> MayCommandAsync(HttpContext context)
    {
        if (!options.AllowCommands)
        {
            await Answers.RefuseAsync(context, StatusCodes.Status403Forbidden, "The page is read-only here: MoiraiDashboardOptions.AllowCommands is not set.").ConfigureAwait(false);
            return false;
        }

        // Where a browser says whence a question comes, it is believed: whoever lets pages of others send headers (by CORS, for an API beside this) has not meant commands.
        if (context.Request.Headers[WhenceHeader].ToString() is "cross-site" or "same-site")
        {
            await Answers.RefuseAsync(context, StatusCodes.Status403Forbidden, "A command comes from the page itself, and from no page of another origin.").ConfigureAwait(false);
            return false;
        }

        if (context.Request.Headers.ContainsKey(CommandHeader))
        {
            return true;
        }

        await Answers.RefuseAsync(context, StatusCodes.Status400BadRequest, $"A command needs the header {CommandHeader}: so no page of another origin can send one.").ConfigureAwait(false);
        return false;
    }

    // By name, or the first.
    private async ValueTask<Observer?> ObserverAsync(HttpContext context)
    {
        string key = context.Request.Query["runtime"].ToString();
        if (key.Length == 0)
        {
            return gallery.Observers.Values.First();
        }

        if (gallery.Observers.TryGetValue(key, out Observer? observer))
        {
            return observer;
        }

        await Answers.RefuseAsync(context, StatusCodes.Status404NotFound, "No runtime of that name is shown here.").ConfigureAwait(false);
        return null;
    }

    private static ValueTask<ManagedTask?> FindAsync(HttpContext context, Observer observer) =>
        observer.Handles.FindAsync(new TaskId(long.Parse((string)context.Request.RouteValues["id"]!, CultureInfo.InvariantCulture)), context.RequestAborted);
}
