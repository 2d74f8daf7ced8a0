using Moirai.Hosting.Events;

namespace Moirai.Hosting.Health;

/// <summary>What is remembered of one kind of mishap.</summary>
/// <param name="Count">How often it has happened.</param>
/// <param name="At">When it last did, on the runtime's clock.</param>
/// <param name="Story">What was told then.</param>
internal sealed record Finding(long Count, DateTimeOffset At, string Story);

/// <summary>The seam between what a runtime tells and the health checks: keeps, of each kind of event that stands for ill health, how often and when last.</summary>
/// <remarks>A new kind of event becomes a health check by its line in <see cref="Subjects"/> and one in the extension method that adds the checks. Bounded: one entry a subject. Safe from any thread.</remarks>
internal sealed class HealthFindings(IServiceProvider services) : IRuntimeEventSink
{
    internal const string Leaks = "leaks";
    internal const string Deadlocks = "deadlocks";

    /// <summary>Which events a check looks at.</summary>
    internal static readonly IReadOnlyDictionary<RuntimeEventKind, string> Subjects = new Dictionary<RuntimeEventKind, string>
    {
        [RuntimeEventKind.Leaked] = Leaks,
        [RuntimeEventKind.Deadlock] = Deadlocks,
    };

    private readonly Lock _gate = new();

    // Under the gate.
    private readonly Dictionary<string, Finding> _findings = [];

    public void Take(RuntimeEvent what)
    {
        if (Subjects.TryGetValue(what.Kind, out string? subject))
        {
            Note(subject, what.Message);
        }
    }

    internal void Note(string subject, string story)
    {
        lock (_gate)
        {
            _findings[subject] = new Finding((_findings.GetValueOrDefault(subject)?.Count ?? 0) + 1, Clock.GetUtcNow(), story);
        }
    }

    /// <summary>What there is to tell of a subject; null when nothing ever happened.</summary>
    internal Finding? Find(string subject)
    {
        lock (_gate)
        {
            return _findings.GetValueOrDefault(subject);
        }
    }

    // Asked late: the runtime is made with this as its listener.
    private TimeProvider Clock => ((TaskRuntime)services.GetService(typeof(TaskRuntime))!).TimeProvider;
}
