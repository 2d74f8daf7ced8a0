using Moirai.Sites;

namespace Moirai.Stories;

/// <summary>Calls the platform's own awaited objects what people call them. By their types: no code of theirs runs.</summary>
internal static class ForeignNames
{
    /// <summary>What is awaited, in words.</summary>
    /// <param name="awaited">The last thing on the chain; null when it could not be told.</param>
    /// <param name="codeRuns">Plain code runs for the task, which waits for nothing else.</param>
    internal static string Of(object? awaited, bool codeRuns)
    {
        if (awaited is null)
        {
            return codeRuns ? "plain code that runs" : "a foreign awaitable";
        }

        if (PlainWalker.HasEnded(awaited))
        {
            return "a Task that has just ended";
        }

        Type type = awaited.GetType();
        string name = type.Name;
        int arity = name.IndexOf('`', StringComparison.Ordinal);
        name = arity < 0 ? name : name[..arity];
        return name switch
        {
            "Task" => "a Task",
            "DelayPromise" or "DelayPromiseWithCancellation" => "Task.Delay",
            "TaskNode" or "TaskNodeWithCancellation" => "SemaphoreSlim.WaitAsync",
            "WhenAllPromise" => "Task.WhenAll",
            "WhenAnyPromise" or "TwoTaskWhenAnyPromise" => "Task.WhenAny",
            "CancellationPromise" => "Task.WaitAsync",
            "UnwrapPromise" => "Task.Run of async code",
            "AwaitableSocketAsyncEventArgs" => "a socket",
            "ContinuationTaskFromTask" or "ContinuationTaskFromResultTask" or "ContinuationResultTaskFromTask" or "ContinuationResultTaskFromResultTask" => "Task.ContinueWith",
            "YieldAwaiter" => "Task.Yield",
            _ when typeof(Task).IsAssignableFrom(type) => $"a Task ({name})",
            _ => $"a {name}",
        };
    }
}
