using Moirai.Execution;

namespace Moirai.Futures;

/// <summary>Makes a cold frame of whatever a user spawns.</summary>
/// <remarks>A delegate that returns a future is called at once, on the caller's thread: an <c>async</c> lambda runs nothing then. A delegate that
/// returns a <see cref="Task"/> or <see cref="ValueTask"/> is called by the task's first step. What a delegate throws, the task fails with.</remarks>
internal static class Bodies
{
    internal static Frame Of(Func<CancellationToken, Future> body, CancellationToken token)
    {
        try
        {
            return body(token).Frame;
        }
        catch (Exception error) // becomes the outcome of the task
        {
            return new ReadyFrame<bool>(value: false, error);
        }
    }

    internal static Frame<T> Of<T>(Func<CancellationToken, Future<T>> body, CancellationToken token)
    {
        try
        {
            return body(token).Frame;
        }
        catch (Exception error)
        {
            return new ReadyFrame<T>(default!, error);
        }
    }

    internal static Frame Of<TState>(TState state, Func<TState, CancellationToken, Future> body, CancellationToken token)
    {
        try
        {
            return body(state, token).Frame;
        }
        catch (Exception error)
        {
            return new ReadyFrame<bool>(value: false, error);
        }
    }

    internal static Frame<T> Of<TState, T>(TState state, Func<TState, CancellationToken, Future<T>> body, CancellationToken token)
    {
        try
        {
            return body(state, token).Frame;
        }
        catch (Exception error)
        {
            return new ReadyFrame<T>(default!, error);
        }
    }

    internal static Frame Of(Func<CancellationToken, Task> body, CancellationToken token) => RunTask(body, token).Frame;

    internal static Frame<T> Of<T>(Func<CancellationToken, Task<T>> body, CancellationToken token) => RunTask(body, token).Frame;

    internal static Frame Of(Func<CancellationToken, ValueTask> body, CancellationToken token) => RunTask(body, token).Frame;

    internal static Frame<T> Of<T>(Func<CancellationToken, ValueTask<T>> body, CancellationToken token) => RunTask(body, token).Frame;

    private static async Future RunTask(Func<CancellationToken, Task> body, CancellationToken token) =>
        await (body(token) ?? throw NullTask(body)).ConfigureAwait(false);

    private static async Future<T> RunTask<T>(Func<CancellationToken, Task<T>> body, CancellationToken token) =>
        await (body(token) ?? throw NullTask(body)).ConfigureAwait(false);

    private static async Future RunTask(Func<CancellationToken, ValueTask> body, CancellationToken token) =>
        await body(token).ConfigureAwait(false);

    private static async Future<T> RunTask<T>(Func<CancellationToken, ValueTask<T>> body, CancellationToken token) =>
        await body(token).ConfigureAwait(false);

    private static InvalidOperationException NullTask(Delegate body) =>
        new($"The body of {ManagedTask.Current?.Title} ({MethodName.Of(body.Method.Name)}) returned null where a Task was due. Return Task.CompletedTask when there is nothing to wait for.");
}
