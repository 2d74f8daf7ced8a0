using System.Runtime.CompilerServices;
using Moirai.Futures;

namespace Moirai;

/// <content>The shapes of add.</content>
public sealed partial class TaskCollector<T>
{
    /// <summary>Spawns a task whose outcome is collected. It starts at once.</summary>
    /// <remarks>The shapes are those of <see cref="TaskScope.Spawn(Future, string, string, int)"/>.</remarks>
    /// <param name="future">The future to run; it must not have been spawned or awaited.</param>
    /// <param name="name">What the task is called; by default the method's name, and for a lambda the collector's.</param>
    /// <param name="file">Filled in by the compiler: the spawn site.</param>
    /// <param name="line">Filled in by the compiler: the spawn site.</param>
    /// <returns>The handle; its position among all that were added is the index of its outcome.</returns>
    /// <exception cref="InvalidOperationException">The collection is over, or the future was run before.</exception>
    public ManagedTask<T> Add(Future<T> future, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawn(Bodies.Of(future, name, file, line));

    /// <inheritdoc cref="Add(Future{T}, string, string, int)"/>
    [OverloadResolutionPriority(1)]
    public ManagedTask<T> Add(Func<CancellationToken, Future<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawn(Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Add(Future{T}, string, string, int)"/>
    public ManagedTask<T> Add(Func<CancellationToken, Task<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawn(Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Add(Future{T}, string, string, int)"/>
    public ManagedTask<T> Add(Func<CancellationToken, ValueTask<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawn(Bodies.Of(body, name, file, line));

    /// <inheritdoc cref="Add(Future{T}, string, string, int)"/>
    /// <typeparam name="TState">What the body is given, so that it need not capture anything.</typeparam>
    [OverloadResolutionPriority(1)]
    public ManagedTask<T> Add<TState>(TState state, Func<TState, CancellationToken, Future<T>> body, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Spawn(Bodies.Of(state, body, name, file, line));
}
