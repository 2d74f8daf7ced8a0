namespace Moirai.Execution;

/// <summary>The tokens that a stop cancels, each on a thread of the pool: a callback of the user's that keeps its thread must keep neither the stop nor the tasks whose turn comes after.</summary>
internal sealed class TokenDeliveries
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Those on their way, and one until all have been sent. Interlocked.
    private int _open = 1;

    /// <summary>Sends one.</summary>
    /// <param name="cancel">Cancels; never throws.</param>
    /// <param name="what">Its argument.</param>
    internal void Send<T>(Action<T> cancel, T what)
    {
        Interlocked.Increment(ref _open);
        ThreadPool.UnsafeQueueUserWorkItem(
            static delivery =>
            {
                delivery.cancel(delivery.what);
                delivery.all.Leave();
            },
            (all: this, cancel, what),
            preferLocal: false);
    }

    /// <summary>All have been sent.</summary>
    /// <returns>Ends when all have arrived.</returns>
    internal Task Close()
    {
        Leave();
        return _done.Task;
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _open) == 0)
        {
            _done.SetResult();
        }
    }
}
