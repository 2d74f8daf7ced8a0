using System.Globalization;
using System.Text;

namespace Moirai;

/// <summary>What an <see cref="Alarm"/> is about. The numbers are stable.</summary>
public enum AlarmKind
{
    /// <summary>Tasks have waited longer than their limit.</summary>
    BlockedTooLong = 1,

    /// <summary>A task has kept its thread longer than the limit, in one step.</summary>
    WorkerHeld = 2,

    /// <summary>Tasks are ready and have not got a thread for longer than the limit.</summary>
    Starved = 3,

    /// <summary>Timers that are due have not fired for longer than the limit.</summary>
    TimersLate = 4,

    /// <summary>Tasks were canceled longer ago than the limit and have not ended.</summary>
    CancelIgnored = 5,

    /// <summary>A pool has had no free slot for longer than the limit.</summary>
    PoolFull = 6,
}

/// <summary>Where an <see cref="Alarm"/> is in its life.</summary>
public enum AlarmPhase
{
    /// <summary>It was not there before.</summary>
    Raised = 0,

    /// <summary>It is still there. Told at growing intervals.</summary>
    Repeated = 1,

    /// <summary>What it was about is over.</summary>
    Cleared = 2,
}

/// <summary>Something has gone on for longer than its limit. Immutable; told to those who have subscribed, and listed by <see cref="TaskRuntime.ListAlarms"/>.</summary>
public sealed record Alarm
{
    /// <summary>The number of the alarm, the same from its raising to its clearing; unique in the process.</summary>
    public required long Id { get; init; }

    /// <summary>What it is about.</summary>
    public required AlarmKind Kind { get; init; }

    /// <summary>Where it is in its life.</summary>
    public AlarmPhase Phase { get; init; }

    /// <summary>The name of what it is about: that of the tasks, the pool, the runtime.</summary>
    public required string Name { get; init; }

    /// <summary>How many tasks it is about, or wait because of it.</summary>
    public long Count { get; init; } = 1;

    /// <summary>The task that it is about; of several the one that was there first. 0 when it is about no task.</summary>
    public TaskId Task { get; init; }

    /// <summary>Where that task was spawned, as <c>file:line</c>.</summary>
    public string? SpawnSite { get; init; }

    /// <summary>Where that task stands, as <c>file:line</c>, or its method.</summary>
    public string? AwaitSite { get; init; }

    /// <summary>How long it has gone on.</summary>
    public TimeSpan Lasted { get; init; }

    /// <summary>The limit that it is over.</summary>
    public TimeSpan Limit { get; init; }

    /// <summary>When it was raised, by the clock of the runtime.</summary>
    public DateTimeOffset RaisedAt { get; init; }

    /// <summary>How often it has been told, this time included.</summary>
    public int Told { get; init; } = 1;

    /// <summary>What is known beside this: what the task waits for and who holds that, whether it computes or is blocked, the methods it is in.</summary>
    public string? Detail { get; init; }

    /// <summary>The whole story in a sentence or two, for a human.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"alarm {Id}{(Phase == AlarmPhase.Cleared ? " is over" : Phase == AlarmPhase.Repeated ? $" (told {Told} times)" : string.Empty)}: ");
        string lasted = Words(Lasted);
        string limit = Words(Limit);
        _ = Kind switch
        {
            AlarmKind.BlockedTooLong => text.Append(CultureInfo.InvariantCulture, $"{Tasks} waited for {lasted}, and may for {limit}"),
            AlarmKind.WorkerHeld => text.Append(CultureInfo.InvariantCulture, $"{Tasks} kept its thread for {lasted} in one step, and may for {limit}: others could not use it"),
            AlarmKind.Starved => text.Append(CultureInfo.InvariantCulture, $"{Count} ready tasks of runtime '{Name}' got no thread for {lasted}, and may wait for one {limit}: the executor's threads are busy or blocked"),
            AlarmKind.TimersLate => text.Append(CultureInfo.InvariantCulture, $"timers of runtime '{Name}' were {lasted} late, and may be {limit}: {Count} entries wait"),
            AlarmKind.CancelIgnored => text.Append(CultureInfo.InvariantCulture, $"{Tasks} was canceled {lasted} ago and has not ended; {limit} are allowed"),
            _ => text.Append(CultureInfo.InvariantCulture, $"pool '{Name}' had no free slot for {lasted}, and may be full for {limit}"),
        };

        if (Kind == AlarmKind.PoolFull && Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"; {Count} wait for one");
        }

        if (AwaitSite is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"; it stands at {AwaitSite}");
        }

        if (Detail is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"; {Detail}");
        }

        return text.ToString();
    }

    private string Tasks => Count > 1
        ? string.Create(CultureInfo.InvariantCulture, $"{Count:N0} tasks '{Name}' spawned at {SpawnSite} (the first is {Task})")
        : $"{Task} '{Name}' spawned at {SpawnSite}";

    private static string Words(TimeSpan time) => time.TotalSeconds >= 1 ? Durations.Words(time) : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0} ms");
}
