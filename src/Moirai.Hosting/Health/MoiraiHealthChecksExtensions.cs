using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Moirai;
using Moirai.Hosting;
using Moirai.Hosting.Health;
using Moirai.Hosting.Lifecycle;
using Moirai.Hosting.Supervision;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>The health checks of Moirai.</summary>
public static class MoiraiHealthChecksExtensions
{
    /// <summary>Adds <c>moirai-pools</c> (full or stuck), <c>moirai-leaks</c>, <c>moirai-deadlocks</c>, <c>moirai-alarms</c>, <c>moirai-starvation</c> and <c>moirai-supervisors</c> (given up), all with the tag <c>moirai</c>.</summary>
    /// <remarks>The runtime raises alarms from then on, with the limits that <see cref="AlarmLimits"/> has by default, unless <see cref="MoiraiBuilder.ConfigureRuntime"/> sets its own. Adding the checks again adds nothing. <c>services.AddMoirai()</c>
    /// has to be there too.</remarks>
    /// <param name="builder">The health checks of the host.</param>
    /// <param name="configure">Runs after the configuration (<c>Moirai:Health</c>) was read, and so has the last word.</param>
    /// <param name="failureStatus">What leaks, deadlocks, alarms, starvation and stuck pools are reported as; null, the default, stands for <see cref="HealthStatus.Degraded"/>, so that they alarm and no orchestrator kills the process for them. A supervisor that has given up is
    /// always unhealthy.</param>
    /// <returns>The same builder.</returns>
    public static IHealthChecksBuilder AddMoirai(this IHealthChecksBuilder builder, Action<MoiraiHealthOptions>? configure = null, HealthStatus? failureStatus = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        OptionsBuilder<MoiraiHealthOptions> options = builder.Services.AddOptions<MoiraiHealthOptions>().ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        if (builder.Services.Any(static service => service.ServiceType == typeof(StarvationProbe)))
        {
            return builder;
        }

        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<MoiraiHealthOptions>, MoiraiHealthOptionsSetup>());
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MoiraiHealthOptions>, MoiraiHealthOptionsCheck>());
        builder.Services.AddSingleton<StarvationProbe>();
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, StarvationProbe>(static services => services.GetRequiredService<StarvationProbe>()));
        builder.Services.AddSingleton<PoolHealthCheck>();
        builder.Services.AddSingleton(new RuntimeSetting(static (_, runtime) => runtime.Alarms ??= new AlarmLimits()));

        string[] tags = ["moirai"];
        HealthStatus failure = failureStatus ?? HealthStatus.Degraded;
        builder.Add(new HealthCheckRegistration("moirai-pools", static services => services.GetRequiredService<PoolHealthCheck>(), failure, tags));
        builder.Add(new HealthCheckRegistration("moirai-leaks", static services => Finding(services, HealthFindings.Leaks, "No task was found that can never go on."), failure, tags));
        builder.Add(new HealthCheckRegistration("moirai-deadlocks", static services => Finding(services, HealthFindings.Deadlocks, "No tasks were found that wait for each other."), failure, tags));
        builder.Add(new HealthCheckRegistration("moirai-alarms", static services => new AlarmHealthCheck(services.GetRequiredService<TaskRuntime>()), failure, tags));
        builder.Add(new HealthCheckRegistration("moirai-starvation", static services => Finding(services, StarvationProbe.Subject, "The thread pool was never starved."), failure, tags));
        return builder.Add(new HealthCheckRegistration("moirai-supervisors", static services => new SupervisorHealthCheck(services), HealthStatus.Unhealthy, tags));
    }

    private static FindingHealthCheck Finding(IServiceProvider services, string subject, string quiet) => new(
        subject,
        quiet,
        services.GetRequiredService<HealthFindings>(),
        services.GetRequiredService<TaskRuntime>().TimeProvider,
        services.GetRequiredService<IOptions<MoiraiHealthOptions>>().Value.RememberFor);
}
