namespace Moirai;

/// <summary>The timer queue of a runtime at one moment. Taken by <see cref="TaskRuntime.TakeTimerGauges"/>.</summary>
/// <remarks>The wheel's resolution is one millisecond under the system clock, and exact under any other <see cref="TimeProvider"/>. A timer never fires early; by how much it was late is the lag.</remarks>
/// <param name="Depth">Entries: one for each wait that time may end.</param>
/// <param name="NextIn">In how much time the earliest is due; zero when it is overdue, null when nothing will ever be due. Rounded down to the time of its slot when hundreds share that.</param>
/// <param name="OldestOverdue">By how much the earliest is overdue; zero when none is.</param>
/// <param name="Fired">Timers that have fired, ever.</param>
/// <param name="LastLag">How late the last one fired.</param>
/// <param name="MeanLag">How late they fired on average, over the life of the runtime.</param>
/// <param name="MaxLag">How late the latest ever fired.</param>
public readonly record struct TimerGauges(
    int Depth,
    TimeSpan? NextIn,
    TimeSpan OldestOverdue,
    long Fired,
    TimeSpan LastLag,
    TimeSpan MeanLag,
    TimeSpan MaxLag);
