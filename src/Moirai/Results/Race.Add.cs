using System.Runtime.CompilerServices;
using Moirai.Futures;

namespace Moirai;

/// <content>The shapes of add.</content>
public sealed partial class Race<T>
{
    /// <summary>Adds a branch. It begins when the race is awaited.</summary>
    /// <remarks>The shapes are those of <see cref="TaskScope.Spawn(Future, string, string, int)"/>.</remarks>
    /// <param name="future">The future to run; it must not have been spawned or awaited.</param>
    /// <param name="when">The guard. False leaves the branch out: its delegate is not called and its future does not run; it keeps its position.</param>
    /// <param name="accept">Whether a value wins; null accepts all. Called by the task that awaits the race. A branch whose value is not accepted has ended and is not run again.</param>
    /// <param name="name">What the task is called; by default the method's name, and for a lambda the race's.</param>
    /// <param name="file">Filled in by the compiler: the spawn site.</param>
    /// <param name="line">Filled in by the compiler: the spawn site.</param>
    /// <returns>The race.</returns>
    /// <exception cref="InvalidOperationException">The race was run already.</exception>
    public Race<T> Add(Future<T> future, bool when = true, Func<T, bool>? accept = null, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        when ? Add(Bodies.Of(future, name, file, line), accept) : LeaveOut();

    /// <inheritdoc cref="Add(Future{T}, bool, Func{T, bool}, string, string, int)"/>
    [OverloadResolutionPriority(1)]
    public Race<T> Add(Func<CancellationToken, Future<T>> body, bool when = true, Func<T, bool>? accept = null, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        when ? Add(Bodies.Of(body, name, file, line), accept) : LeaveOut();

    /// <inheritdoc cref="Add(Future{T}, bool, Func{T, bool}, string, string, int)"/>
    public Race<T> Add(Func<CancellationToken, Task<T>> body, bool when = true, Func<T, bool>? accept = null, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        when ? Add(Bodies.Of(body, name, file, line), accept) : LeaveOut();

    /// <inheritdoc cref="Add(Future{T}, bool, Func{T, bool}, string, string, int)"/>
    public Race<T> Add(Func<CancellationToken, ValueTask<T>> body, bool when = true, Func<T, bool>? accept = null, string? name = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        when ? Add(Bodies.Of(body, name, file, line), accept) : LeaveOut();
}
