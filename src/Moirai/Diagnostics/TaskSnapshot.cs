using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;

namespace Moirai;

/// <summary>One task at one moment.</summary>
public sealed record TaskSnapshot
{
    /// <summary>Its identity.</summary>
    public required TaskId Id { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The place of its scope in <see cref="RuntimeSnapshot.Scopes"/>; null when that scope is not listed.</summary>
    public int? Scope { get; init; }

    /// <summary>Where it is in its life.</summary>
    public TaskState State { get; init; }

    /// <summary>Where it was spawned, as <c>file:line</c>.</summary>
    public required string SpawnSite { get; init; }

    /// <summary>The methods it is in, the innermost first, each with the await at which it stands; only the one of <see cref="AwaitSite"/> without <see cref="SnapshotOptions.Chains"/>. Empty when nothing is known, as of a
    /// task that has not begun. Lists are shared between tasks that stand at the same place.</summary>
    public IReadOnlyList<FrameSnapshot> Chain { get; init; } = [];

    /// <summary>How long each method of <see cref="Chain"/> has stood at its await, to the second: one that tries again and again may have waited a moment, and who called it for hours. Null for plain code, of which nobody
    /// notes it, and for a method that does not wait. Empty without <see cref="SnapshotOptions.Chains"/>.</summary>
    public IReadOnlyList<TimeSpan?> ChainWaited { get; init; } = [];

    /// <summary>The innermost place of the user's own code in the chain, as <c>file:line</c>, or the method where no PDB tells the line; null when nothing is known.</summary>
    public string? AwaitSite { get; init; }

    /// <summary>What it waits for; null when it does not wait.</summary>
    public WaitSnapshot? Wait { get; init; }

    /// <summary>How long it has waited, to the second; null when it does not wait. While it waits for plain code of its own: since that went on last, where the runtime accounts exactly or has alarms; elsewhere since it was called.</summary>
    public TimeSpan? Waited { get; init; }

    /// <summary>How often a thread has taken it up; null when its runtime does not count that. See <see cref="TaskAccount.Polls"/>.</summary>
    public long? Polls { get; init; }

    /// <summary>How long threads were busy with it; null when its runtime does not account exactly, as for the three that follow. See <see cref="TaskAccount.Busy"/>.</summary>
    public TimeSpan? Busy { get; init; }

    /// <summary>How long it was ready and had no thread, in all its life.</summary>
    public TimeSpan? Ready { get; init; }

    /// <summary>How long it has waited, in all its life.</summary>
    public TimeSpan? Blocked { get; init; }

    /// <summary>How long ago it was spawned.</summary>
    public TimeSpan? Age { get; init; }

    /// <summary>What it holds that nobody else gets, as of its last wait: slots, locks, scopes it has opened.</summary>
    public IReadOnlyList<string> Holds { get; init; } = [];

    /// <summary>Who asked it to stop, why and when; null when nobody did.</summary>
    public string? CancelCause { get; init; }

    /// <summary>Whether it may wait for ever: see <see cref="ManagedTask.IsResident"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsResident { get; init; }

    /// <summary>Whether whoever called it has given it up: see <see cref="ManagedTask.IsAbandoned"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsAbandoned { get; init; }

    /// <summary>The task in a line.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Id} '{Name}' ({State})");
        if (AwaitSite is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $" at {AwaitSite}");
        }

        if (Wait is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $" on {Wait}");
        }

        if (Waited is { TotalSeconds: >= 1 } waited)
        {
            text.Append(CultureInfo.InvariantCulture, $" since {waited.TotalSeconds:0} s");
        }

        return Holds.Count == 0 ? text.ToString() : text.Append(CultureInfo.InvariantCulture, $"; holds {string.Join(", ", Holds)}").ToString();
    }
}

/// <summary>Tasks of one name that stand at one place in one state and wait for one thing.</summary>
public sealed record GroupSnapshot
{
    /// <summary>How many there are.</summary>
    public required long Count { get; init; }

    /// <summary>Their name; null when they have too many different ones.</summary>
    public string? Name { get; init; }

    /// <summary>Their state.</summary>
    public TaskState State { get; init; }

    /// <summary>Where they wait; see <see cref="TaskSnapshot.AwaitSite"/>.</summary>
    public string? AwaitSite { get; init; }

    /// <summary>The methods they are in; see <see cref="TaskSnapshot.Chain"/>.</summary>
    public IReadOnlyList<FrameSnapshot> Chain { get; init; } = [];

    /// <summary>What they wait for; for waits on time with the earliest time, for the ends of different tasks without their ids.</summary>
    public WaitSnapshot? Wait { get; init; }

    /// <summary>The one that has waited longest, or the first that was met.</summary>
    public TaskId Oldest { get; init; }

    /// <summary>How long <see cref="Oldest"/> has waited, to the second; null when they do not wait.</summary>
    public TimeSpan? Waited { get; init; }

    /// <summary>The group in a line: <c>× 8,213 'order' waiting at OrderService.cs:42 on mutex 'ledger' held by #17 'reconcile', up to 42 s</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"× {Count:N0} {(Name is null ? "of various names" : $"'{Name}'")} {(State == TaskState.Blocked ? "waiting" : State.ToString().ToLowerInvariant())}");
        if (AwaitSite is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $" at {AwaitSite}");
        }

        if (Wait is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $" on {Wait}");
        }

        return Waited is { TotalSeconds: >= 1 } waited ? text.Append(CultureInfo.InvariantCulture, $", {(Count == 1 ? "for" : "up to")} {Durations.Words(waited)}").ToString() : text.ToString();
    }
}

/// <summary>A synchronization primitive that some task waits for or holds.</summary>
public sealed record PrimitiveSnapshot
{
    /// <summary>Its place in the list, to which waits refer.</summary>
    public required int Index { get; init; }

    /// <summary>What it is: <c>mutex</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The task that has it to itself.</summary>
    public TaskId? Owner { get; init; }

    /// <summary>The name of <see cref="Owner"/>.</summary>
    public string? OwnerName { get; init; }

    /// <summary>How many wait, plain code among them.</summary>
    public int Waiting { get; init; }

    /// <summary>How long the longest waiting task that was met has waited, to the second; null when none was.</summary>
    public TimeSpan? LongestWait { get; init; }

    /// <summary>Its state in words.</summary>
    public required string Description { get; init; }
}
