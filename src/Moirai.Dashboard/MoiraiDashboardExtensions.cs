using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Moirai;
using Moirai.Dashboard;
using Moirai.Dashboard.Serving;
using Moirai.Dashboard.Watching;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Moirai's page.</summary>
public static class MoiraiDashboardExtensions
{
    /// <summary>Maps the page that shows what the tasks of this process do, and the data behind it.</summary>
    /// <remarks>
    /// It shows names, places in the source and messages of errors, so mind who can reach it: what is returned takes <c>RequireAuthorization()</c>, <c>RequireHost(…)</c> and whatever else endpoints take, and that holds for everything below
    /// <paramref name="prefix"/>. Nothing is looked at while nobody watches. An event stream lasts as long as somebody watches: where requests run in a pool (Moirai.Hosting), add <c>WithoutTaskPool()</c>.
    /// </remarks>
    /// <param name="endpoints">The application, or a group.</param>
    /// <param name="prefix">Where.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>All endpoints below the prefix, for conventions.</returns>
    public static IEndpointConventionBuilder MapMoirai(this IEndpointRouteBuilder endpoints, string prefix = "/moirai", Action<MoiraiDashboardOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(prefix);
        var options = new MoiraiDashboardOptions();
        configure?.Invoke(options);
        IServiceProvider services = endpoints.ServiceProvider;
        IHostApplicationLifetime? lifetime = services.GetService<IHostApplicationLifetime>();
        var gallery = new Gallery(
            [.. options.Runtimes],
            () => services.GetService<TaskRuntime>(),
            new ObserverSettings(options.Interval, options.MaxWatchers, options.AllowCommands, services.GetService<TimeProvider>() ?? TimeProvider.System, lifetime?.ApplicationStopping ?? CancellationToken.None),
            services.GetRequiredService<ILoggerFactory>().CreateLogger("Moirai.Dashboard"));
        Open(gallery);
        return new Endpoints(gallery, options).Map(endpoints.MapGroup(prefix).WithMetadata(gallery));
    }

    // From here on events are remembered: also those of services that start before the server does, and before anybody looks.
    private static void Open(Gallery gallery)
    {
        try
        {
            gallery.Open();
        }
        catch (OptionsValidationException)
        {
            // The host's runtime cannot be made. The host says why when it starts, and does not.
        }
    }
}
