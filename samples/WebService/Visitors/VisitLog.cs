using System.Collections.Concurrent;
using System.Numerics;

namespace WebService.Visitors;

/// <summary>Counts what visitors met, in constant memory, from any number of tasks.</summary>
internal sealed class VisitLog
{
    // Latencies by bit length and four more bits: each bucket is at most 6 % wide.
    private const int SubBits = 4;

    private readonly ConcurrentDictionary<(string Kind, string Outcome), long> _counts = new();
    private readonly long[] _latencies = new long[64 << SubBits];
    private long _unexpected;

    /// <summary>Notes one request.</summary>
    /// <param name="kind">What the visitor did.</param>
    /// <param name="outcome">A status, or what happened instead of an answer.</param>
    /// <param name="took">How long the answer took; null when there was none.</param>
    /// <param name="expected">Whether the service may do that.</param>
    public void Note(string kind, string outcome, TimeSpan? took, bool expected)
    {
        _counts.AddOrUpdate((kind, outcome), 1, static (_, count) => count + 1);
        if (took is { } time)
        {
            Interlocked.Increment(ref _latencies[BucketOf((ulong)time.TotalMicroseconds)]);
        }

        if (!expected)
        {
            Interlocked.Increment(ref _unexpected);
        }
    }

    public VisitSummary Summarize(int visitors, TimeSpan elapsed) => new(
        visitors,
        elapsed.TotalSeconds,
        [.. _counts.Select(static entry => new VisitCount(entry.Key.Kind, entry.Key.Outcome, entry.Value)).OrderBy(static count => count.Kind).ThenBy(static count => count.Outcome)],
        Percentile(0.50),
        Percentile(0.99),
        _unexpected);

    private double Percentile(double share)
    {
        long rank = (long)Math.Ceiling(_latencies.Sum() * share);
        long seen = 0;
        for (int bucket = 0; bucket < _latencies.Length; bucket++)
        {
            seen += _latencies[bucket];
            if (seen >= rank)
            {
                return MicrosecondsOf(bucket) / 1000.0;
            }
        }

        return 0;
    }

    private static int BucketOf(ulong microseconds)
    {
        if (microseconds < 1UL << SubBits)
        {
            return (int)microseconds;
        }

        int shift = BitOperations.Log2(microseconds) - SubBits;
        return ((shift + 1) << SubBits) + (int)((microseconds >> shift) & ((1UL << SubBits) - 1));
    }

    private static double MicrosecondsOf(int bucket)
    {
        int shift = (bucket >> SubBits) - 1;
        return shift < 0 ? bucket : (double)((1UL << SubBits) + ((ulong)bucket & ((1UL << SubBits) - 1))) * (1UL << shift);
    }
}

/// <summary>How often one thing happened.</summary>
internal sealed record VisitCount(string Kind, string Outcome, long Count);

/// <summary>What the driver tells the process that started it: one line of JSON.</summary>
internal sealed record VisitSummary(int Visitors, double Seconds, IReadOnlyList<VisitCount> Counts, double MedianMilliseconds, double P99Milliseconds, long Unexpected)
{
    public long Requests => Counts.Sum(static count => count.Count);
}
