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

        return PlainWalker.HasEnded(awaited) ? "a Task that has just ended" : Of(awaited.GetType());
    }

    /// <summary>What objects of a type are called.</summary>
    internal static string Of(Type type)
    {
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
            "DefaultPipeReader" or "DefaultPipeWriter" => "a pipe",
            "YieldAwaiter" => "Task.Yield",
            "State" when type.DeclaringType == typeof(PeriodicTimer) => "PeriodicTimer.WaitForNextTickAsync",
            _ when typeof(Task).IsAssignableFrom(type) => $"a Task ({name})",
            _ => $"a {name}",
        };
    }

    /// <summary>A method of the platform that the user's code has called and that waits, in words.</summary>
    /// <param name="called">The method.</param>
    /// <param name="awaited">What it waits for, in words.</param>
    internal static string OfCall(FrameSnapshot called, string awaited) => (called.Type, called.Method) switch
    {
        // Only a wait with a token or a limit is a method of its own; to who awaits they are one.
        (nameof(SemaphoreSlim), "WaitUntilCountOrTimeoutAsync") => "SemaphoreSlim.WaitAsync",
        _ => $"{called.Type}.{Public(called.Method)} ({awaited})",
    };

    // The platform calls what is behind a public method GetStringAsyncCore, ReadLineAsyncInternal.
    private static string Public(string method)
    {
        foreach (string suffix in (ReadOnlySpan<string>)["Core", "Internal"])
        {
            if (method.EndsWith($"Async{suffix}", StringComparison.Ordinal))
            {
                return method[..^suffix.Length];
            }
        }

        return method;
    }
}
