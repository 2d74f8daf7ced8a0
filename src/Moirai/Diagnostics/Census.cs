using Moirai.Execution;

namespace Moirai;

/// <summary>The exact account of a runtime at one moment.</summary>
/// <param name="Created">Tasks ever created.</param>
/// <param name="Live">Tasks that have not ended.</param>
/// <param name="Completed">Tasks that ended with a result.</param>
/// <param name="Failed">Tasks that ended with an exception.</param>
/// <param name="Canceled">Tasks that ended because they were asked to.</param>
/// <param name="OpenScopes">Scopes, pools and collectors that are not closed.</param>
/// <param name="SlotsInUse">Slots of pools that are held.</param>
/// <param name="Waiters">Waits for a slot, for the end of a scope, or in a synchronization primitive (those of tasks).</param>
/// <param name="TimerEntries">Entries in the timer queue: one for each delay and each timeout that goes on.</param>
/// <param name="Ready">Tasks that wait for a thread.</param>
/// <param name="Steps">Steps run so far: each takes a task from ready to its next wait or its end.</param>
/// <param name="Unobserved">Outcomes at which nobody has looked yet, although somebody still could: failures, and results where <see cref="TaskRuntimeOptions.ReportUnseenResults"/> says so.</param>
/// <param name="Zombies">Outcomes at which nobody has ever looked, and nobody can any more: each was told, as <see cref="RuntimeEventKind.UnobservedFailure"/> or <see cref="RuntimeEventKind.UnobservedResult"/>.</param>
public sealed record Census(
    long Created,
    long Live,
    long Completed,
    long Failed,
    long Canceled,
    long OpenScopes,
    long SlotsInUse,
    long Waiters,
    long TimerEntries,
    long Ready,
    long Steps,
    long Unobserved,
    long Zombies)
{
    /// <summary>Tasks among the live ones that were abandoned: operations under a timeout that did not stop when their time was over. See <see cref="TaskRuntime.ListAbandoned"/>.</summary>
    public long Abandoned { get; init; }

    /// <summary>Foreign <see cref="Task"/>s that tasks of this runtime gave up waiting for and that go on. They are not Moirai's and do not count as something left.</summary>
    public long AbandonedWaits { get; init; }

    /// <summary>Rings of tasks that waited for each other, found so far; each was told as <see cref="RuntimeEventKind.Deadlock"/>.</summary>
    public long Deadlocks { get; init; }

    /// <summary>Tasks that have ended, whichever way.</summary>
    public long Ended => Completed + Failed + Canceled;

    /// <summary>Whether every task ever created is accounted for. Holds at any moment.</summary>
    public bool IsBalanced => Created == Live + Ended;

    /// <summary>Whether nothing is left: no task, no slot, no timer entry, no waiter.</summary>
    public bool IsEmpty => IsBalanced && Live == 0 && SlotsInUse == 0 && TimerEntries == 0 && Waiters == 0 && Ready == 0;

    /// <summary>One line of numbers.</summary>
    public override string ToString() => Line() + (Abandoned + AbandonedWaits == 0 ? string.Empty : FormattableString.Invariant($", abandoned {Abandoned} (and {AbandonedWaits} foreign)"))
        + (Deadlocks == 0 ? string.Empty : FormattableString.Invariant($", deadlocks {Deadlocks}"));

    internal static Census Of(Engine engine)
    {
        GroupTotals totals = engine.Root.TakeTotals();
        return new Census(
            totals.Counts.Created,
            totals.Counts.Live,
            totals.Counts.Completed,
            totals.Counts.Failed,
            totals.Counts.Canceled,
            totals.OpenGroups - 1,
            totals.SlotsInUse,
            totals.Waiters,
            engine.Timers.Count,
            engine.Executor.ReadyCount,
            engine.Executor.StepCount,
            engine.Unseen.Open,
            engine.Unseen.Told)
        {
            Abandoned = totals.Abandoned,
            AbandonedWaits = engine.Abandoned.Count,
            Deadlocks = engine.DeadlocksFound,
        };
    }

    private string Line() => FormattableString.Invariant(
        $"created {Created} = live {Live} + completed {Completed} + failed {Failed} + canceled {Canceled}; open scopes {OpenScopes}, slots {SlotsInUse}, waiters {Waiters}, timers {TimerEntries}, ready {Ready}, unobserved {Unobserved}, zombies {Zombies}");
}
