namespace Moirai.Sync;

/// <summary>Counts the ends (of one-shots, channels, watches) that the garbage collector has found lost. Who waits at the other end is woken then, perhaps by way of the thread pool: a search for leaks that finds the count changed proves again.</summary>
internal static class LostEnds
{
    private static int s_count;

    internal static int Count => Volatile.Read(ref s_count);

    /// <summary>By a finalizer, before it tells anybody.</summary>
    internal static void Note() => Interlocked.Increment(ref s_count);
}
