namespace Moirai.Execution;

/// <summary>The error of a timeout, of which the operator is told too.</summary>
internal static class Timeouts
{
    internal static TaskTimeoutException Tell(ManagedTask task, string operation, TimeSpan within, string waitedFor, Exception? inner)
    {
        var timeout = new TaskTimeoutException($"{operation} in {task.Title}", within, waitedFor, task.Id, inner);
        task.Engine.Publish(new RuntimeEvent(RuntimeEventKind.TimedOut, timeout.Message, task.Id, timeout));
        return timeout;
    }
}
