using System.Runtime.CompilerServices;
using Moirai.Execution;
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

/// <summary>One clean-up. States: armed, taken. The move is interlocked, so it runs once.</summary>
internal abstract class CleanUp(string name, TimeSpan within, string file, int line) : TaskGuard
{
    private static readonly object s_over = new();

    // The task whose code has made it. Plain code that goes on inline inside a step of another task is not that one's.
    private readonly ManagedTask? _task = TaskIdentity.Task ?? ManagedTask.Stepped;

    // 1 from the moment in which somebody has decided to run it, or that it will not be run.
    private int _taken;

    // Null; a TaskCompletionSource, once somebody waits for the end of the clean-up; s_over from its end on. Interlocked.
    private object? _end;

    // The task that runs the user's code. Written by it.
    private ManagedTask? _runner;

    internal string Name => name;

    internal Engine Engine => _task?.Engine ?? Engine.Default;

    internal override bool IsTaken => Atomics.Read(ref _taken) != 0;

    /// <summary>Ties it to the end of the current task.</summary>
    /// <returns>False outside managed tasks.</returns>
    internal bool Bind() => _task?.TryAddGuard(this) == true;

    internal bool TryTake() => Atomics.Exchange(ref _taken, 1) == 0;

    internal override string Describe() => IsTaken ? $"the clean-up of {name}, which is running" : $"{name} (guarded)";

    /// <summary>Decides that it will not be run.</summary>
    internal bool TryDismiss()
    {
        bool dismissed = TryTake();
        if (dismissed)
        {
            NoteEnd();
        }

        return dismissed;
    }

    /// <summary>Runs it if nobody has, or waits for its end. Taken in the first step and not before: a future that is never run must not keep the end of the task from cleaning up.</summary>
    internal async Future DisposeAsync()
    {
        if (TryTake())
        {
            await RunAsync();
        }
        else
        {
            await WhenOverAsync();
        }
    }

    /// <summary>Waits until whoever has taken it has run it. For the clean-up itself that would be for ever, and it is over at once.</summary>
    internal async Future WhenOverAsync()
    {
        if (ReferenceEquals(Volatile.Read(ref _end), s_over) || (ManagedTask.Current is { } current && ReferenceEquals(Volatile.Read(ref _runner), current)))
        {
            return;
        }

        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        object? before = Interlocked.CompareExchange(ref _end, over, null);
        if (!ReferenceEquals(before, s_over))
        {
            await ((before as TaskCompletionSource) ?? over).Task.ConfigureAwait(false);
        }
    }

    private void NoteEnd()
    {
        _task?.RemoveGuard(this); // not before: who asks what the task holds is told what it gives back
        (Atomics.Exchange(ref _end, s_over) as TaskCompletionSource)?.TrySetResult();
    }

    internal sealed override Frame? TakeCleanUp() => TryTake() ? RunAsync().Frame : null;

    internal sealed override void RunAfterEnd()
    {
        if (TryTake())
        {
            RunOnThreadPool();
        }
    }

    /// <summary>Runs it, shielded. Never throws.</summary>
    internal async Future RunAsync()
    {
        using CancelShield shield = ManagedTask.Shield();
        try
        {
            Future cleanUp = CallAsync();
            if (within == Timeout.InfiniteTimeSpan)
            {
                await cleanUp;
            }
            else
            {
                await InTimeAsync(SpawnCleanUp(cleanUp).AsTask()).ConfigureAwait(false); // a task of its own: it may have to be let go
            }
        }
        catch (Exception error) // told, so that it does not hide how the body ended
        {
            Tell(RuntimeEventKind.CleanUpFailed, $"threw {error.GetType().Name}: {error.Message}", error);
        }
        finally
        {
            NoteEnd();
        }
    }

    private async Future CallAsync()
    {
        Volatile.Write(ref _runner, ManagedTask.Current);
        await Call();
        Volatile.Write(ref _runner, null);
    }

    /// <summary>The code that owned the guard was collected. Runs the clean-up where it harms no finalizer.</summary>
    internal void RunLost()
    {
        if (TryTake())
        {
            Tell(RuntimeEventKind.GuardLost, "was never disposed, and the code that owned it is gone; it runs now. Dispose guards that are made outside managed tasks", null);
            RunOnThreadPool();
        }
    }

    // As a task of its own, which is served also when its runtime has stopped.
    private void RunOnThreadPool() => ThreadPool.UnsafeQueueUserWorkItem(
        static cleanUp => _ = Homed.Disposal(cleanUp.Engine.Housekeeping, cleanUp.RunAsync(), "clean-up of", cleanUp.Name).AsTask(), this, preferLocal: false);

    /// <summary>Calls the user's code.</summary>
    private protected abstract Future Call();

    // Not at the root, whose tasks a stop cancels, those also that begin later.
    private ManagedTask SpawnCleanUp(Future cleanUp) =>
        cleanUp.Frame.SpawnInto(Engine.Housekeeping, TaskLabel.Of($"clean-up of {name}", nameof(ResourceGuard), null, file, line));

    private async Task InTimeAsync(Task running)
    {
        try
        {
            await running.WaitAsync(within, Engine.Provider).ConfigureAwait(false);
        }
        catch (TimeoutException late) when (!running.IsCompleted)
        {
            Tell(RuntimeEventKind.CleanUpLate, FormattableString.Invariant($"was not done within {within.TotalSeconds:0.###} s; it goes on and nobody waits for it"), late);
            _ = running.ContinueWith(
                static (task, state) => ((CleanUp)state!).Tell(RuntimeEventKind.CleanUpFailed, $"threw, after its time: {task.Exception!.InnerException!.Message}", task.Exception),
                this,
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    private void Tell(RuntimeEventKind kind, string what, Exception? error) => Engine.Publish(new RuntimeEvent(
        kind, $"The clean-up of {name}{(_task is null ? string.Empty : $" in {_task.Title}")} {what}", _task?.Id ?? default, error));
}

/// <inheritdoc/>
internal sealed class CleanUp<T>(T resource, Func<T, Future> cleanUp, string name, TimeSpan within, string file, int line) : CleanUp(name, within, file, line)
{
    private protected override Future Call() => cleanUp(resource);
}
