using System.Runtime.CompilerServices;
using Moirai.Futures;

namespace Moirai;

/// <content>The shapes of spawn that wait for a slot.</content>
public sealed partial class TaskPool
{
    /// <summary>Waits for a slot, first come first served, and spawns a task that holds it until it has ended.</summary>
    /// <remarks>
    /// Nothing happens before the result is awaited. Waiting for the slot is a cancellation point; one that is canceled or times out (<c>.WithTimeout(…)</c>) spawns nothing and takes
    /// no slot. The shapes are those of <see cref="TaskScope.Spawn(Future, string, string, int)"/>. A failing task does not touch the others of the pool.
    /// </remarks>
    /// <param name="future">The future to run; it must not have been spawned or awaited.</param>
    /// <param name="name">What the task is called; by default the method's name, and for a lambda the pool's.</param>
    /// <param name="file">Filled in by the compiler: the spawn site.</param>
    /// <param name="line">Filled in by the compiler: the spawn site.</param>
    /// <returns>To be awaited: gives the handle of the spawned task (not its result).</returns>
    /// <exception cref="InvalidOperationException">From the await: the pool takes no work any more.</exception>
    public PoolSpawn SpawnAsync(Future future, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(future, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public PoolSpawn<T> SpawnAsync<T>(Future<T> future, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(future, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    [OverloadResolutionPriority(1)]
    public PoolSpawn SpawnAsync(Func<CancellationToken, Future> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    [OverloadResolutionPriority(1)]
    public PoolSpawn<T> SpawnAsync<T>(Func<CancellationToken, Future<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    public PoolSpawn SpawnAsync(Func<CancellationToken, Task> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public PoolSpawn<T> SpawnAsync<T>(Func<CancellationToken, Task<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    public PoolSpawn SpawnAsync(Func<CancellationToken, ValueTask> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public PoolSpawn<T> SpawnAsync<T>(Func<CancellationToken, ValueTask<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    [OverloadResolutionPriority(1)]
    public PoolSpawn SpawnAsync<TState>(TState state, Func<TState, CancellationToken, Future> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(state, body, name, file, line));

    /// <inheritdoc cref="SpawnAsync(Future, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    /// <typeparam name="T">What the body gives.</typeparam>
    [OverloadResolutionPriority(1)]
    public PoolSpawn<T> SpawnAsync<TState, T>(TState state, Func<TState, CancellationToken, Future<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(this, Bodies.Of(state, body, name, file, line));
}
