namespace WebService.Upstreams;

/// <summary>A service of somebody else's, which is slow, fails and hangs as it likes. It knows nothing of Moirai.</summary>
internal sealed class SimulatedUpstream(string name, UpstreamMood firstMood)
{
    private readonly Lock _gate = new();
    private UpstreamMood _mood = firstMood;                    // under the gate
    private TaskCompletionSource _released = Gate(firstMood);  // under the gate; completed unless calls are held
    private long _inProgress;
    private long _answered;
    private long _failed;
    private long _abandoned;

    public string Name { get; } = name;

    /// <summary>What it did so far.</summary>
    public UpstreamReport Report()
    {
        lock (_gate)
        {
            return new UpstreamReport(Name, _mood, Interlocked.Read(ref _inProgress), Interlocked.Read(ref _answered), Interlocked.Read(ref _failed), Interlocked.Read(ref _abandoned));
        }
    }

    /// <summary>Behaves differently from now on. Calls that are held go on if the new mood lets them.</summary>
    public void Change(UpstreamMood mood)
    {
        lock (_gate)
        {
            _mood = mood;
            if (!mood.Held)
            {
                _released.TrySetResult();
            }
            else if (_released.Task.IsCompleted)
            {
                _released = Gate(mood);
            }
        }
    }

    /// <summary>Takes a call.</summary>
    /// <param name="answer">What it answers when it does not fail.</param>
    /// <param name="callerGone">The caller has given up.</param>
    public async Task<IResult> AnswerAsync(Func<object> answer, CancellationToken callerGone)
    {
        Interlocked.Increment(ref _inProgress);
        try
        {
            UpstreamMood mood;
            Task released;
            lock (_gate)
            {
                mood = _mood;
                released = _released.Task;
            }

            await released.WaitAsync(callerGone);
            double chance = Random.Shared.NextDouble();
            TimeSpan latency = chance < mood.StallRate ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(mood.LatencyMilliseconds);
            if (latency != TimeSpan.Zero)
            {
                await Task.Delay(latency, TimeProvider.System, callerGone);
            }

            if (chance < mood.StallRate + mood.FailureRate)
            {
                Interlocked.Increment(ref _failed);
                return Results.Problem($"The {Name} upstream has a bad day.", statusCode: StatusCodes.Status500InternalServerError);
            }

            Interlocked.Increment(ref _answered);
            return Results.Ok(answer());
        }
        catch (OperationCanceledException) when (callerGone.IsCancellationRequested)
        {
            Interlocked.Increment(ref _abandoned);
            return Results.Empty;
        }
        finally
        {
            Interlocked.Decrement(ref _inProgress);
        }
    }

    private static TaskCompletionSource Gate(UpstreamMood mood)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!mood.Held)
        {
            gate.SetResult();
        }

        return gate;
    }
}

/// <summary>An upstream's own account.</summary>
/// <param name="Name">Which it is.</param>
/// <param name="Mood">How it behaves.</param>
/// <param name="InProgress">Calls that it works on.</param>
/// <param name="Answered">Calls that went well.</param>
/// <param name="Failed">Calls that it answered with an error.</param>
/// <param name="Abandoned">Calls whose caller gave up: proof that timeouts and cancellation reach the wire.</param>
internal sealed record UpstreamReport(string Name, UpstreamMood Mood, long InProgress, long Answered, long Failed, long Abandoned);
