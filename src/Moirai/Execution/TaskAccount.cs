using System.Globalization;
using System.Text;

namespace Moirai;

/// <summary>What a task has done with its time. See <see cref="ManagedTask.TakeAccount()"/>.</summary>
/// <remarks>What the <see cref="Level"/> does not tell is null.</remarks>
public readonly record struct TaskAccount
{
    /// <summary>How exactly the task's runtime accounts.</summary>
    public AccountingLevel Level { get; internal init; }

    /// <summary>Where the task is in its life. At <see cref="AccountingLevel.Exact"/> a task is also <see cref="TaskState.Running"/> while a thread runs plain code that it awaits; at the other levels it is
    /// <see cref="TaskState.Blocked"/> then, as <see cref="ManagedTask.State"/> says.</summary>
    public TaskState State { get; internal init; }

    /// <summary>How often a thread took the task up: its first step, each resume after an await that had to wait, and each thread that took up plain code inside it (<c>Task.Run</c>, parallel loops, timers).
    /// Awaits that complete at once do not count. Null at <see cref="AccountingLevel.None"/>.</summary>
    public long? Polls { get; internal init; }

    /// <summary>How long threads were busy with it: the time in which at least one ran its code, however many did. Null below <see cref="AccountingLevel.Exact"/>.</summary>
    public TimeSpan? Busy { get; internal init; }

    /// <summary>How long it was ready to run and had no thread. Plain code that becomes ready inside it is seen when a thread takes it up, and counts as blocked until then. Null below <see cref="AccountingLevel.Exact"/>.</summary>
    public TimeSpan? Ready { get; internal init; }

    /// <summary>How long it waited. Null below <see cref="AccountingLevel.Exact"/>.</summary>
    public TimeSpan? Blocked { get; internal init; }

    /// <summary>How long ago it was spawned; of a task that has ended, how long it lived. Null below <see cref="AccountingLevel.Exact"/>.</summary>
    public TimeSpan? Age { get; internal init; }

    /// <summary>When it was spawned: an instant of the wall clock of the task's runtime as that stands now. Null below <see cref="AccountingLevel.Exact"/>.</summary>
    public DateTimeOffset? CreatedAt { get; internal init; }

    /// <summary>How many threads run its code now. Null below <see cref="AccountingLevel.Exact"/>.</summary>
    public int? Threads { get; internal init; }

    /// <summary>What it waits for, while it waits; after that, at <see cref="AccountingLevel.Exact"/>, what kind of thing its last await that had to wait was on. Null before the first such await, and when it is not known.</summary>
    public string? LastAwait { get; internal init; }

    /// <summary>One line: <c>Blocked on a slot of 'db' (1 of 1 in use); 3 polls, busy 00:00:00.0010000, ready 00:00:00, blocked 00:00:02, age 00:00:02.0010000</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder().Append(State);
        if (LastAwait is not null)
        {
            text.Append(State == TaskState.Blocked ? " on " : ", last on ").Append(LastAwait);
        }

        if (Polls is { } polls)
        {
            text.Append(CultureInfo.InvariantCulture, $"; {polls} polls");
        }

        if (Age is { } age)
        {
            text.Append(CultureInfo.InvariantCulture, $", busy {Busy:c}, ready {Ready:c}, blocked {Blocked:c}, age {age:c}");
        }

        return text.ToString();
    }
}
