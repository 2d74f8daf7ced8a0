using Moirai.Execution;
using Moirai.Leaks;

namespace Moirai;

/// <summary>The search for leaks, inside one scope.</summary>
public static class ScopeLeaks
{
    /// <summary>Looks for tasks of the scope, and of those opened inside it, that can never go on. See <see cref="TaskRuntime.FindLeaksAsync"/>, also for what it costs.</summary>
    /// <param name="scope">The scope; it may be open or be joined meanwhile.</param>
    /// <param name="policy">Whether they are resumed with a <see cref="LeakedTaskException"/> or only told of.</param>
    public static Task<LeakReport> FindLeaksAsync(this TaskScope scope, LeakPolicy policy = LeakPolicy.Heal)
    {
        ArgumentNullException.ThrowIfNull(scope);
        return LeakScan.RunAsync(scope.Group.Engine, scope.Group, policy);
    }

    /// <summary>Joins the scope as <see cref="TaskScope.JoinAsync"/> does; when its tasks have not ended after a while, looks whether some of them never can.</summary>
    /// <remarks>With <see cref="LeakPolicy.Heal"/> those are resumed, so the join ends, and throws the <see cref="LeakedTaskException"/>. The search is repeated each time that <paramref name="patience"/> has passed
    /// again. Call it where the scope is joined; a task of the scope itself must not.</remarks>
    /// <param name="scope">The scope.</param>
    /// <param name="patience">How long its tasks may take before they are looked at; more than zero.</param>
    /// <param name="policy">Whether they are resumed or only told of.</param>
    /// <exception cref="ArgumentOutOfRangeException">No patience at all.</exception>
    public static async Future JoinFindingLeaksAsync(this TaskScope scope, TimeSpan patience, LeakPolicy policy = LeakPolicy.Heal)
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(patience, TimeSpan.Zero);
        TaskGroup group = scope.Group;
        var told = new HashSet<TaskId>();
        while (!await EmptyWithinAsync(group, patience).ConfigureAwait(false) && !ManagedTask.CurrentToken.IsCancellationRequested)
        {
            await LeakScan.RunAsync(group.Engine, group, policy, told).ConfigureAwait(false);
        }

        await scope.JoinAsync();
    }

    /// <summary>Waits for the tasks, and leaves neither a joiner nor a timer when it has waited enough. What interrupts the caller ends the wait.</summary>
    private static async Task<bool> EmptyWithinAsync(TaskGroup group, TimeSpan patience)
    {
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var seat = new CallbackNode(() => over.TrySetResult(), flowContext: false, captureSynchronization: false);
        group.JoinEmpty(seat, armed: 0);
        using ITimer timer = group.Engine.Provider.CreateTimer(static over => ((TaskCompletionSource)over!).TrySetResult(), over, patience, Timeout.InfiniteTimeSpan);
        using CancellationTokenRegistration interrupted = ManagedTask.CurrentToken.UnsafeRegister(static over => ((TaskCompletionSource)over!).TrySetResult(), over);
        await over.Task.ConfigureAwait(false);
        group.GiveUp(seat);
        return group.IsEmpty;
    }
}
