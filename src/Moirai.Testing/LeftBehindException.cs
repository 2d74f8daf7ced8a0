namespace Moirai.Testing;

/// <summary>Something was left behind at the end of what a <see cref="NothingLeftBehind"/> was around. Says what, by name.</summary>
public sealed class LeftBehindException : Exception
{
    /// <summary>For the assertion; a test may make one too.</summary>
    /// <param name="runtime">The runtime that was looked at.</param>
    /// <param name="left">A line for each thing that was left.</param>
    /// <param name="thrownBefore">What was thrown last in what the assertion was around, if it is still alive: probably why things were left.</param>
    public LeftBehindException(string runtime, IReadOnlyList<string> left, Exception? thrownBefore = null)
        : base($"{left?.Count} things were left behind (runtime '{runtime}'):{string.Concat((left ?? []).Select(static line => $"\n  {line}"))}{Cause(thrownBefore)}", thrownBefore)
    {
        Runtime = runtime;
        Left = left ?? [];
    }

    /// <summary>The runtime that was looked at.</summary>
    public string Runtime { get; }

    /// <summary>A line for each thing that was left.</summary>
    public IReadOnlyList<string> Left { get; }

    private static string Cause(Exception? thrownBefore) => thrownBefore is null
        ? string.Empty
        : $"\nBefore that {thrownBefore.GetType().Name} was thrown there: {thrownBefore.Message}\nIf that is how the test failed, begin with it; it is the inner exception.";
}
