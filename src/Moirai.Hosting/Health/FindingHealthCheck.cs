using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Moirai.Hosting.Health;

/// <summary>Speaks up while something of its subject has happened not long ago.</summary>
internal sealed class FindingHealthCheck(string subject, string quiet, HealthFindings findings, TimeProvider clock, TimeSpan rememberFor) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (findings.Find(subject) is not { } last)
        {
            return Task.FromResult(HealthCheckResult.Healthy(quiet));
        }

        var data = new Dictionary<string, object> { ["count"] = last.Count, ["last"] = last.At };
        TimeSpan ago = clock.GetUtcNow() - last.At;
        return Task.FromResult(ago < rememberFor
            ? new HealthCheckResult(context.Registration.FailureStatus, $"{last.Count} since the start, the last one {ago:hh\\:mm\\:ss} ago: {last.Story}", data: data)
            : HealthCheckResult.Healthy($"{last.Count} since the start, none in the last {rememberFor}.", data));
    }
}
