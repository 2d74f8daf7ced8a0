using Moirai.Diagnostics;

namespace Moirai;

/// <summary>What a snapshot is to tell. Read once, by <see cref="TaskRuntime.TakeSnapshot"/>.</summary>
public sealed class SnapshotOptions
{
    /// <summary>Whether each listed task tells the whole chain of the methods that it is in. Without, it tells the one place where it waits, and the snapshot is smaller. True by default.</summary>
    public bool Chains { get; set; } = true;

    /// <summary>How many tasks are listed one by one; the others are counted in the groups. Not negative; 1,000 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public int MaxTasks
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            field = value;
        }
    } = 1_000;

    /// <summary>How many tasks of one scope or pool are listed at the most, so that a large one leaves room for others. Not negative; no limit beside <see cref="MaxTasks"/> by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public int MaxTasksPerScope
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            field = value;
        }
    } = int.MaxValue;

    /// <summary>How many scopes and pools, how many groups and how many primitives are listed; the others are counted. Of pools as many again where there are more scopes: they are not pushed out by those. Not negative; 1,000 of each by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public int MaxRows
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            field = value;
        }
    } = 1_000;
}

/// <summary>What every task of a runtime was doing, taken while everything ran on. Taken by <see cref="TaskRuntime.TakeSnapshot"/>.</summary>
/// <remarks>
/// Strings, numbers and ids: it keeps nothing of the program alive, and reading it asks nothing of the program. Each task is told as it was at one moment; two tasks may be told as they were some milliseconds apart, so
/// the numbers of different parts need not add up while tasks come and go. The <see cref="Census"/> adds up always.
/// <para><see cref="ToString"/> is for a human at a terminal, <see cref="ToJson"/> for everything else (docs/snapshot.md).</para>
/// </remarks>
public sealed partial record RuntimeSnapshot
{
    /// <summary>The version of the JSON form that this code writes. Raised when a reader of the form before would misread it; what is only added does not raise it.</summary>
    public const int CurrentSchema = 1;

    /// <summary>The version of the form; see <see cref="CurrentSchema"/>.</summary>
    public int Schema { get; init; } = CurrentSchema;

    /// <summary>The name of the runtime.</summary>
    public required string Runtime { get; init; }

    /// <summary>The wall clock of the runtime when the snapshot was begun.</summary>
    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>How long it took, by the clock of the runtime.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>The exact account, of the moment at which the snapshot was begun.</summary>
    public required Census Census { get; init; }

    /// <summary>The timer queue.</summary>
    public required TimerGauges Timers { get; init; }

    /// <summary>The live tasks that were met, by state, listed or not.</summary>
    public required StateCounts States { get; init; }

    /// <summary>The tree of scopes and pools, parents before what was opened inside them. The first is the runtime itself, in which detached tasks live.</summary>
    public required IReadOnlyList<ScopeSnapshot> Scopes { get; init; }

    /// <summary>How many scopes are not listed, since there were more than asked for. Their tasks are counted.</summary>
    public int ScopesNotListed { get; init; }

    /// <summary>The live tasks, scope by scope, as many as were asked for.</summary>
    public required IReadOnlyList<TaskSnapshot> Tasks { get; init; }

    /// <summary>How many live tasks are not listed. They are in the groups.</summary>
    public long TasksNotListed { get; init; }

    /// <summary>All live tasks, put together by name, state, place and what they wait for; the largest group first.</summary>
    public required IReadOnlyList<GroupSnapshot> Groups { get; init; }

    /// <summary>How many groups are not listed.</summary>
    public int GroupsNotListed { get; init; }

    /// <summary>The synchronization primitives that tasks wait for or hold, the one with most waiters first.</summary>
    public required IReadOnlyList<PrimitiveSnapshot> Primitives { get; init; }

    /// <summary>How many primitives are not listed.</summary>
    public int PrimitivesNotListed { get; init; }

    /// <summary>What could not be told, and why: that plain code cannot be followed on this platform, that an assembly has no PDB.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>All that there is to know, for a terminal of 120 columns and 50 lines.</summary>
    public override string ToString() => SnapshotText.Of(this);
}

/// <summary>How many tasks are in which state.</summary>
/// <param name="Created">Registered, not yet handed to the executor.</param>
/// <param name="Ready">Spawned or woken; wait for a thread.</param>
/// <param name="Running">A thread executes them.</param>
/// <param name="Blocked">Wait for something.</param>
public readonly record struct StateCounts(long Created, long Ready, long Running, long Blocked)
{
    /// <summary>All of them.</summary>
    public long Live => Created + Ready + Running + Blocked;
}

/// <summary>What a scope is.</summary>
public enum ScopeKind
{
    /// <summary>The runtime itself: detached tasks live here.</summary>
    Runtime = 0,

    /// <summary>A <see cref="TaskScope"/>.</summary>
    Scope = 1,

    /// <summary>A <see cref="TaskPool"/>.</summary>
    Pool = 2,

    /// <summary>A <see cref="TaskCollector{T}"/> or a race, whose outcomes somebody gathers.</summary>
    Collector = 3,

    /// <summary>Operations that may be abandoned, beside the tasks of the scope from which they were called.</summary>
    Operations = 4,
}

/// <summary>A scope or pool.</summary>
public sealed record ScopeSnapshot
{
    /// <summary>Its place in the list, to which tasks and inner scopes refer.</summary>
    public required int Index { get; init; }

    /// <summary>The place of the scope around it; null for the runtime.</summary>
    public int? Parent { get; init; }

    /// <summary>How many scopes are around it.</summary>
    public int Depth { get; init; }

    /// <summary>What it is.</summary>
    public ScopeKind Kind { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The task that opened it, if one did.</summary>
    public TaskId? Opener { get; init; }

    /// <summary>Tasks ever entered here.</summary>
    public long Created { get; init; }

    /// <summary>Tasks that ended here with a result.</summary>
    public long Completed { get; init; }

    /// <summary>Tasks that ended here with an exception.</summary>
    public long Failed { get; init; }

    /// <summary>Tasks that ended here because they were asked to.</summary>
    public long Canceled { get; init; }

    /// <summary>The live tasks in it, those of inner scopes not among them.</summary>
    public StateCounts States { get; init; }

    /// <summary>Its slots; null when it has none.</summary>
    public SlotSnapshot? Slots { get; init; }

    /// <summary>Who canceled it, why and when; null when nobody did.</summary>
    public string? CancelCause { get; init; }
}

/// <summary>The slots of a pool.</summary>
/// <param name="Limit">How many there are.</param>
/// <param name="InUse">How many are held.</param>
/// <param name="Waiting">How many wait for one.</param>
public sealed record SlotSnapshot(int Limit, int InUse, int Waiting);
