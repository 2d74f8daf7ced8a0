namespace Moirai.Testing;

/// <summary>Something was left behind at the end of what a <see cref="NothingLeftBehind"/> was around. Says what, by name.</summary>
public sealed class LeftBehindException : Exception
{
    /// <summary>For the assertion; a test may make one too.</summary>
    public LeftBehindException(string runtime, IReadOnlyList<string> left)
        : base($"{left?.Count} things were left behind (runtime '{runtime}'):{string.Concat((left ?? []).Select(static line => $"\n  {line}"))}")
    {
        Runtime = runtime;
        Left = left ?? [];
    }

    /// <summary>The runtime that was looked at.</summary>
    public string Runtime { get; }

    /// <summary>A line for each thing that was left.</summary>
    public IReadOnlyList<string> Left { get; }
}
