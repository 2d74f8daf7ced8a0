using System.Runtime.CompilerServices;

namespace Moirai.Execution;

/// <summary>What timeouts have in common: which budgets are right, and the error, of which the operator is told too.</summary>
internal static class Timeouts
{
    internal static TaskTimeoutException Tell(ManagedTask task, string operation, TimeSpan within, string waitedFor, Exception? inner)
    {
        var timeout = new TaskTimeoutException($"{operation} in {task.Title}", within, waitedFor, task.Id, inner);
        LifeProbe.Current?.NoteTimeout(task, timeout);
        task.Engine.Publish(new RuntimeEvent(RuntimeEventKind.TimedOut, timeout.Message, task.Id, timeout));
        return timeout;
    }

    /// <summary>Refuses a budget of time that is negative.</summary>
    internal static void ThrowIfBad(TimeSpan budget, [CallerArgumentExpression(nameof(budget))] string? name = null)
    {
        if (budget < TimeSpan.Zero && budget != Timeout.InfiniteTimeSpan)
        {
            throw new ArgumentOutOfRangeException(name, budget, "A budget of time is not negative. Use TimeSpan.Zero for none, Timeout.InfiniteTimeSpan for no limit.");
        }
    }

    /// <summary>A limit that is positive, or none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    internal static TimeSpan? Positive(TimeSpan? limit, [System.Runtime.CompilerServices.CallerMemberName] string name = "")
    {
        if (limit is { } time && time <= TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(name, limit, $"The limit {name} of {time} would be over before anything begins. Give a positive time, or null for no limit.");
        }

        return limit;
    }
}
