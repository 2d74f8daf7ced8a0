namespace Moirai;

/// <summary>What kind of thing is waited for.</summary>
public enum WaitKind
{
    /// <summary>Something else of Moirai's.</summary>
    Other = 0,

    /// <summary>A time.</summary>
    Timer = 1,

    /// <summary>A synchronization primitive.</summary>
    Primitive = 2,

    /// <summary>The end of a managed task.</summary>
    Task = 3,

    /// <summary>The end of all tasks of a scope or pool.</summary>
    Scope = 4,

    /// <summary>A slot of a pool.</summary>
    Slot = 5,

    /// <summary>A wake of a polled future.</summary>
    Poll = 6,

    /// <summary>Code that is not Moirai's: a <see cref="System.Threading.Tasks.Task"/>, a socket, a semaphore of the platform.</summary>
    Foreign = 7,
}

/// <summary>What a task waits for.</summary>
/// <param name="Kind">Of which kind it is.</param>
/// <param name="What">What it is, in words: <c>mutex 'ledger'</c>, <c>the end of #17 'reconcile'</c>, <c>a timer</c>.</param>
public sealed record WaitSnapshot(WaitKind Kind, string What)
{
    /// <summary>The place of the primitive in <see cref="RuntimeSnapshot.Primitives"/>; null when it is none, or is not listed.</summary>
    public int? Primitive { get; init; }

    /// <summary>The task whose end is awaited.</summary>
    public TaskId? Task { get; init; }

    /// <summary>The task that has what is waited for to itself.</summary>
    public TaskId? Holder { get; init; }

    /// <summary>The name of <see cref="Holder"/>.</summary>
    public string? HolderName { get; init; }

    /// <summary>When the wait is over by time: negative when that is overdue. Null when time does not end it.</summary>
    public TimeSpan? DueIn { get; init; }

    /// <summary>All of it in words.</summary>
    public override string ToString()
    {
        string text = Holder is { } holder ? $"{What} held by {holder} '{HolderName}'" : What;
        return DueIn is { } due ? $"{text} due {(due < TimeSpan.Zero ? $"{Durations.Words(-due)} ago" : $"in {Durations.Words(due)}")}" : text;
    }
}
