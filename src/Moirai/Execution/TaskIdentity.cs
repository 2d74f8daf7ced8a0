namespace Moirai.Execution;

/// <summary>Says in plain <c>async Task</c> code which managed task it runs for: the body of a task that was given as a delegate returning a <see cref="Task"/>, and what that calls.</summary>
/// <remarks>
/// A cell in the execution context, which plain code carries from await to await. Only such bodies pay for it; futures are known by the thread that steps them. The cell is emptied when the body ends, so
/// a timer or a registration that has captured the context keeps neither the task nor its outcome. Where polls are counted it is the task's <see cref="AccountCell"/>.
/// </remarks>
internal abstract class TaskIdentity : IDisposable
{
    private static readonly AsyncLocal<TaskIdentity?> s_current = new();

    // Written by the body's first step and by its end; read by whatever runs in the context.
    private volatile ManagedTask? _task;

    private protected TaskIdentity()
    {
    }

    /// <summary>The task for which the plain code of this thread runs; null when there is none.</summary>
    internal static ManagedTask? Task => (AccountFlow.Current ?? s_current.Value)?._task;

    /// <summary>From here on the code in this execution context runs for the task that the thread steps.</summary>
    internal static TaskIdentity Enter()
    {
        Frame frame = StepContext.Current.Frame!;
        ManagedTask task = frame.Owner!;
        if (task.Engine.Accounting == AccountingLevel.None)
        {
            return s_current.Value = new Bare { _task = task };
        }

        AccountCell cell = AccountFlow.Begin(frame);
        cell._task = task;
        return cell;
    }

    /// <summary>The current execution context for a task that is spawned in it: with all that flows, and without the spawner's identity.</summary>
    internal static ExecutionContext? CaptureForChild()
    {
        ExecutionContext? context = ExecutionContext.Capture();
        if (AccountFlow.Current is { } cell)
        {
            return AccountFlow.Without(cell, context);
        }

        if (s_current.Value is not { } own)
        {
            return context;
        }

        s_current.Value = null;
        ExecutionContext? without = ExecutionContext.Capture();
        s_current.Value = own;
        return without;
    }

    public void Dispose()
    {
        if (_task is { } task && this is AccountCell cell)
        {
            cell.CloseBody(task);
        }

        _task = null;
    }

    // Where nothing is counted.
    private sealed class Bare : TaskIdentity;
}
