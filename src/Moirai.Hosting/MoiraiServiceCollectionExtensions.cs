using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Moirai;
using Moirai.Hosting;
using Moirai.Hosting.Events;
using Moirai.Hosting.Health;
using Moirai.Hosting.Lifecycle;
using Moirai.Hosting.Requests;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Moirai in the services of a host.</summary>
public static class MoiraiServiceCollectionExtensions
{
    /// <summary>Adds a <see cref="TaskRuntime"/> that lives with the host: it is stopped in order within the host's shutdown timeout, says in the log what it had to tell, and its report.</summary>
    /// <remarks>Adding it again adds nothing, and returns another builder for the same runtime; what configures it adds up.</remarks>
    /// <param name="services">The services of the host.</param>
    /// <param name="configure">Runs after the configuration (section <c>Moirai</c>) was read, and so has the last word.</param>
    /// <returns>A builder for pools, supervisors and pooled requests.</returns>
    public static MoiraiBuilder AddMoirai(this IServiceCollection services, Action<MoiraiOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddLogging();
        services.TryAddSingleton(HostRuntime.Make);
        services.TryAddSingleton<RuntimeEventHub>();
        services.TryAddSingleton<HealthFindings>();
        services.TryAddSingleton<RequestIntake>();
        services.TryAddSingleton<EndpointPoolCheck>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IRuntimeEventSink, RuntimeEventLog>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IRuntimeEventSink, HealthFindings>(static provider => provider.GetRequiredService<HealthFindings>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<MoiraiOptions>, MoiraiOptionsSetup>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MoiraiOptions>, MoiraiOptionsCheck>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, MoiraiLifecycle>());
        OptionsBuilder<MoiraiOptions> options = services.AddOptions<MoiraiOptions>().ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        return new MoiraiBuilder(services);
    }
}
