using System.Globalization;
using Moirai.Execution;
using Moirai.Lifecycle;

namespace Moirai;

/// <summary>An operation that was given up and goes on. See <see cref="TaskRuntime.ListAbandoned"/>.</summary>
/// <param name="Task">Its identity; 0 for a foreign <see cref="System.Threading.Tasks.Task"/>.</param>
/// <param name="Name">Its name, which begins with <c>abandoned: </c>.</param>
/// <param name="Scope">The scope or pool from which it was called.</param>
/// <param name="WaitingFor">What it waits for now; for a foreign task, who gave it up.</param>
public sealed record AbandonedOperation(TaskId Task, string Name, string Scope, string WaitingFor);

/// <summary>What becomes of operations that do not stop when their time is over.</summary>
internal static class Abandonment
{
    private const int MostNamed = 5;
    private const long Unset = -1;

    private static readonly LateEnds s_listener = new();

    /// <summary>The group in which operations run that a task of <paramref name="group"/> calls and may abandon.</summary>
    internal static TaskGroup OperationsOf(TaskGroup group) => group.OpenOperations(s_listener);

    /// <summary>Gives an operation up.</summary>
    /// <returns>False when it is about to end.</returns>
    internal static bool TryAbandon(ManagedTask operation, string name, TimeSpan abandonAfter)
    {
        if (!operation.TryAbandon())
        {
            return false;
        }

        Cancellation.Cancel(operation, Cancellation.Cause(CancelKind.TimedOut, operation.Engine, null, $"the timeout of {name}")); // nobody wants anything from it but its end
        operation.Engine.Publish(new RuntimeEvent(
            RuntimeEventKind.Abandoned,
            string.Create(CultureInfo.InvariantCulture, $"{operation.Title} in '{operation.Group.Name}' had not stopped {abandonAfter} after it was told to, and was given up; it goes on, waiting for {operation.DescribeWait()}. The scope's end waits for it no longer than {operation.Engine.AbandonTimeout}."),
            operation.Id));
        return true;
    }

    internal static List<AbandonedOperation> List(Engine engine)
    {
        List<AbandonedOperation> all = [];
        foreach (ManagedTask task in engine.Root.CollectTasks())
        {
            if (task.IsAbandoned && !task.IsEnded)
            {
                all.Add(new AbandonedOperation(task.Id, task.Name, task.Group.Name, task.DescribeWait()));
            }
        }

        foreach (AbandonedWait wait in engine.Abandoned.ToList())
        {
            all.Add(OfForeign(wait));
        }

        foreach (TaskGroup group in engine.Root.SelfAndInside())
        {
            foreach (AbandonedWait wait in group.GivenUp?.ToList() ?? [])
            {
                if (!wait.IsListed)
                {
                    all.Add(OfForeign(wait)); // another scope was the first to give it up
                }
            }
        }

        return all;
    }

    private static AbandonedOperation OfForeign(AbandonedWait wait) =>
        new(default, $"abandoned: {wait.Operation}", wait.Group, $"its end (a foreign Task, given up by {wait.Waiter})");

    /// <summary>Waits, whatever happens, until nothing lives in a group and in those opened inside, and closes it. For operations that were abandoned in it there is a budget.</summary>
    /// <param name="group">The group.</param>
    /// <param name="kind">What it is, for causes: a scope, a pool.</param>
    internal static async Future CloseAsync(TaskGroup group, string kind)
    {
        long due = Unset;
        while (!group.TryClose(out TaskGroup? left))
        {
            if (left is { IsForOperations: true })
            {
                due = due == Unset ? DueOf(group.Engine) : due;
                await LeaveOperationsAsync(left, due);
            }
            else if (left is not null)
            {
                await CloseInsideAsync(left, kind, group.Name);
            }
            else if (group.GivenUp is { } given && group.IsEmpty)
            {
                due = due == Unset ? DueOf(group.Engine) : due;
                await LeaveGivenUpAsync(group, given, due);
            }
            else
            {
                await new EmptyAwaitable(group, isFirm: true);
            }
        }
    }

    private static long DueOf(Engine engine) => engine.Timers.DueIn(engine.AbandonTimeout);

    // A scope or pool that was opened inside and never left by its owner.
    private static async Future CloseInsideAsync(TaskGroup left, string kind, string around)
    {
        left.Cancel(Cancellation.Cause(CancelKind.ScopeLeft, left.Engine, null, $"{kind} '{around}'"));
        await CloseAsync(left, "scope");
    }

    // Nobody calls operations from there any more: those that still run were abandoned.
    private static async Future LeaveOperationsAsync(TaskGroup operations, long due)
    {
        while (!operations.TryClose(out TaskGroup? left))
        {
            if (left is { IsForOperations: true })
            {
                await LeaveOperationsAsync(left, due);
            }
            else if (left is not null)
            {
                await CloseInsideAsync(left, "operation of", operations.Name);
            }
            else if (!await new EmptyWithin(operations, due))
            {
                TellLeft(operations);
                operations.MoveUnderRoot();
                _ = CloseAsync(operations, "operation of").Frame.SpawnInto(operations.Engine.Housekeeping, TaskLabel.Of("close", nameof(CloseAsync), null, string.Empty, 0));
                return;
            }
        }
    }

    // Foreign Tasks cannot be stopped and belong to nobody here; they go on all the same when the budget is over, and the runtime lists them until they end.
    private static async Future LeaveGivenUpAsync(TaskGroup group, GivenUpTasks given, long due)
    {
        while (given.TryGetFirst(out Task? task))
        {
            if (group.Engine.Timers.Now >= due || !await new EndOfTaskWithin(task, due))
            {
                TellLeft(group, given.ToList());
                break;
            }
        }

        group.ForgetGivenUp();
    }

    private static void TellLeft(TaskGroup group, List<AbandonedWait> left)
    {
        string named = string.Join("; ", left.Take(MostNamed).Select(static wait => $"{wait.Operation}, given up by {wait.Waiter}"));
        string more = left.Count > MostNamed ? $"; and {left.Count - MostNamed} more" : string.Empty;
        group.Engine.Publish(new RuntimeEvent(
            RuntimeEventKind.Abandoned,
            $"'{group.Name}' ends without foreign Tasks that were given up in it; they go on, and runtime '{group.Engine.Name}' lists them until they end: {named}{more}.",
            default));
    }

    private static void TellLeft(TaskGroup operations)
    {
        List<ManagedTask> left = operations.OwnTasks();
        string named = string.Join("; ", left.Take(MostNamed).Select(static task => $"{task.Title}, waiting for {task.DescribeWait()}"));
        string more = left.Count > MostNamed ? $"; and {left.Count - MostNamed} more" : string.Empty;
        operations.Engine.Publish(new RuntimeEvent(
            RuntimeEventKind.Abandoned,
            $"'{operations.Name}' ends without operations that were abandoned in it; they go on under runtime '{operations.Engine.Name}': {named}{more}.",
            left.Count > 0 ? left[0].Id : default));
    }

    /// <summary>Told when operations end. Of those that were given up nobody else would hear.</summary>
    private sealed class LateEnds : IEndListener
    {
        public void TaskEnding(ManagedTask task, TaskEvent how, Exception? error)
        {
            if (error is not null && task.IsAbandoned)
            {
                task.Engine.Unseen.TellUnneeded(task, error, $"called from '{task.Group.Name}', failed after it had been given up");
            }
        }
    }
}
