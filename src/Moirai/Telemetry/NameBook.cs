using System.Collections.Concurrent;

namespace Moirai.Telemetry;

/// <summary>Keeps the values of a tag few: whatever comes after the first so many is <see cref="Other"/>. Safe from any thread.</summary>
/// <remarks>Whoever stores measurements pays for each value for ever, and names are given by people who put numbers into them.</remarks>
internal sealed class NameBook(int most)
{
    internal const string Other = "other";

    private readonly ConcurrentDictionary<string, string> _known = new(StringComparer.Ordinal);

    // Interlocked.
    private int _count;

    /// <summary>The name, or <see cref="Other"/>.</summary>
    internal string Of(string name) => _known.TryGetValue(name, out string? known) ? known : Enter(name);

    private string Enter(string name)
    {
        if (Volatile.Read(ref _count) >= most || Interlocked.Increment(ref _count) > most)
        {
            return Other;
        }

        return _known.GetOrAdd(name, name); // one that comes twice at a time takes two places
    }
}
