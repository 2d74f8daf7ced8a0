using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Mvc;
using Moirai;
using WebService.Upstreams;

namespace WebService.Orders;

/// <summary>Turns what went wrong with an order into the answer that its customer gets.</summary>
internal sealed class OrderProblems(IProblemDetailsService problems) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellationToken)
    {
        if (AnswerTo(exception) is not { } answer)
        {
            return false; // nobody foresaw it, so it is a bug: 500, and an error in the log
        }

        context.Response.StatusCode = answer.Status;
        if (answer.EndsConnection)
        {
            context.Response.Headers.Connection = "close";
        }

        await problems.WriteAsync(new ProblemDetailsContext
        {
            HttpContext = context,
            ProblemDetails = new ProblemDetails { Status = answer.Status, Title = answer.Title, Detail = answer.Message },
        });
        return true;
    }

    private static OrderRefusedException? AnswerTo(Exception error) => error switch
    {
        OrderRefusedException refused => refused,
        UpstreamException { IsTimeout: true } => new(StatusCodes.Status504GatewayTimeout, "An upstream is too slow", error.Message),
        UpstreamException => new(StatusCodes.Status502BadGateway, "An upstream failed", error.Message),
        TaskScopeException several => several.InnerExceptions.Select(AnswerTo).FirstOrDefault(static answer => answer is not null),
        _ => null,
    };
}
