using System.Globalization;

namespace Moirai.Alarms;

/// <summary>What is over its limit. Pure: facts in, findings out.</summary>
internal static class AlarmRules
{
    // A thread that has used more than half of its time computes; one that has used less was kept waiting by the code that runs on it.
    private const double ComputingShare = 0.5;

    /// <summary>Judges one look.</summary>
    internal static List<AlarmFinding> Judge(WatchFacts facts)
    {
        List<AlarmFinding> findings = [];
        OverLimit(AlarmKind.BlockedTooLong, facts.Waiting, findings);
        Held(facts, findings);
        Starved(facts, findings);
        Late(facts, findings);
        OverLimit(AlarmKind.CancelIgnored, facts.Canceled, findings);
        Full(facts, findings);
        return findings;
    }

    private static void OverLimit(AlarmKind kind, List<WaitFact> facts, List<AlarmFinding> findings)
    {
        foreach (WaitFact fact in facts)
        {
            if (fact.Over > 0 && fact.Longest >= fact.Limit)
            {
                findings.Add(OfTasks(kind, fact));
            }
        }
    }

    private static void Held(WatchFacts facts, List<AlarmFinding> findings)
    {
        if (facts.Limits.WorkerHeld is not { } limit)
        {
            return;
        }

        foreach (StepFact step in facts.Steps)
        {
            if (step.Kept >= limit)
            {
                findings.Add(new AlarmFinding(AlarmKind.WorkerHeld, step.Task, step.Name)
                {
                    Task = step.Task,
                    SpawnSite = step.SpawnSite,
                    AwaitSite = step.Site,
                    Lasted = step.Kept,
                    Limit = limit,
                    Detail = step.Methods is null ? Doing(step) : $"{Doing(step)}; in {step.Methods}",
                });
            }
        }
    }

    private static string Doing(in StepFact step) => step switch
    {
        { Computed: { } computed } when computed > step.Kept * ComputingShare => string.Create(CultureInfo.InvariantCulture, $"it computes ({computed.TotalSeconds:0.0} s of processor time): let it give way with Future.Yield, or run it elsewhere"),
        { Computed: { } computed } => string.Create(CultureInfo.InvariantCulture, $"it blocks its thread ({computed.TotalSeconds:0.0} s of processor time): await what it waits for, or run it elsewhere"),
        { ThreadWaits: true } => "it blocks its thread: await what it waits for, or run it elsewhere",
        _ => "it computes or is in a call of the system",
    };

    private static void Starved(WatchFacts facts, List<AlarmFinding> findings)
    {
        ReadyFact ready = facts.Ready;
        if (facts.Limits.Starved is { } limit && ready.Count > 0 && ready.Longest >= limit)
        {
            findings.Add(new AlarmFinding(AlarmKind.Starved, AlarmKind.Starved, facts.Runtime)
            {
                Count = ready.Count,
                Task = ready.First,
                SpawnSite = ready.SpawnSite,
                Lasted = ready.Longest,
                Limit = limit,
                Detail = ready.Name is null ? null : $"the first is {ready.First} '{ready.Name}'",
            });
        }
    }

    private static void Late(WatchFacts facts, List<AlarmFinding> findings)
    {
        if (facts.Limits.TimersLate is { } limit && facts.OldestOverdue >= limit)
        {
            findings.Add(new AlarmFinding(AlarmKind.TimersLate, AlarmKind.TimersLate, facts.Runtime)
            {
                Count = facts.Timers,
                Lasted = facts.OldestOverdue,
                Limit = limit,
            });
        }
    }

    private static void Full(WatchFacts facts, List<AlarmFinding> findings)
    {
        if (facts.Limits.PoolFull is not { } limit)
        {
            return;
        }

        foreach (PoolFact pool in facts.FullPools)
        {
            if (pool.Full >= limit)
            {
                findings.Add(new AlarmFinding(AlarmKind.PoolFull, pool.Key, pool.Name)
                {
                    Count = pool.Waiting,
                    Lasted = pool.Full,
                    Limit = limit,
                    Detail = pool.Slots == 1 ? "its one slot is held" : string.Create(CultureInfo.InvariantCulture, $"all {pool.Slots} slots are held"),
                });
            }
        }
    }

    private static AlarmFinding OfTasks(AlarmKind kind, in WaitFact fact) => new(kind, fact.Key, fact.Name)
    {
        Count = fact.Over,
        Task = fact.Oldest,
        SpawnSite = fact.SpawnSite,
        AwaitSite = fact.AwaitSite,
        Lasted = fact.Longest,
        Limit = fact.Limit,
        Detail = fact.Detail,
    };
}

/// <summary>Something that is over its limit at one look.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Key">With the kind: what tells it from others from look to look.</param>
/// <param name="Name">The name of what it is about.</param>
internal sealed record AlarmFinding(AlarmKind Kind, object Key, string Name)
{
    internal long Count { get; init; } = 1;

    internal TaskId Task { get; init; }

    internal string? SpawnSite { get; init; }

    internal string? AwaitSite { get; init; }

    internal TimeSpan Lasted { get; init; }

    internal required TimeSpan Limit { get; init; }

    internal string? Detail { get; init; }
}
