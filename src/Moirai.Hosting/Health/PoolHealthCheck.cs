using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Pools;

namespace Moirai.Hosting.Health;

/// <summary>Tells of pools that are full while tasks wait (degraded), and of those in which nothing moves any more (the failure status of the check).</summary>
/// <remarks>Whether something moves is seen from one look to the next, so a stuck pool is told at the earliest at the second. Safe from any thread.</remarks>
internal sealed class PoolHealthCheck(TaskRuntime runtime, IServiceProvider services, IOptions<MoiraiHealthOptions> options) : IHealthCheck
{
    private readonly Lock _gate = new();

    // Under the gate: since when a pool is seen full with nobody admitted, and how many had been admitted then.
    private readonly Dictionary<string, (long Admitted, long Since)> _still = [];

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        HealthStatus worst = HealthStatus.Healthy;
        List<string> stories = [];
        var data = new Dictionary<string, object>();
        foreach (PoolRegistration registration in services.GetServices<PoolRegistration>())
        {
            TaskPool pool = services.GetRequiredKeyedService<TaskPool>(registration.Name);
            (long active, int waiting) = (pool.ActiveCount, pool.WaitingCount);
            data[pool.Name] = string.Create(CultureInfo.InvariantCulture, $"{active} of {pool.MaxTasks} active, {waiting} waiting");
            if (Look(pool, active, waiting) is { } still)
            {
                bool stuck = still >= options.Value.StuckAfter;
                HealthStatus status = stuck ? context.Registration.FailureStatus : HealthStatus.Degraded;
                worst = status < worst ? status : worst; // the worse, the smaller
                stories.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"pool '{pool.Name}' is {(stuck ? $"stuck: none was admitted for {still:hh\\:mm\\:ss}" : "full")} ({active} of {pool.MaxTasks} active, {waiting} waiting)"));
            }
        }

        return Task.FromResult(new HealthCheckResult(worst, stories.Count == 0 ? "No pool is full." : string.Join("; ", stories), data: data));
    }

    /// <summary>For how long a pool has admitted nobody although some wait; null when nobody waits or a slot is free.</summary>
    private TimeSpan? Look(TaskPool pool, long active, int waiting)
    {
        lock (_gate)
        {
            if (active < pool.MaxTasks || waiting == 0)
            {
                _still.Remove(pool.Name);
                return null;
            }

            long admitted = pool.Counts.Created;
            if (!_still.TryGetValue(pool.Name, out (long Admitted, long Since) before) || before.Admitted != admitted)
            {
                _still[pool.Name] = before = (admitted, runtime.TimeProvider.GetTimestamp());
            }

            return runtime.TimeProvider.GetElapsedTime(before.Since);
        }
    }
}
