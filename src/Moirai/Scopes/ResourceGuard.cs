using System.Runtime.CompilerServices;
using Moirai.Futures;

namespace Moirai;

/// <summary>Clean-up that is bound to the life of a task: it runs exactly once, whichever way the task ends.</summary>
/// <remarks>
/// <c>await using ResourceGuard guard = ResourceGuard.Protect(connection, static c => c.CloseAsync(), "connection");</c>
/// <para>It runs when the guard is disposed; else when the task in which the guard was made ends (returns, fails, is canceled with its scope or runtime, is found leaked): before the end is told to anybody,
/// the youngest guard first. The plain <c>async</c> code that runs for a task is the task's (<see cref="ManagedTask.Current"/> names it); code for which the task does not wait, too, so what goes on after the task's end has to dispose
/// what it guards, or to take it over (<see cref="Dismiss"/>). A guard made outside managed tasks whose owner is collected without disposing it runs from the finalizer, on the thread pool.</para>
/// <para>While it runs, cancellation that comes from outside is kept away (<see cref="ManagedTask.Shield"/>). What it throws never hides how the body ended: it goes to
/// <see cref="TaskRuntimeOptions.OnEvent"/> as <see cref="RuntimeEventKind.CleanUpFailed"/>, and so does, as <see cref="RuntimeEventKind.CleanUpLate"/>, that it was not done within its
/// time; then it goes on, and nobody waits for it.</para>
/// Disposing and dismissing are safe from any thread, and the first of all of them wins.
/// </remarks>
public sealed class ResourceGuard : IAsyncDisposable
{
    private readonly CleanUp _cleanUp;

    private ResourceGuard(CleanUp cleanUp)
    {
        _cleanUp = cleanUp;
        if (!cleanUp.Bind())
        {
            return;
        }

        GC.SuppressFinalize(this); // the task's end sees to it
    }

    /// <summary>Made outside managed tasks and lost: nobody else is left to clean up.</summary>
    ~ResourceGuard() => _cleanUp.RunLost();

    /// <summary>What messages call the resource.</summary>
    public string Name => _cleanUp.Name;

    /// <summary>Whether the clean-up was run, runs, or was dismissed.</summary>
    public bool IsDone => _cleanUp.IsTaken;

    /// <summary>Guards a resource.</summary>
    /// <param name="resource">What is to be given back.</param>
    /// <param name="cleanUp">Called once, with <paramref name="resource"/>.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="within">How long the clean-up may take; without end by default.</param>
    /// <param name="file">Filled in by the compiler: where the guard was made.</param>
    /// <param name="line">Filled in by the compiler: where the guard was made.</param>
    /// <typeparam name="T">The type of the resource.</typeparam>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative or zero.</exception>
    [OverloadResolutionPriority(1)]
    public static ResourceGuard Protect<T>(T resource, Func<T, Future> cleanUp, string name = "a resource", TimeSpan? within = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(cleanUp);
        return new ResourceGuard(new CleanUp<T>(resource, cleanUp, Check(name, within), within ?? Timeout.InfiniteTimeSpan, file, line));
    }

    /// <inheritdoc cref="Protect{T}(T, Func{T, Future}, string, TimeSpan?, string, int)"/>
    public static ResourceGuard Protect<T>(T resource, Func<T, ValueTask> cleanUp, string name = "a resource", TimeSpan? within = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(cleanUp);
        return Protect((resource, cleanUp), static async pair => await pair.cleanUp(pair.resource).ConfigureAwait(false), name, within, file, line);
    }

    /// <inheritdoc cref="Protect{T}(T, Func{T, Future}, string, TimeSpan?, string, int)"/>
    public static ResourceGuard Protect<T>(T resource, Action<T> cleanUp, string name = "a resource", [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(cleanUp);
        return Protect(
            (resource, cleanUp),
            static pair =>
            {
                pair.cleanUp(pair.resource);
                return Future.Completed();
            },
            name,
            within: null,
            file,
            line);
    }

    private static string Check(string name, TimeSpan? within)
    {
        ArgumentNullException.ThrowIfNull(name);
        return within <= TimeSpan.Zero && within != Timeout.InfiniteTimeSpan
            ? throw new ArgumentOutOfRangeException(nameof(within), within, $"The clean-up of {name} needs some time. Leave the limit out to give it all it wants.")
            : name;
    }

    /// <summary>Gives the resource away: the clean-up will not run.</summary>
    /// <returns>False when it has run, or runs.</returns>
    public bool Dismiss() => _cleanUp.TryDismiss();

    /// <summary>Runs the clean-up, if nobody has; waits for it if it runs already. Does not throw what the clean-up throws.</summary>
    /// <remarks>A call from the clean-up itself returns at once. That the caller is canceled does not end its wait: what it guards is not given back before.</remarks>
    public Future DisposeAsync() =>
        Homed.Disposal(_cleanUp.Engine.Housekeeping, _cleanUp.DisposeAsync(), "clean-up of", Name);

    /// <inheritdoc/>
    ValueTask IAsyncDisposable.DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return new(DisposeAsync().AsTask());
    }

    /// <summary>Name, and whether it still guards.</summary>
    public override string ToString() => $"guard of {Name}{(IsDone ? " (done)" : string.Empty)}";
}
