using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Moirai.Hosting.Requests;

/// <summary>Runs a request as a task of a pool.</summary>
/// <remarks>
/// <code>
///   request ─► place of its endpoint ─► slot of the endpoint ─► slot of the pool ─► task: the rest of the pipeline ─► response
///              (pool, limit, name)      └──── within AdmissionTimeout, else 503 ────┘   canceled when the client hangs up
/// </code>
/// The endpoint's slot comes first, so that an endpoint which is overrun fills its own line and not the pool's. The middleware returns when the task has ended, whatever happens: nothing uses the
/// <see cref="HttpContext"/> after that. Safe from any thread.
/// </remarks>
internal sealed partial class PooledRequests(IServiceProvider services, TaskRuntime runtime, RequestIntake intake, IOptions<PooledRequestsOptions> options, ILoggerFactory loggers)
{
    internal const string Category = "Moirai.Requests";

    // As the telemetry of the core calls it: this activity lasts until what is spawned from it has ended, so that is its child and not a trace of its own.
    private const string WaitsForEnd = "moirai.waits_for_end";

    private const string NothingDone = "Nothing was done. Try again later.";

    // Only asked whether anybody listens to the source of this name, which is the core's.
    private static readonly ActivitySource s_spans = new("Moirai");

    private readonly ILogger _logger = loggers.CreateLogger(Category);
    private readonly PooledRequestsOptions _options = options.Value;
    private readonly Place? _elsewhere = options.Value.Pool is { } pool ? new Place(services.GetRequiredKeyedService<TaskPool>(pool), null, "request") : null;

    // Endpoints come and go with their data sources.
    private readonly ConditionalWeakTable<Endpoint, Place> _places = [];
    private readonly ConditionalWeakTable<TaskPoolAttribute, TaskSlotManager> _limits = [];

    internal Task RunAsync(HttpContext context, RequestDelegate next) =>
        PlaceOf(context.GetEndpoint()) is { Pool: not null } place ? RunInAsync(place, context, next) : next(context);

    private Place? PlaceOf(Endpoint? endpoint) => endpoint is null ? _elsewhere : _places.GetValue(endpoint, MakePlace);

    private Place MakePlace(Endpoint endpoint)
    {
        string name = endpoint.DisplayName ?? "request";
        if (endpoint.Metadata.GetMetadata<TaskPoolAttribute>() is not { } chosen)
        {
            return new Place(_elsewhere?.Pool, null, name);
        }

        if (chosen.Pool is not { } pool)
        {
            return new Place(null, null, name);
        }

        TaskSlotManager? limit = chosen.MaxRequests > 0 ? _limits.GetValue(chosen, chosen => new TaskSlotManager(chosen.MaxRequests, $"requests of {name}")) : null;
        return new Place(services.GetRequiredKeyedService<TaskPool>(pool), limit, name);
    }

    private async Task RunInAsync(Place place, HttpContext context, RequestDelegate next)
    {
        if (!intake.TryEnter())
        {
            await RefuseAsync(context, place, "the host stops", NothingDone).ConfigureAwait(false);
            return;
        }

        Activity? outside = s_spans.HasListeners() ? Activity.Current : null;
        outside?.SetCustomProperty(WaitsForEnd, true);
        var admission = new Admission(place, _ => next(context), outside);
        try
        {
            if (!await TryAdmitAsync(admission, context).ConfigureAwait(false))
            {
                return;
            }

            ManagedTask task = admission.Task!;
            if (_options.HeedsHangUps)
            {
                _ = task.CancelWith(context.RequestAborted);
            }

            try
            {
                await task;
            }
            catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
            {
                HungUp(context);
            }
            catch (ManagedTaskCanceledException canceled) when (task.State == TaskState.Canceled)
            {
                await RefuseAsync(context, place, canceled.Cause.ToString(), "The request was stopped before it was done. Try again later.").ConfigureAwait(false);
            }
        }
        finally
        {
            admission.Limit?.Dispose();
            intake.Leave();
        }
    }

    /// <summary>Gets the request its slots, and starts it.</summary>
    /// <returns>False when it was refused, or the client has hung up: then it is answered.</returns>
    private async Task<bool> TryAdmitAsync(Admission admission, HttpContext context)
    {
        string why;
        try
        {
            if (!admission.TryStart())
            {
                // The wait is a task of its own: one that can be canceled, and that the census knows.
                await runtime.SpawnDetached(WaitAsync(admission).WithTimeout(_options.AdmissionTimeout), "admission").CancelWith(context.RequestAborted);
            }

            return true;
        }
        catch (TaskTimeoutException)
        {
            why = $"no slot came within {_options.AdmissionTimeout}";
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            why = string.Empty;
        }
        catch (Exception error) when (error is InvalidOperationException or ManagedTaskCanceledException)
        {
            why = error.Message; // the pool or the runtime was stopped meanwhile
        }

        if (admission.Task is not null)
        {
            return true; // it was let in at the last moment
        }

        if (why.Length == 0)
        {
            HungUp(context);
        }
        else
        {
            await RefuseAsync(context, admission.Place, why, NothingDone).ConfigureAwait(false);
        }

        return false;
    }

    private static async Future WaitAsync(Admission admission)
    {
        if (admission.Limit is null && admission.Place.Limit is { } limit)
        {
            admission.Limit = await limit.AcquireAsync();
        }

        if (admission.Outside is { } outside)
        {
            Activity.Current = outside; // the request is no part of the wait for its slot
        }

        admission.Task = await admission.Place.Pool!.SpawnAsync(admission.Body, admission.Place.Name);
    }

    // Nobody is there to be told; the status is for the log of the server.
    private static void HungUp(HttpContext context)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
    }

    private async Task RefuseAsync(HttpContext context, Place place, string why, string detail)
    {
        RequestIsRefused(_logger, place.Name, place.Pool!.Name, why);
        if (context.Response.HasStarted)
        {
            context.Abort(); // half an answer must not look like a whole one
            return;
        }

        context.Response.Clear();
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        context.Response.Headers.RetryAfter = Math.Ceiling(_options.RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        if (intake.IsClosed)
        {
            context.Response.Headers.Connection = "close";
        }

        if (context.RequestServices.GetService<IProblemDetailsService>() is { } problems)
        {
            await problems.TryWriteAsync(new ProblemDetailsContext
            {
                HttpContext = context,
                ProblemDetails = new ProblemDetails { Status = StatusCodes.Status503ServiceUnavailable, Title = intake.IsClosed ? "The service is stopping" : "The service is busy", Detail = detail },
            }).ConfigureAwait(false);
        }
    }

    /// <summary>Where the requests of an endpoint run; in no pool when that is null.</summary>
    private sealed record Place(TaskPool? Pool, TaskSlotManager? Limit, string Name);

    /// <summary>A request on its way in. Written by one flow of control at a time.</summary>
    private sealed class Admission(Place place, Func<CancellationToken, Task> body, Activity? outside)
    {
        private SlotLease? _limit;
        private ManagedTask? _task;

        internal Place Place => place;

        internal Func<CancellationToken, Task> Body => body;

        /// <summary>What the request runs in outside Moirai, while somebody listens to spans.</summary>
        internal Activity? Outside => outside;

        /// <summary>The endpoint's slot; given back when the request has ended.</summary>
        internal SlotLease? Limit
        {
            get => Volatile.Read(ref _limit);
            set => Volatile.Write(ref _limit, value);
        }

        /// <summary>The request's task, from the moment in which it has its slots.</summary>
        internal ManagedTask? Task
        {
            get => Volatile.Read(ref _task);
            set => Volatile.Write(ref _task, value);
        }

        /// <summary>Starts the request if both slots are free.</summary>
        internal bool TryStart()
        {
            if (place.Limit is { } limit && !limit.TryAcquire(out _limit))
            {
                return false;
            }

            if (!place.Pool!.TrySpawn(body, out ManagedTask? task, place.Name))
            {
                return false; // the endpoint's slot is kept for the wait that follows
            }

            _task = task;
            return true;
        }
    }

    [LoggerMessage(EventId = 301, Level = LogLevel.Debug, Message = "A request of {Endpoint} was refused with 503 by pool '{Pool}': {Why}.")]
    private static partial void RequestIsRefused(ILogger logger, string endpoint, string pool, string why);
}
