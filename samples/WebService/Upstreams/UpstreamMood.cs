namespace WebService.Upstreams;

/// <summary>How a simulated upstream behaves.</summary>
internal sealed record UpstreamMood
{
    /// <summary>How long an answer takes; 0 to 60,000.</summary>
    public double LatencyMilliseconds { get; init; }

    /// <summary>The share of calls that are answered with an error; 0 to 1.</summary>
    public double FailureRate { get; init; }

    /// <summary>The share of calls that are never answered; 0 to 1.</summary>
    public double StallRate { get; init; }

    /// <summary>Whether every call waits until somebody changes this back.</summary>
    public bool Held { get; init; }

    /// <summary>What is wrong with it; null when nothing is.</summary>
    public string? Complaint()
    {
        if (LatencyMilliseconds is not (>= 0 and <= 60_000))
        {
            return "latencyMilliseconds is between 0 and 60000";
        }

        return FailureRate is >= 0 and <= 1 && StallRate is >= 0 and <= 1 ? null : "failureRate and stallRate are between 0 and 1";
    }
}
