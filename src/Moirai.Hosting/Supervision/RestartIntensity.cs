namespace Moirai.Hosting.Supervision;

/// <summary>Counts restarts within a window of time. Safe from any thread.</summary>
internal sealed class RestartIntensity(int maxRestarts, TimeSpan window, TimeProvider clock)
{
    private readonly Lock _gate = new();

    // Under the gate: the restarts of the window, and never more than one above what is allowed.
    private readonly Queue<long> _restarts = [];

    /// <summary>Counts one more.</summary>
    /// <param name="count">How many there were within the window, this one included.</param>
    /// <returns>Whether that is still allowed.</returns>
    internal bool TryCount(out int count)
    {
        lock (_gate)
        {
            while (_restarts.TryPeek(out long oldest) && clock.GetElapsedTime(oldest) > window)
            {
                _restarts.Dequeue();
            }

            if (maxRestarts == int.MaxValue)
            {
                count = 0; // nobody asks, and nothing is kept
                return true;
            }

            _restarts.Enqueue(clock.GetTimestamp());
            count = _restarts.Count;
            return count <= maxRestarts;
        }
    }
}
