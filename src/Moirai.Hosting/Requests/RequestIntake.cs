using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Moirai.Hosting.Requests;

/// <summary>Whether pooled requests are taken in, and how many are inside: in line, or at work. Safe from any thread.</summary>
internal sealed class RequestIntake
{
    private const long Closed = 1;
    private const long One = 2;

    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // How many are inside, above the lowest bit, which is set once it is closed. Interlocked.
    private long _inside;

    internal bool IsClosed => (Interlocked.Read(ref _inside) & Closed) != 0;

    /// <summary>Completes when it is closed and the last one inside has left.</summary>
    internal Task Empty => _empty.Task;

    internal void Close()
    {
        if (Interlocked.Or(ref _inside, Closed) < One)
        {
            _empty.TrySetResult();
        }
    }

    /// <summary>Lets a request in, unless it is closed.</summary>
    internal bool TryEnter()
    {
        if ((Interlocked.Add(ref _inside, One) & Closed) == 0)
        {
            return true;
        }

        Leave();
        return false;
    }

    internal void Leave()
    {
        if (Interlocked.Add(ref _inside, -One) == Closed)
        {
            _empty.TrySetResult();
        }
    }
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
