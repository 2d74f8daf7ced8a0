namespace Moirai.Alarms;

/// <summary>What the watchdog has seen at one look. Numbers, names and ids; the detectors judge by it and by nothing else, so a list written by hand is a test.</summary>
internal sealed class WatchFacts
{
    /// <summary>The limits that hold.</summary>
    internal required AlarmLimits Limits { get; init; }

    /// <summary>The name of the runtime.</summary>
    internal required string Runtime { get; init; }

    /// <summary>Tasks that wait and have a limit, those with the same label put together.</summary>
    internal List<WaitFact> Waiting { get; } = [];

    /// <summary>Tasks that were asked to stop and have not ended, those with the same label put together.</summary>
    internal List<WaitFact> Canceled { get; } = [];

    /// <summary>Steps that were going on already at the look before.</summary>
    internal List<StepFact> Steps { get; } = [];

    /// <summary>Ready tasks, as far as they were followed.</summary>
    internal ReadyFact Ready { get; set; }

    /// <summary>Pools without a free slot.</summary>
    internal List<PoolFact> FullPools { get; } = [];

    /// <summary>Entries in the timer queue.</summary>
    internal int Timers { get; set; }

    /// <summary>By how much the earliest timer is overdue.</summary>
    internal TimeSpan OldestOverdue { get; set; }
}

/// <summary>Tasks of one label, of which some have waited, or been canceled, for long.</summary>
/// <param name="Key">What tells these from others from look to look.</param>
/// <param name="Name">Their name.</param>
/// <param name="SpawnSite">Where they were spawned.</param>
/// <param name="Limit">How long they may.</param>
/// <param name="Over">How many are over the limit.</param>
/// <param name="Oldest">The one that has waited longest.</param>
/// <param name="Longest">How long that one has.</param>
internal readonly record struct WaitFact(object Key, string Name, string SpawnSite, TimeSpan Limit, long Over, TaskId Oldest, TimeSpan Longest)
{
    /// <summary>Where the oldest stands.</summary>
    internal string? AwaitSite { get; init; }

    /// <summary>What it waits for.</summary>
    internal string? Detail { get; init; }
}

/// <summary>A step that goes on.</summary>
/// <param name="Task">Whose.</param>
/// <param name="Name">Its name.</param>
/// <param name="SpawnSite">Where it was spawned.</param>
/// <param name="Kept">How long it has kept its thread, at the least: since it was first seen.</param>
/// <param name="Computed">How much processor time its thread has used meanwhile; null where the system does not tell.</param>
/// <param name="ThreadWaits">Whether the thread is blocked in a wait of .NET's at this moment.</param>
internal readonly record struct StepFact(TaskId Task, string Name, string SpawnSite, TimeSpan Kept, TimeSpan? Computed, bool ThreadWaits)
{
    /// <summary>The place of its innermost method, as far as another thread can tell.</summary>
    internal string? Site { get; init; }

    /// <summary>The methods it is in.</summary>
    internal string? Methods { get; init; }
}

/// <summary>The ready tasks.</summary>
/// <param name="Count">How many there are.</param>
/// <param name="First">The one that has been seen ready for longest.</param>
/// <param name="Name">Its name.</param>
/// <param name="SpawnSite">Where it was spawned.</param>
/// <param name="Longest">For how long it has been ready, at the least.</param>
internal readonly record struct ReadyFact(long Count, TaskId First, string? Name, string? SpawnSite, TimeSpan Longest);

/// <summary>A pool without a free slot.</summary>
/// <param name="Key">What tells it from others from look to look.</param>
/// <param name="Name">Its name.</param>
/// <param name="Slots">How many slots it has.</param>
/// <param name="Waiting">How many wait for one.</param>
/// <param name="Full">For how long it has been full, at the least.</param>
internal readonly record struct PoolFact(object Key, string Name, int Slots, int Waiting, TimeSpan Full);
