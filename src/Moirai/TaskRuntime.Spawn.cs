using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Futures;

namespace Moirai;

/// <content>The shapes of detached spawn.</content>
public sealed partial class TaskRuntime
{
    /// <summary>Spawns a task that belongs to no scope but to the runtime: it lives until it ends or the runtime is stopped, and is accounted like all else.</summary>
    /// <remarks>
    /// Takes a cold <see cref="Future"/>, or a delegate that is given the task's cancellation token: an <c>async</c> lambda binds to a
    /// <see cref="Future"/>, a method that returns a <see cref="Task"/> or <see cref="ValueTask"/> is taken as it is. A body that throws fails its task, also when it throws before
    /// its first await. A failure at which nobody looks is told to <see cref="TaskRuntimeOptions.OnEvent"/>, once its handle is lost or the runtime stops.
    /// </remarks>
    /// <param name="future">The future to run; it must not have been spawned or awaited.</param>
    /// <param name="name">What the task is called; by default the method's name, and for a lambda the runtime's.</param>
    /// <param name="file">Filled in by the compiler: the spawn site.</param>
    /// <param name="line">Filled in by the compiler: the spawn site.</param>
    /// <returns>The handle: await it, cancel it, or let it go.</returns>
    /// <exception cref="ObjectDisposedException">The runtime takes no work any more.</exception>
    /// <exception cref="InvalidOperationException">The future was run before. Nothing has run and nothing is kept.</exception>
    public ManagedTask SpawnDetached(Future future, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(future, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public ManagedTask<T> SpawnDetached<T>(Future<T> future, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(future, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    [OverloadResolutionPriority(1)]
    public ManagedTask SpawnDetached(Func<CancellationToken, Future> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    [OverloadResolutionPriority(1)]
    public ManagedTask<T> SpawnDetached<T>(Func<CancellationToken, Future<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    public ManagedTask SpawnDetached(Func<CancellationToken, Task> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public ManagedTask<T> SpawnDetached<T>(Func<CancellationToken, Task<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    public ManagedTask SpawnDetached(Func<CancellationToken, ValueTask> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public ManagedTask<T> SpawnDetached<T>(Func<CancellationToken, ValueTask<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    [OverloadResolutionPriority(1)]
    public ManagedTask SpawnDetached<TState>(TState state, Func<TState, CancellationToken, Future> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(state, body, name, file, line));

    /// <inheritdoc cref="SpawnDetached(Future, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    /// <typeparam name="T">What the body gives.</typeparam>
    [OverloadResolutionPriority(1)]
    public ManagedTask<T> SpawnDetached<TState, T>(TState state, Func<TState, CancellationToken, Future<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(_engine.Root, Bodies.Of(state, body, name, file, line));
}
