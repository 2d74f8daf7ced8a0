using Microsoft.Extensions.DependencyInjection;
using Moirai.Hosting;
using Moirai.Hosting.Requests;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Requests that run as managed tasks.</summary>
public static class MoiraiApplicationExtensions
{
    /// <summary>Lets the rest of the pipeline run as a task of the endpoint's pool, else of the pool in <see cref="PooledRequestsOptions.Pool"/>.</summary>
    /// <remarks>
    /// Put it after <c>UseRouting</c>, if you call that, and before what is to run in the task. A request that gets no slot in time is answered with 503 and <c>Retry-After</c>, as is one that comes while the host stops. When the client
    /// hangs up, the request's task is canceled and with it everything that was opened or awaited in it; the middleware waits until it has ended.
    /// </remarks>
    /// <param name="app">The application.</param>
    /// <returns>The application.</returns>
    /// <exception cref="InvalidOperationException">The services lack <c>AddMoirai().AddPooledRequests()</c>.</exception>
    public static IApplicationBuilder UsePooledRequests(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        PooledRequests pooled = app.ApplicationServices.GetService<PooledRequests>()
            ?? throw new InvalidOperationException("UsePooledRequests needs its services. Add them: services.AddMoirai().AddPooledRequests(…).");
        return app.Use(next => context => pooled.RunAsync(context, next));
    }

    /// <summary>Says in which pool the requests of these endpoints run.</summary>
    /// <param name="endpoints">An endpoint, or a group.</param>
    /// <param name="pool">The name of the pool.</param>
    /// <param name="maxRequests">How many requests may live at once of these endpoints, taken together; those above wait. Zero for as many as the pool takes.</param>
    /// <typeparam name="TBuilder">What was mapped.</typeparam>
    /// <returns>The same endpoints.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxRequests"/> is negative.</exception>
    public static TBuilder WithTaskPool<TBuilder>(this TBuilder endpoints, string pool, int maxRequests = 0)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(pool);
        ArgumentOutOfRangeException.ThrowIfNegative(maxRequests);
        return endpoints.WithMetadata(new TaskPoolAttribute(pool) { MaxRequests = maxRequests });
    }

    /// <summary>Lets the requests of these endpoints run in no pool: health checks, for example, and streams that never end.</summary>
    /// <param name="endpoints">An endpoint, or a group.</param>
    /// <typeparam name="TBuilder">What was mapped.</typeparam>
    /// <returns>The same endpoints.</returns>
    public static TBuilder WithoutTaskPool<TBuilder>(this TBuilder endpoints)
        where TBuilder : IEndpointConventionBuilder => endpoints.WithMetadata(new TaskPoolAttribute(null));
}
