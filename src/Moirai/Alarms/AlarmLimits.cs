using Moirai.Execution;

namespace Moirai;

/// <summary>What may go on for how long before a runtime raises an <see cref="Alarm"/>. Read once, when the runtime is made.</summary>
/// <remarks>Null stands for no limit. Under the system clock a thread of its own looks; under any other <see cref="TimeProvider"/> that provider's timers have it look. A look costs some 100 nanoseconds a live task, and the next
/// one comes at the earliest a hundred times as long after it as it took, so that looking never costs more than a hundredth of a processor.</remarks>
public sealed class AlarmLimits
{
    /// <summary>How long a task may wait, delays of its own included; not one that is marked as <see cref="ManagedTask.IsResident"/>. Counted in whole seconds. Null by default: how long is too long only the program knows. Overridden for some by
    /// <see cref="TaskScope.BlockedLimit"/>, <see cref="TaskPool.BlockedLimit"/> and <see cref="ManagedTask.BlockedLimit"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? Blocked { get; set => field = Timeouts.Positive(value); }

    /// <summary>How long a task may keep its thread in one step, computing or blocking it. One second by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? WorkerHeld { get; set => field = Timeouts.Positive(value); } = TimeSpan.FromSeconds(1);

    /// <summary>How long a task that is ready may wait for a thread. One second by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? Starved { get; set => field = Timeouts.Positive(value); } = TimeSpan.FromSeconds(1);

    /// <summary>How late a timer may be. One second by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? TimersLate { get; set => field = Timeouts.Positive(value); } = TimeSpan.FromSeconds(1);

    /// <summary>How long a task that was canceled may go on. 30 seconds by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? CancelIgnored { get; set => field = Timeouts.Positive(value); } = TimeSpan.FromSeconds(30);

    /// <summary>How long a pool may have no free slot. 30 seconds by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? PoolFull { get; set => field = Timeouts.Positive(value); } = TimeSpan.FromSeconds(30);

    /// <summary>From one look to the next. Half a second by default; at least 10 milliseconds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Shorter.</exception>
    public TimeSpan Every
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.FromMilliseconds(10));
            field = value;
        }
    } = TimeSpan.FromMilliseconds(500);

    /// <summary>After how long an alarm that is still there is told again for the first time; each pause after that is twice as long, up to an hour. Ten seconds by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan RepeatAfter
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(value, TimeSpan.Zero);
            field = value;
        }
    } = TimeSpan.FromSeconds(10);

    /// <summary>Told of every alarm, when it is raised, repeated and cleared, on the thread that looks; it must return soon. What it throws goes to the event source <c>Moirai</c>.</summary>
    public Action<Alarm>? OnAlarm { get; set; }
}
