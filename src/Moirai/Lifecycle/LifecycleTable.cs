namespace Moirai.Lifecycle;

/// <summary>What can happen to a task.</summary>
internal enum TaskEvent : byte
{
    Enqueue = 0,
    Start = 1,
    Park = 2,
    Wake = 3,
    Yield = 4,
    Complete = 5,
    Fail = 6,
    Cancel = 7,
}

/// <summary>One legal move: in state <paramref name="From"/>, on <paramref name="On"/>, the task becomes <paramref name="To"/>.</summary>
internal readonly record struct LifecycleRow(TaskState From, TaskEvent On, TaskState To, string Meaning);

/// <summary>The law of a task's life, one row a line.</summary>
/// <remarks>A pair without a row is a bug in the runtime and throws. docs/lifecycle.md is printed from these rows, and a test
/// keeps the two equal.</remarks>
internal static class LifecycleTable
{
    internal const int States = 7;
    internal const int Events = 8;
    private const byte Illegal = 0xFF;

    internal static readonly LifecycleRow[] Rows =
    [
        new(TaskState.Created, TaskEvent.Enqueue, TaskState.Ready, "the spawner hands it to the executor"),
        new(TaskState.Created, TaskEvent.Cancel, TaskState.Canceled, "spawned into a canceled scope: its body never runs"),
        new(TaskState.Ready, TaskEvent.Start, TaskState.Running, "a thread of the executor takes it"),
        new(TaskState.Ready, TaskEvent.Cancel, TaskState.Canceled, "canceled before its first step: its body never runs"),
        new(TaskState.Running, TaskEvent.Park, TaskState.Blocked, "it awaits something that is not there yet"),
        new(TaskState.Running, TaskEvent.Yield, TaskState.Ready, "it gives way to others"),
        new(TaskState.Running, TaskEvent.Complete, TaskState.Completed, "the body returned"),
        new(TaskState.Running, TaskEvent.Fail, TaskState.Failed, "the body threw"),
        new(TaskState.Running, TaskEvent.Cancel, TaskState.Canceled, "the body left because it was canceled"),
        new(TaskState.Blocked, TaskEvent.Wake, TaskState.Ready, "one party won the wait: completion, timer, cancellation"),
    ];

    private static readonly byte[] s_next = BuildLookup();

    /// <summary>The state after <paramref name="on"/>.</summary>
    /// <exception cref="InvalidOperationException">The table has no such row.</exception>
    internal static TaskState Next(TaskState from, TaskEvent on)
    {
        byte to = s_next[((int)from << 3) | (int)on];
        if (to == Illegal)
        {
            ThrowIllegal(from, on);
        }

        return (TaskState)to;
    }

    internal static bool IsEnded(TaskState state) => state >= TaskState.Completed;

    private static byte[] BuildLookup()
    {
        var next = new byte[States << 3];
        Array.Fill(next, Illegal);
        foreach (LifecycleRow row in Rows)
        {
            next[((int)row.From << 3) | (int)row.On] = (byte)row.To;
        }

        return next;
    }

    private static void ThrowIllegal(TaskState from, TaskEvent on) => throw new InvalidOperationException(
        $"Moirai broke its own law: no transition leads out of {from} on {on}. Please report this with the stack trace.");
}
