using System.Globalization;

namespace Moirai;

/// <summary>The identity of a managed task, unique in the process and never used again. Written <c>#17</c>.</summary>
/// <param name="Value">A positive number; 0 is no task. Numbers are dealt to threads in small blocks, so they are unique
/// but only roughly in the order of spawning.</param>
public readonly record struct TaskId(long Value) : IComparable<TaskId>
{
    /// <inheritdoc/>
    public int CompareTo(TaskId other) => Value.CompareTo(other.Value);

    /// <summary>The number behind a hash sign.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"#{Value}");

    /// <summary>Whether <paramref name="left"/> has the smaller number.</summary>
    public static bool operator <(TaskId left, TaskId right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> has the larger number.</summary>
    public static bool operator >(TaskId left, TaskId right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> has the smaller number or the same.</summary>
    public static bool operator <=(TaskId left, TaskId right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> has the larger number or the same.</summary>
    public static bool operator >=(TaskId left, TaskId right) => left.Value >= right.Value;
}
