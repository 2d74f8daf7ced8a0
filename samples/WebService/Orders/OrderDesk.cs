using Moirai;
using WebService.Upstreams;

namespace WebService.Orders;

/// <summary>Takes orders in, at most so many at a time, and fills them.</summary>
/// <remarks>
/// One order is one task of the pool, with a scope inside for what goes on in parallel:
/// <code>
///   admission ─► order (holds a slot) ─► scope ─┬─ reserve   (the article's lock)
///                                               ├─ price     (HTTP, timed)
///                                               └─ payment   (HTTP, timed)
/// </code>
/// Whatever fails, times out or is canceled takes the rest of the scope with it; when the scope is left nothing of it runs any more, and what the
/// order still holds is given back. So there is one place that gives back, and no case that it does not cover.
/// </remarks>
internal sealed class OrderDesk(TaskRuntime runtime, TaskPool pool, UpstreamClient upstream, ServiceSettings settings)
{
    private volatile bool _stopping;

    /// <summary>From now on orders are refused; those that were taken in are filled.</summary>
    public void StopIntake() => _stopping = true;

    /// <summary>Waits for a place, then for the order's end.</summary>
    /// <param name="order">The order.</param>
    /// <param name="customerGone">The customer hung up: everything that is done for this order stops.</param>
    /// <exception cref="OrderRefusedException">It could not be filled, or not now.</exception>
    /// <exception cref="UpstreamException">An upstream did not do its part.</exception>
    public async Task<Confirmation> PlaceAsync(Order order, CancellationToken customerGone) => await await AdmitAsync(order, customerGone);

    // Waiting for a place is a task too: one that can be canceled, and that the census knows.
    private async Task<ManagedTask<Confirmation>> AdmitAsync(Order order, CancellationToken customerGone)
    {
        if (_stopping)
        {
            throw OrderRefusedException.Stopping(settings.RetryAfter);
        }

        try
        {
            ManagedTask<ManagedTask<Confirmation>> admission = runtime.SpawnDetached(WaitForPlaceAsync(order, customerGone), "admission");
            return await admission.CancelWith(customerGone);
        }
        catch (InvalidOperationException) when (runtime.IsStopped)
        {
            throw OrderRefusedException.Stopping(settings.RetryAfter); // the runtime was stopped between the question above and here
        }
    }

    private async Future<ManagedTask<Confirmation>> WaitForPlaceAsync(Order order, CancellationToken customerGone)
    {
        try
        {
            ManagedTask<Confirmation> work = await pool.SpawnAsync(FillAsync(order), $"order {order.Id}").WithTimeout(settings.AdmissionTimeout);
            return work.CancelWith(customerGone); // also when the customer is gone already
        }
        catch (TaskTimeoutException)
        {
            throw OrderRefusedException.Busy(pool.MaxTasks, settings.AdmissionTimeout, settings.RetryAfter);
        }
    }

    private async Future<Confirmation> FillAsync(Order order)
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
