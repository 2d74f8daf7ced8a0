using Moirai.Execution;

namespace Moirai.Results;

/// <summary>How a collector and a race leave: nothing is left behind, and what failed is thrown in one piece.</summary>
internal static class GroupEnd
{
    /// <summary>Whatever happened: cancels what still runs in the group, waits for it, and closes the group. No cancellation interrupts that.</summary>
    /// <param name="group">The group.</param>
    /// <param name="kind">What it is, for causes: a collector, a race.</param>
    internal static async Future CloseAsync(TaskGroup group, string kind)
    {
        using CancelShield shield = ManagedTask.Shield();
        if (!group.TryClose(out _)) // not "if it is empty": somebody may add a task before it is closed
        {
            CancelRest(group, kind, CancelKind.NoLongerNeeded, null);
        }

        await Abandonment.CloseAsync(group, kind);
    }

    internal static void CancelRest(TaskGroup group, string kind, CancelKind why, Exception? error) =>
        group.Cancel(Cancellation.Cause(why, group.Engine, null, $"{kind} '{group.Name}'", error));

    /// <summary>Throws a single failure as it is, and several together; when there is none the cancellation, if there is one.</summary>
    internal static void ThrowAny(string name, List<Exception>? failures, ManagedTaskCanceledException? canceled = null)
    {
        if (failures is { Count: > 1 })
        {
            throw new TaskScopeException(name, failures);
        }

        if ((failures is { Count: 1 } ? failures[0] : canceled) is { } error)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
        }
    }
}
