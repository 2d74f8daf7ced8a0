namespace WebService.Orders;

/// <summary>Marks an endpoint that takes an order.</summary>
internal sealed class TakesOrder;

/// <summary>Reads orders before they wait for a slot: neither nonsense nor a slow sender takes the place of an order.</summary>
internal sealed class OrderReading(RequestDelegate next, OrderReader reader)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<TakesOrder>() is not null)
        {
            try
            {
                context.Features.Set(await reader.ReadAsync(context));
            }
            catch (Exception error) when (context.RequestAborted.IsCancellationRequested || error is OperationCanceledException or (IOException and not BadHttpRequestException))
            {
                context.Abort(); // the customer hung up, or the house closes: nobody is there to be told, and what is left of the request is not read
                return;
            }
        }

        await next(context);
    }
}
