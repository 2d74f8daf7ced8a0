using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Moirai.Futures;

namespace Moirai;

/// <content>The shapes of spawn that never wait.</content>
public sealed partial class TaskPool
{
    /// <summary>Spawns a task if a slot is free now and nobody waits for one. The task holds the slot until it has ended.</summary>
    /// <remarks>When there is no slot the delegate is not called and a cold future stays cold, to be tried again.</remarks>
    /// <param name="future">The future to run; it must not have been spawned or awaited.</param>
    /// <param name="task">The handle of the spawned task; null when the pool is full.</param>
    /// <param name="name">What the task is called; by default the method's name, and for a lambda the pool's.</param>
    /// <param name="file">Filled in by the compiler: the spawn site.</param>
    /// <param name="line">Filled in by the compiler: the spawn site.</param>
    /// <returns>False when the pool is full.</returns>
    /// <exception cref="InvalidOperationException">The pool takes no work any more, or the future was run before.</exception>
    public bool TrySpawn(Future future, [NotNullWhen(true)] out ManagedTask? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(future) ? SpawnHolding(Bodies.Of(future, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public bool TrySpawn<T>(Future<T> future, [NotNullWhen(true)] out ManagedTask<T>? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(future) ? SpawnHolding(Bodies.Of(future, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    [OverloadResolutionPriority(1)]
    public bool TrySpawn(Func<CancellationToken, Future> body, [NotNullWhen(true)] out ManagedTask? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(body) ? SpawnHolding(Bodies.Of(body, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    [OverloadResolutionPriority(1)]
    public bool TrySpawn<T>(Func<CancellationToken, Future<T>> body, [NotNullWhen(true)] out ManagedTask<T>? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(body) ? SpawnHolding(Bodies.Of(body, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    public bool TrySpawn(Func<CancellationToken, Task> body, [NotNullWhen(true)] out ManagedTask? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(body) ? SpawnHolding(Bodies.Of(body, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public bool TrySpawn<T>(Func<CancellationToken, Task<T>> body, [NotNullWhen(true)] out ManagedTask<T>? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(body) ? SpawnHolding(Bodies.Of(body, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    public bool TrySpawn(Func<CancellationToken, ValueTask> body, [NotNullWhen(true)] out ManagedTask? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(body) ? SpawnHolding(Bodies.Of(body, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    /// <typeparam name="T">What the body gives.</typeparam>
    public bool TrySpawn<T>(Func<CancellationToken, ValueTask<T>> body, [NotNullWhen(true)] out ManagedTask<T>? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(body) ? SpawnHolding(Bodies.Of(body, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    [OverloadResolutionPriority(1)]
    public bool TrySpawn<TState>(TState state, Func<TState, CancellationToken, Future> body, [NotNullWhen(true)] out ManagedTask? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(body) ? SpawnHolding(Bodies.Of(state, body, name, file, line)) : null;
        return task is not null;
    }

    /// <inheritdoc cref="TrySpawn(Future, out ManagedTask?, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    /// <typeparam name="T">What the body gives.</typeparam>
    [OverloadResolutionPriority(1)]
    public bool TrySpawn<TState, T>(TState state, Func<TState, CancellationToken, Future<T>> body, [NotNullWhen(true)] out ManagedTask<T>? task, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        task = TryTakeSlotFor(body) ? SpawnHolding(Bodies.Of(state, body, name, file, line)) : null;
        return task is not null;
    }
}
