using System.Diagnostics.CodeAnalysis;
using Moirai.Execution;
using Moirai.Sites;

namespace Moirai.Futures;

/// <summary>Makes a <see cref="Body"/> of whatever a user spawns. Every shape of every spawn passes here.</summary>
/// <remarks>A delegate that returns a future is called at once, on the caller's thread: an <c>async</c> lambda runs nothing then. A delegate that
/// returns a <see cref="Task"/> or <see cref="ValueTask"/> is called by the task's first step. What a delegate throws, the task fails with.</remarks>
internal static class Bodies
{
    internal static Body Of(Future future, string? name, string file, int line)
    {
        Frame root = future.FrameToStart;
        return new(root, TaskLabel.Of(name, root.Method, null, file, line), null);
    }

    internal static Body<T> Of<T>(Future<T> future, string? name, string file, int line)
    {
        Frame<T> root = future.FrameToStart;
        return new(root, TaskLabel.Of(name, root.Method, null, file, line), null);
    }

    internal static Body Of(Func<CancellationToken, Future> body, string? name, string file, int line)
    {
        ThrowIfNull(body, name);
        return Of(body, static (body, ct) => body(ct), name, file, line);
    }

    internal static Body<T> Of<T>(Func<CancellationToken, Future<T>> body, string? name, string file, int line)
    {
        ThrowIfNull(body, name);
        return Of(body, static (body, ct) => body(ct), name, file, line);
    }

    internal static Body Of<TState>(TState state, Func<TState, CancellationToken, Future> body, string? name, string file, int line)
    {
        ThrowIfNull(body, name);
        var source = new CancellationTokenSource();
        Frame root;
        try
        {
            root = body(state, source.Token).FrameToStart;
        }
        catch (Exception error) // becomes the outcome of the task
        {
            root = new ReadyFrame<bool>(value: false, error);
        }

        return new(root, TaskLabel.Of(name, root.Method, null, file, line), source);
    }

    internal static Body<T> Of<TState, T>(TState state, Func<TState, CancellationToken, Future<T>> body, string? name, string file, int line)
    {
        ThrowIfNull(body, name);
        var source = new CancellationTokenSource();
        Frame<T> root;
        try
        {
            root = body(state, source.Token).FrameToStart;
        }
        catch (Exception error) // becomes the outcome of the task
        {
            root = new ReadyFrame<T>(default!, error);
        }

        return new(root, TaskLabel.Of(name, root.Method, null, file, line), source);
    }

    internal static Body Of(Func<CancellationToken, Task> body, string? name, string file, int line)
    {
        ThrowIfNull(body, name);
        var source = new CancellationTokenSource();
        return Calling(Run(body, source.Token), body, source, name, file, line);
    }

    internal static Body<T> Of<T>(Func<CancellationToken, Task<T>> body, string? name, string file, int line)
    {
        ThrowIfNull(body, name);
        var source = new CancellationTokenSource();
        return Calling(Run(body, source.Token), body, source, name, file, line);
    }

    internal static Body Of(Func<CancellationToken, ValueTask> body, string? name, string file, int line)
    {
        ThrowIfNull(body, name);
        var source = new CancellationTokenSource();
        return Calling(Run(body, source.Token), body, source, name, file, line);
    }

    internal static Body<T> Of<T>(Func<CancellationToken, ValueTask<T>> body, string? name, string file, int line)
    {
        ThrowIfNull(body, name);
        var source = new CancellationTokenSource();
        return Calling(Run(body, source.Token), body, source, name, file, line);
    }

    // The root only calls the delegate, so the task is called after the delegate.
    private static Body Calling(Future root, Delegate body, CancellationTokenSource token, string? name, string file, int line) =>
        new(root.FrameToStart, TaskLabel.Of(name, root.FrameToStart.Method, body, file, line), token);

    private static Body<T> Calling<T>(Future<T> root, Delegate body, CancellationTokenSource token, string? name, string file, int line) =>
        new(root.FrameToStart, TaskLabel.Of(name, root.FrameToStart.Method, body, file, line), token);

    private static async Future Run(Func<CancellationToken, Task> body, CancellationToken token)
    {
        using TaskIdentity identity = TaskIdentity.Enter();
        await (body(token) ?? throw NullTask(body)).ConfigureAwait(false);
    }

    private static async Future<T> Run<T>(Func<CancellationToken, Task<T>> body, CancellationToken token)
    {
        using TaskIdentity identity = TaskIdentity.Enter();
        return await (body(token) ?? throw NullTask(body)).ConfigureAwait(false);
    }

    private static async Future Run(Func<CancellationToken, ValueTask> body, CancellationToken token)
    {
        using TaskIdentity identity = TaskIdentity.Enter();
        await body(token).ConfigureAwait(false);
    }

    private static async Future<T> Run<T>(Func<CancellationToken, ValueTask<T>> body, CancellationToken token)
    {
        using TaskIdentity identity = TaskIdentity.Enter();
        return await body(token).ConfigureAwait(false);
    }

    private static void ThrowIfNull([NotNull] Delegate? body, string? name)
    {
        if (body is null)
        {
            throw new ArgumentNullException(nameof(body),
                $"{(name is null ? "A task without a name" : $"Task '{name}'")} was given no body, so nothing was spawned. Pass a method that returns a Future, a Task or a ValueTask.");
        }
    }

    private static InvalidOperationException NullTask(Delegate body) =>
        new($"The body of {ManagedTask.Current?.Title} ({MethodName.Of(body.Method.Name)}) returned null where a Task was due. Return Task.CompletedTask when there is nothing to wait for.");
}
