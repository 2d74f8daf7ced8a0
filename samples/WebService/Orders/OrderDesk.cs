using Moirai;
using WebService.Upstreams;

namespace WebService.Orders;

/// <summary>Fills orders.</summary>
/// <remarks>
/// One order is one request, which is a task of the pool, with a scope inside for what goes on in parallel:
/// <code>
///   request (holds a slot) ─► scope ─┬─ reserve   (the article's lock)
///                                    ├─ price     (HTTP, timed)
///                                    └─ payment   (HTTP, timed)
/// </code>
/// Whatever fails, times out or is canceled takes the rest of the scope with it; when the scope is left nothing of it runs any more, and what the
/// order still holds is given back. So there is one place that gives back, and no case that it does not cover.
/// </remarks>
internal sealed class OrderDesk(TaskRuntime runtime, UpstreamClient upstream)
{
    /// <summary>Fills an order, or gives back all that was set aside for it.</summary>
    /// <exception cref="OrderRefusedException">It could not be filled.</exception>
    /// <exception cref="UpstreamException">An upstream did not do its part.</exception>
    public async Future<Confirmation> FillAsync(Order order)
    {
        try
        {
            Confirmation confirmation = await runtime.RunScopeAsync("parts of an order", scope => GatherAsync(scope, order));
            await order.Article.SellAsync(order);
            return confirmation;
        }
        finally
        {
            // A canceled task cannot wait for anything, not even for the article's lock; behind the shield it can.
            using (ManagedTask.Shield())
            {
                await order.Article.GiveBackAsync(order);
            }
        }
    }

    private async Future<Confirmation> GatherAsync(TaskScope scope, Order order)
    {
        ManagedTask reserved = scope.Spawn(order.Article.ReserveAsync(order), "reserve");
        ManagedTask<decimal> price = scope.Spawn(upstream.AskPriceAsync(order.Article.Name), "price");
        ManagedTask<string> payment = scope.Spawn(upstream.AuthorizePaymentAsync(order.Customer), "payment"); // lapses by itself if it is not used

        await reserved;
        return new Confirmation(order.Id, order.Customer, order.Article.Name, order.Quantity, order.Quantity * await price, await payment);
    }
}
