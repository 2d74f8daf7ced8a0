using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Moirai.Interleaving.Exploring;

/// <summary>A processor to which the threads of one crew are bound, where the system lets them (Linux).</summary>
/// <remarks>Of a crew one thread works at any time, and hands its turn on at nearly every step. To wake a thread on another processor takes many times as long as to go over to one on this. Nothing depends on it but the time.</remarks>
internal sealed class OneProcessor : IDisposable
{
    private const int MostProcessors = 64;

    private static readonly ConcurrentBag<int> s_free = new(Usable());

    private readonly int? _number = s_free.TryTake(out int number) ? number : null;

    /// <summary>Binds the current thread.</summary>
    public void Bind()
    {
        if (_number is { } number)
        {
            ulong set = 1UL << number;
            _ = sched_setaffinity(0, sizeof(ulong), ref set); // refused: it stays where it may be
        }
    }

    /// <summary>Others may have the processor. What is bound to it stays so.</summary>
    public void Dispose()
    {
        if (_number is { } number)
        {
            s_free.Add(number);
        }
    }

    private static IEnumerable<int> Usable()
    {
        if (!OperatingSystem.IsLinux())
        {
            return [];
        }

        ulong set = 0;
        return sched_getaffinity(0, sizeof(ulong), ref set) <= 0 ? [] : Enumerable.Range(0, MostProcessors).Where(number => (set & (1UL << number)) != 0);
    }

    [DllImport("libc")]
    private static extern int sched_setaffinity(int thread, nint size, ref ulong set);

    [DllImport("libc")]
    private static extern int sched_getaffinity(int thread, nint size, ref ulong set);
}
