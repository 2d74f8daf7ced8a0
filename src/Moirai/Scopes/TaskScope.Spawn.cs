using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Futures;

namespace Moirai;

/// <content>The shapes of spawn.</content>
public sealed partial class TaskScope
{
    /// <summary>Spawns a task that lives no longer than this scope. Returns at once.</summary>
    /// <remarks>
    /// Takes a cold <see cref="Future"/>, or a delegate that is given the task's cancellation token: an <c>async</c> lambda binds to a
    /// <see cref="Future"/>, a method that returns a <see cref="Task"/> or <see cref="ValueTask"/> is taken as it is. A body that throws fails its task, also when it throws before
    /// its first await. In a scope that was canceled the task is canceled at once and its body never runs.
    /// </remarks>
    /// <param name="future">The future to run; it must not have been spawned or awaited.</param>
    /// <param name="name">What the task is called; by default the method's name, and for a lambda the scope's.</param>
    /// <param name="file">Filled in by the compiler: the spawn site.</param>
    /// <param name="line">Filled in by the compiler: the spawn site.</param>
    /// <returns>The handle: await it, cancel it, or let it go; the scope waits for the task in any case.</returns>
    /// <exception cref="InvalidOperationException">The scope is closed, or the future was run before. Nothing has run and nothing is kept.</exception>
    public ManagedTask Spawn(Future future, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(future, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public ManagedTask<T> Spawn<T>(Future<T> future, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(future, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    [OverloadResolutionPriority(1)]
    public ManagedTask Spawn(Func<CancellationToken, Future> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    [OverloadResolutionPriority(1)]
    public ManagedTask<T> Spawn<T>(Func<CancellationToken, Future<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    public ManagedTask Spawn(Func<CancellationToken, Task> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public ManagedTask<T> Spawn<T>(Func<CancellationToken, Task<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    public ManagedTask Spawn(Func<CancellationToken, ValueTask> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public ManagedTask<T> Spawn<T>(Func<CancellationToken, ValueTask<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    [OverloadResolutionPriority(1)]
    public ManagedTask Spawn<TState>(TState state, Func<TState, CancellationToken, Future> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(state, body, name, file, line));

    /// <inheritdoc cref="Spawn(Future, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    /// <typeparam name="T">What the body gives.</typeparam>
    [OverloadResolutionPriority(1)]
    public ManagedTask<T> Spawn<TState, T>(TState state, Func<TState, CancellationToken, Future<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawning.Spawn(Group, Bodies.Of(state, body, name, file, line));
}
