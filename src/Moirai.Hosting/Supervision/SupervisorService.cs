using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Moirai.Hosting.Supervision;

/// <summary>Lets the host drive a supervisor: hosted services are stopped in reverse order of their start, and so are supervisors.</summary>
internal sealed class SupervisorService(Supervisor supervisor) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => supervisor.StartAsync();

    public Task StopAsync(CancellationToken cancellationToken) => supervisor.StopAsync(cancellationToken);
}

/// <summary>Tells of supervisors that have given up.</summary>
internal sealed class SupervisorHealthCheck(IServiceProvider services) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        List<string> stories = [];
        var data = new Dictionary<string, object>();
        foreach (SupervisorRegistration registration in services.GetServices<SupervisorRegistration>())
        {
            Supervisor supervisor = services.GetRequiredKeyedService<Supervisor>(registration.Name);
            data[supervisor.Name] = $"{supervisor.State}, {supervisor.Restarts} restarts";
            if (supervisor.Failure is { } why)
            {
                stories.Add($"supervisor '{supervisor.Name}' has given up: {why}");
            }
        }

        return Task.FromResult(stories.Count == 0
            ? HealthCheckResult.Healthy("No supervisor has given up.", data)
            : new HealthCheckResult(context.Registration.FailureStatus, string.Join("; ", stories), data: data));
    }
}
