using Microsoft.AspNetCore.Http.Features;
using Moirai;

namespace WebService.Orders;

/// <summary>From HTTP to the desk and the books. What goes wrong is answered by <see cref="OrderProblems"/>.</summary>
internal static class OrderEndpoints
{
    public static IServiceCollection AddOrders(this IServiceCollection services, ServiceSettings settings) => services
        .AddSingleton(settings)
        .AddSingleton(new Warehouse(settings.Stock))
        .AddSingleton<OrderReader>()
        .AddSingleton<OrderDesk>()
        .AddExceptionHandler<OrderProblems>();

    public static void MapOrders(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/orders", static async (HttpContext context, OrderDesk desk) => await desk.FillAsync(context.Features.GetRequiredFeature<Order>()))
            .WithMetadata(new TakesOrder())
            .WithTaskPool(Pools.Orders);

        routes.MapGet("/audit", static async (Warehouse warehouse) => await warehouse.AuditAsync())
            .WithTaskPool(Pools.Reports);
    }

    // In no pool: it has to answer when all else is full.
    public static void MapCensus(this IEndpointRouteBuilder routes) => routes.MapGet(
        "/census",
        static (TaskRuntime runtime, [FromKeyedServices(Pools.Orders)] TaskPool pool) =>
            new CensusAnswer(runtime.TakeCensus(), new PoolAnswer(pool.Name, pool.MaxTasks, pool.ActiveCount, pool.WaitingCount, pool.Counts)));
}

/// <summary>What <c>GET /census</c> answers.</summary>
internal sealed record CensusAnswer(Census Runtime, PoolAnswer Pool);

/// <summary>The pool's numbers.</summary>
internal sealed record PoolAnswer(string Name, int MaxTasks, long Active, int Waiting, PoolCounts Counts);
