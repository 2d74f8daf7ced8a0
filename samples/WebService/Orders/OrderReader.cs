using System.Text.Json;

namespace WebService.Orders;

/// <summary>Reads an order and refuses what is none, before anything is spawned or reserved for it.</summary>
internal sealed class OrderReader(Warehouse warehouse, ServiceSettings settings)
{
    private const int LongestName = 100;

    /// <exception cref="OrderRefusedException">It is no order for this house.</exception>
    public async Task<Order> ReadAsync(HttpContext context)
    {
        OrderRequest? request;
        try
        {
            if (!context.Request.HasJsonContentType())
            {
                throw new OrderRefusedException(StatusCodes.Status415UnsupportedMediaType, "An order is JSON", "Send it with Content-Type: application/json.");
            }

            request = await context.Request.ReadFromJsonAsync<OrderRequest>(context.RequestAborted);
        }
        catch (JsonException error)
        {
            throw OrderRefusedException.Malformed($"It is no valid JSON order: {error.Path ?? "$"}, line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}.");
        }
        catch (BadHttpRequestException error) when (error.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            throw OrderRefusedException.TooLarge(settings.MaxBodyBytes);
        }
        catch (BadHttpRequestException error)
        {
            throw new OrderRefusedException(StatusCodes.Status400BadRequest, "The order is malformed", error.Message) { EndsConnection = true }; // else the server would read on, and complain to the operator
        }
        catch (InvalidOperationException)
        {
            throw new OrderRefusedException(StatusCodes.Status415UnsupportedMediaType, "An order is JSON in UTF-8", "The charset that was named is unknown here.");
        }

        return Check(request);
    }

    private Order Check(OrderRequest? request)
    {
        if (request is null)
        {
            throw OrderRefusedException.Malformed("It is null.");
        }

        if (string.IsNullOrWhiteSpace(request.Customer) || request.Customer.Length > LongestName)
        {
            throw OrderRefusedException.Malformed($"'customer' is needed, with at most {LongestName} characters.");
        }

        if (string.IsNullOrWhiteSpace(request.Article))
        {
            throw OrderRefusedException.Malformed("'article' is needed.");
        }

        if (request.Quantity is not { } quantity)
        {
            throw OrderRefusedException.Malformed("'quantity' is needed, a whole number above zero.");
        }

        if (quantity <= 0)
        {
            throw OrderRefusedException.Malformed(FormattableString.Invariant($"'quantity' is a whole number above zero, not {quantity}."));
        }

        return new Order(request.Customer, warehouse.Get(request.Article), quantity);
    }
}
