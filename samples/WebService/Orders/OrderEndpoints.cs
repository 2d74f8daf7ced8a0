using System.Globalization;
using Moirai;
using WebService.Upstreams;

namespace WebService.Orders;

/// <summary><c>POST /orders</c> and <c>GET /audit</c>: from HTTP to the desk, and back.</summary>
internal static class OrderEndpoints
{
    public static void MapOrders(this IEndpointRouteBuilder routes, TaskRuntime runtime, Warehouse warehouse, OrderDesk desk, ServiceSettings settings)
    {
        var reader = new OrderReader(warehouse, settings);

        routes.MapPost("/orders", async (HttpContext context) =>
        {
            try
            {
                Order order = await reader.ReadAsync(context);
                return Results.Ok(await desk.PlaceAsync(order, context.RequestAborted));
            }
            catch (Exception error) when (context.RequestAborted.IsCancellationRequested || error is IOException and not BadHttpRequestException)
            {
                context.Abort(); // the customer hung up, or the house closes: nobody is there to be told, and what is left of the request is not read
                return Results.Empty;
            }
            catch (Exception error) when (AnswerTo(error, settings) is { } answer)
            {
                return Answer(context, answer);
            }
        });

        routes.MapGet("/audit", async (HttpContext context) =>
        {
            try
            {
                return Results.Ok(await runtime.SpawnDetached(warehouse.AuditAsync(), "audit"));
            }
            catch (Exception error) when (runtime.IsStopped && error is InvalidOperationException or ManagedTaskCanceledException)
            {
                return Answer(context, OrderRefusedException.Stopping(settings.RetryAfter));
            }
        });
    }

    /// <summary>The answer that an error stands for; null for an error that nobody foresaw, which is a bug and answered with 500.</summary>
    private static OrderRefusedException? AnswerTo(Exception error, ServiceSettings settings) => error switch
    {
        OrderRefusedException refused => refused,
        UpstreamException { IsTimeout: true } => new(StatusCodes.Status504GatewayTimeout, "An upstream is too slow", error.Message),
        UpstreamException => new(StatusCodes.Status502BadGateway, "An upstream failed", error.Message),
        ManagedTaskCanceledException { Cause.Kind: CancelKind.RuntimeStopped } => OrderRefusedException.Stopping(settings.RetryAfter),
        TaskScopeException several => several.InnerExceptions.Select(inner => AnswerTo(inner, settings)).FirstOrDefault(),
        _ => null,
    };

    private static IResult Answer(HttpContext context, OrderRefusedException answer)
    {
        if (answer.RetryAfter is { } later)
        {
            context.Response.Headers.RetryAfter = Math.Ceiling(later.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }

        return Results.Problem(answer.Message, statusCode: answer.Status, title: answer.Title);
    }
}
