namespace Moirai.Costs.Counting;

/// <summary>What the current thread has spent so far.</summary>
/// <param name="Bytes">Allocated.</param>
/// <param name="Gates">Spin gates entered: one atomic operation each.</param>
/// <param name="Atomics">Atomic operations beside the gates': exchanges, comparing exchanges, additions.</param>
/// <param name="Fences">Full fences that are no part of an atomic operation.</param>
/// <param name="Monitors">Monitors entered, of those on which a thread of ours can sleep.</param>
internal readonly record struct Tally(long Bytes, long Gates, long Atomics, long Fences, long Monitors)
{
    [ThreadStatic]
    private static long t_gates;

    [ThreadStatic]
    private static long t_taken;

    [ThreadStatic]
    private static long t_atomics;

    [ThreadStatic]
    private static long t_fences;

    [ThreadStatic]
    private static long t_monitors;

    /// <summary>How many of the gates the current thread found taken, each look counted.</summary>
    public static long Taken => t_taken;

    public static Tally Read() => new(GC.GetAllocatedBytesForCurrentThread(), t_gates, t_atomics, t_fences, t_monitors);

    public static Tally operator -(Tally later, Tally earlier) => new(
        later.Bytes - earlier.Bytes,
        later.Gates - earlier.Gates,
        later.Atomics - earlier.Atomics,
        later.Fences - earlier.Fences,
        later.Monitors - earlier.Monitors);

    public static Tally operator +(Tally one, Tally other) => new(
        one.Bytes + other.Bytes,
        one.Gates + other.Gates,
        one.Atomics + other.Atomics,
        one.Fences + other.Fences,
        one.Monitors + other.Monitors);

    public static Tally operator *(Tally one, int times) => new(
        one.Bytes * times,
        one.Gates * times,
        one.Atomics * times,
        one.Fences * times,
        one.Monitors * times);

    internal static void CountGate(bool taken)
    {
        t_gates++;
        t_taken += taken ? 1 : 0;
    }

    internal static void CountAtomic() => t_atomics++;

    internal static void CountFence() => t_fences++;

    internal static void CountMonitor() => t_monitors++;
}
