namespace Moirai.Dashboard.Watching;

/// <summary>Lets one dear question through at a time, and after each a pause by <see cref="Pace"/>. Safe from any thread.</summary>
internal sealed class Turnstile(TimeProvider time, TimeSpan interval) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1, 1);

    // Guarded by the semaphore. No pause before the first.
    private long? _endedAt;
    private TimeSpan _pause;

    internal async Task<T> PassAsync<T>(Func<T> work, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_endedAt is { } before && _pause - time.GetElapsedTime(before) is { Ticks: > 0 } rest)
            {
                await Task.Delay(rest, time, cancellationToken).ConfigureAwait(false);
            }

            long began = time.GetTimestamp();
            T answer = work();
            _endedAt = time.GetTimestamp();
            _pause = Pace.PauseAfter(time.GetElapsedTime(began), interval);
            return answer;
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();
}
