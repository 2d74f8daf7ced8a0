using System.Text.Json.Serialization;

namespace Moirai.Dashboard.Frames;

/// <summary>What a page shows at one moment. Its form is told in docs/dashboard.md.</summary>
/// <param name="Key">The key of the runtime.</param>
/// <param name="Every">How long until the next one, roughly.</param>
/// <param name="AllowsCommands">Whether the server takes commands.</param>
/// <param name="Snapshot">In the form of docs/snapshot.md: one frame of each chain, the largest groups, some tasks.</param>
/// <param name="Alarms">Those that are there now.</param>
/// <param name="Deadlocks">The last rings, the newest first.</param>
/// <param name="Leaks">The last tasks that were proved to be leaked, the newest first.</param>
/// <param name="Events">The last other events, the newest first.</param>
/// <param name="Waits">Who waits for whom.</param>
/// <param name="Lives">The lives of a sample.</param>
internal sealed record Frame(
    string Key,
    TimeSpan Every,
    bool AllowsCommands,
    RuntimeSnapshot Snapshot,
    IReadOnlyList<Alarm> Alarms,
    IReadOnlyList<FoundDeadlock> Deadlocks,
    IReadOnlyList<FoundEvent> Leaks,
    IReadOnlyList<FoundEvent> Events,
    WaitGraph Waits,
    IReadOnlyList<LifeRow> Lives);

/// <summary>An event that is remembered.</summary>
/// <param name="At">When.</param>
/// <param name="Kind">Of which kind.</param>
/// <param name="Message">The whole story.</param>
/// <param name="Task">The task concerned; 0 when there is none.</param>
internal sealed record FoundEvent(DateTimeOffset At, RuntimeEventKind Kind, [property: JsonConverter(typeof(WholeTextConverter))] string Message, TaskId Task)
{
    public string? TaskName { get; init; }

    public string? SpawnSite { get; init; }
}

/// <summary>A ring that was found.</summary>
/// <param name="At">When.</param>
/// <param name="Message">The whole story.</param>
/// <param name="Cycle">The ring.</param>
internal sealed record FoundDeadlock(DateTimeOffset At, [property: JsonConverter(typeof(WholeTextConverter))] string Message, IReadOnlyList<DeadlockEdge> Cycle)
{
    /// <summary>Whether all of them still wait.</summary>
    public bool Stands { get; init; }
}

/// <summary>The life of one task, as far as it was seen. Times in milliseconds before the frame.</summary>
/// <param name="Id">Its identity.</param>
/// <param name="Name">Its name.</param>
/// <param name="SpawnSite">Where it was spawned.</param>
/// <param name="From">When the first span begins.</param>
/// <param name="Spans">Letter and length, one after the other: c created, r ready, x running, t ran in between, b blocked, p not seen.</param>
internal sealed record LifeRow(TaskId Id, string Name, string SpawnSite, long From, [property: JsonConverter(typeof(WholeTextConverter))] string Spans)
{
    /// <summary>When it was spawned; null when that is not known.</summary>
    public long? BornAgo { get; init; }

    /// <summary>When it was seen to have ended; null while it lives.</summary>
    public long? EndedAgo { get; init; }

    /// <summary>How it ended; null while it lives, and when nobody kept it long enough to ask.</summary>
    public TaskState? Outcome { get; init; }
}

/// <summary>Who waits for whom: tasks, groups of tasks that wait alike, and things that nobody has to himself.</summary>
/// <param name="Nodes">Those of rings first.</param>
/// <param name="Edges">From who waits to what is waited for.</param>
/// <param name="NotListed">How many nodes are missing.</param>
internal sealed record WaitGraph(IReadOnlyList<WaitNode> Nodes, IReadOnlyList<WaitEdge> Edges, int NotListed);

/// <summary>A node of the graph.</summary>
/// <param name="Id">Its identity in the graph.</param>
/// <param name="Label">The name of the task or thing.</param>
/// <param name="Count">How many tasks it stands for; 0 for a thing.</param>
/// <param name="InRing">Whether it waits for itself, by way of others.</param>
internal sealed record WaitNode(string Id, string Label, long Count, bool InRing)
{
    /// <summary>The task, or one of them.</summary>
    public TaskId? Task { get; init; }
}

/// <summary>An edge of the graph.</summary>
/// <param name="From">Who waits.</param>
/// <param name="To">What is waited for, or who has it.</param>
/// <param name="What">What is waited for, in words.</param>
/// <param name="InRing">Whether it belongs to a ring.</param>
internal sealed record WaitEdge(string From, string To, string What, bool InRing);

/// <summary>A task in detail, and those on whom it waits, one after the other.</summary>
/// <param name="Task">The task.</param>
/// <param name="WaitsOn">Whoever has what it waits for, whoever has what that one waits for, and so on.</param>
internal sealed record TaskDetail(TaskSnapshot Task, IReadOnlyList<TaskSnapshot> WaitsOn)
{
    /// <summary>Whether the chain of tasks comes back to one that is in it.</summary>
    public bool IsRing { get; init; }
}

/// <summary>Groups by name.</summary>
/// <param name="Groups">The largest first.</param>
/// <param name="NotListed">How many more there are.</param>
/// <param name="Tasks">How many tasks are in all of them.</param>
internal sealed record GroupMatches(IReadOnlyList<GroupSnapshot> Groups, int NotListed, long Tasks);

/// <summary>A runtime that can be chosen.</summary>
/// <param name="Key">By which it is chosen.</param>
/// <param name="Live">How many tasks live in it.</param>
/// <param name="IsStopped">Whether it takes no more work.</param>
internal sealed record RuntimeRow(string Key, long Live, bool IsStopped);

/// <summary>What can be chosen.</summary>
/// <param name="Runtimes">The runtimes.</param>
/// <param name="AllowsCommands">Whether the server takes commands.</param>
internal sealed record Choices(IReadOnlyList<RuntimeRow> Runtimes, bool AllowsCommands);

/// <summary>What a command has done.</summary>
/// <param name="Done">Whether it did anything.</param>
/// <param name="Message">In words.</param>
internal sealed record CommandAnswer(bool Done, string Message)
{
    /// <summary>What a search for leaks has found.</summary>
    public LeakReport? Report { get; init; }
}

/// <summary>Why something was refused, after RFC 9457.</summary>
/// <param name="Title">In words.</param>
/// <param name="Status">The status.</param>
internal sealed record Refusal(string Title, int Status);
