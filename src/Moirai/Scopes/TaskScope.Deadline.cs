using Moirai.Execution;
using Moirai.Timers;

namespace Moirai;

/// <content>Deadlines.</content>
public sealed partial class TaskScope
{
    /// <summary>The instant by which all in the scope has to have ended; null, the default, when it has no deadline of its own.</summary>
    /// <remarks>
    /// When it comes, the body and every task of the scope and of the scopes opened inside are canceled, with a cause that names the scope, and who waits for the scope is thrown a <see cref="TaskTimeoutException"/>. It may be moved at any time and
    /// from any thread, earlier or later, or withdrawn with null; one that is over stays over, and in a closed scope nothing happens. An instant that has passed is over at once.
    /// <para>It is kept on the monotonic clock: the wall clock is asked when it is set, and again when it is read. A wall clock that is set meanwhile does not move the moment at which it comes.</para>
    /// </remarks>
    public DateTimeOffset? Deadline
    {
        get => Execution.EffectiveDeadline.ToInstant(Group.Engine, Group.Due);
        set
        {
            Group.SetDeadline(value is not { } instant || instant == DateTimeOffset.MaxValue
                ? TimerWheel.Never
                : DueIn(instant - Group.Engine.Provider.GetUtcNow()));
        }
    }

    /// <summary>The earliest deadline that holds for the tasks of the scope: its own, or that of a timeout or scope around it which no shield keeps out. Null when there is none; <see cref="DateTimeOffset.MinValue"/> once
    /// the scope is canceled.</summary>
    public DateTimeOffset? EffectiveDeadline => Execution.EffectiveDeadline.ToInstant(Group.Engine, Execution.EffectiveDeadline.Of(Group));

    /// <summary>Sets <see cref="Deadline"/> to <paramref name="within"/> from now.</summary>
    /// <param name="within">The time allowed; zero or less is over at once, <see cref="Timeout.InfiniteTimeSpan"/> withdraws the deadline.</param>
    public void CancelAfter(TimeSpan within) => Group.SetDeadline(within == Timeout.InfiniteTimeSpan ? TimerWheel.Never : DueIn(within));

    // Now itself where there is no time: a wait that begins now would end a tick later.
    private long DueIn(TimeSpan time) => time > TimeSpan.Zero ? Group.Engine.Timers.DueIn(time) : Group.Engine.Timers.Now;

    /// <summary>What to throw instead of <paramref name="otherwise"/> when the scope's own deadline has ended it.</summary>
    /// <param name="waiter">The task that waited for the scope.</param>
    /// <param name="body">The stretch in which it ran the body; null when it joined.</param>
    /// <param name="otherwise">What the body threw, or the wait.</param>
    private TaskTimeoutException? TimedOut(ManagedTask waiter, BodyRegion? body, Exception? otherwise)
    {
        if (Group.Deadline is not { Cause: { } cause } deadline || !ReferenceEquals(Group.Cause, cause))
        {
            return null;
        }

        bool isCut = otherwise switch
        {
            null => deadline.CutShort is not null || body is { WasDelivered: true },
            ManagedTaskCanceledException canceled => ReferenceEquals(canceled.Cause, cause),
            OperationCanceledException => Cancellation.Find(waiter) is null, // foreign code that was told by a token
            _ => false,
        };
        return isCut
            ? Timeouts.Tell(waiter, $"scope '{Name}'", deadline.Within, deadline.CutShort ?? "its body", otherwise)
            : null;
    }
}
