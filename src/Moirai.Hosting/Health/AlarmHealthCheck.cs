using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Moirai.Hosting.Health;

/// <summary>Tells of the alarms that are there now: what is over is in the log, and no longer ill health.</summary>
internal sealed class AlarmHealthCheck(TaskRuntime runtime) : IHealthCheck
{
    private const int MostNamed = 5;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        IReadOnlyList<Alarm> alarms = runtime.ListAlarms();
        if (alarms.Count == 0)
        {
            return Task.FromResult(HealthCheckResult.Healthy("There is no alarm."));
        }

        string story = string.Join("; ", alarms.Take(MostNamed));
        var data = new Dictionary<string, object> { ["count"] = alarms.Count };
        return Task.FromResult(new HealthCheckResult(
            context.Registration.FailureStatus, alarms.Count > MostNamed ? $"{story}; and {alarms.Count - MostNamed} more" : story, data: data));
    }
}
