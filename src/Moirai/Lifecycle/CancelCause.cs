namespace Moirai;

/// <summary>What kind of event asked a task to stop.</summary>
public enum CancelKind
{
    /// <summary>Somebody called <c>Cancel</c> on the task, its scope or its pool.</summary>
    Requested,

    /// <summary>Another task of the scope failed, or its body did.</summary>
    ScopeFailed,

    /// <summary>The scope was left without a join.</summary>
    ScopeLeft,

    /// <summary>The time allowed was over.</summary>
    TimedOut,

    /// <summary>A token that was handed in was canceled.</summary>
    TokenCanceled,

    /// <summary>The runtime is shutting down.</summary>
    RuntimeStopped,

    /// <summary>The collector had what it was asked for and needed the rest no longer.</summary>
    NoLongerNeeded,
}

/// <summary>Why a task was asked to stop: who, why and when. Immutable and safe to share; the first cause wins and is kept.</summary>
/// <param name="Kind">What kind of event it was.</param>
/// <param name="Source">Who asked, as a person would say it: <c>scope 'import'</c>, <c>#17 'reconcile'</c>.</param>
/// <param name="Reason">Why, in the words of who asked; null when they gave none.</param>
/// <param name="At">When, by the clock of the runtime.</param>
/// <param name="Error">The exception that led to it, if one did.</param>
public sealed record CancelCause(CancelKind Kind, string Source, string? Reason, DateTimeOffset At, Exception? Error = null)
{
    // The clock of the runtime that asked, and what it showed: At is a time of day, and that can be set. Null for a cause that no runtime has made.
    internal TimeProvider? Clock { get; init; }

    internal long Stamp { get; init; }

    /// <summary>Compares what can be seen.</summary>
    public bool Equals(CancelCause? other) =>
        other is not null && Kind == other.Kind && Source == other.Source && Reason == other.Reason && At == other.At && Equals(Error, other.Error);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Source, Reason, At, Error);

    /// <summary>How long ago it was by the clock of the runtime that asked, whatever was done to the time of day; zero when no runtime did.</summary>
    /// <param name="clock">The clock of who wants to know.</param>
    /// <param name="now">What that one shows.</param>
    internal TimeSpan Ago(TimeProvider clock, long now) =>
        Clock is null ? TimeSpan.Zero
        : ReferenceEquals(Clock, clock) ? clock.GetElapsedTime(Stamp, now)
        : Clock.GetElapsedTime(Stamp); // that of another runtime, whose task has opened a scope here

    /// <summary>One sentence without a full stop, such as <c>canceled by scope 'import' because #4 'parse' failed</c>.</summary>
    public override string ToString()
    {
        string why = Kind switch
        {
            CancelKind.ScopeFailed => Error is null ? " because it failed" : $" because of a failure ({Error.GetType().Name}: {Error.Message})",
            CancelKind.ScopeLeft => " because it was left without a join",
            CancelKind.TimedOut => " because its time was over",
            CancelKind.TokenCanceled => " because a token that was handed in was canceled",
            CancelKind.RuntimeStopped => " because the runtime is shutting down",
            CancelKind.NoLongerNeeded => " because its result is no longer needed",
            _ => string.Empty,
        };
        return Reason is null ? $"canceled by {Source}{why}" : $"canceled by {Source}{why}: {Reason}";
    }
}
