using Polly;
using Polly.Retry;

namespace Moirai.Hosting.Supervision;

/// <summary>A restart is wanted: the failure that Polly answers with a delay and another attempt.</summary>
internal sealed class RestartWantedException(Child child) : Exception($"Child '{child.Name}' has to be started again.")
{
    internal Child Child { get; } = child;
}

/// <summary>Spaces the restarts of one run of failures: the life of a unit is an operation that Polly retries, at first soon and then ever later.</summary>
internal static class BackOff
{
    private static readonly TimeSpan s_most = TimeSpan.FromDays(1);

    /// <param name="options">The delays.</param>
    /// <param name="clock">What they are measured with.</param>
    /// <param name="delayed">Told of each delay before it begins.</param>
    internal static ResiliencePipeline Make(SupervisorOptions options, TimeProvider clock, Action<Child, TimeSpan> delayed) =>
        new ResiliencePipelineBuilder { TimeProvider = clock }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = new PredicateBuilder().Handle<RestartWantedException>(),
                BackoffType = DelayBackoffType.Exponential,
                Delay = options.FirstDelay,
                MaxDelay = options.MaxDelay < s_most ? options.MaxDelay : s_most,
                UseJitter = options.UseJitter,
                MaxRetryAttempts = int.MaxValue, // how often is for the intensity to say
                OnRetry = attempt =>
                {
                    delayed(((RestartWantedException)attempt.Outcome.Exception!).Child, attempt.RetryDelay);
                    return default;
                },
            })
            .Build();
}
