using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Moirai.Hosting.Requests;

/// <summary>Whether pooled requests are taken in.</summary>
internal sealed class RequestIntake
{
    private volatile bool _isClosed;

    internal bool IsClosed => _isClosed;

    internal void Close() => _isClosed = true;
}

/// <summary>Looks at the start whether the pools that endpoints name exist.</summary>
internal sealed class EndpointPoolCheck
{
    /// <exception cref="InvalidOperationException">An endpoint names a pool that does not exist, or asks for less than one request.</exception>
    internal void ThrowIfUnknown(IServiceProvider services)
    {
        foreach (Endpoint endpoint in services.GetService<EndpointDataSource>()?.Endpoints ?? [])
        {
            if (endpoint.Metadata.GetMetadata<TaskPoolAttribute>() is not { Pool: { } pool } chosen)
            {
                continue;
            }

            if (PoolNames.Missing(services, pool) is { } complaint)
            {
                throw new InvalidOperationException($"Endpoint '{endpoint.DisplayName}' is to run in pool '{pool}', {complaint}");
            }

            if (chosen.MaxRequests < 0)
            {
                throw new InvalidOperationException($"Endpoint '{endpoint.DisplayName}' is to have {chosen.MaxRequests} requests at once. Give it at least 1, or 0 for as many as pool '{pool}' takes.");
            }
        }
    }
}
