using Moirai.Execution;
using Moirai.Futures;
using Moirai.Results;

namespace Moirai;

/// <summary>Gathers the outcomes of a set of tasks: all, some with their errors, the first, or one after the other as they end.</summary>
/// <remarks>
/// Tasks start when they are added and live inside the scope the collector was made for. What was given out, and what nobody can ask for any more, it lets go of. A failure of one does not fail that scope: it is an outcome, and the collector says
/// what becomes of it. The collecting call ends the collection: it returns when every task that was added has ended, so nothing is left behind; adding afterwards throws.
/// <para>Tasks may be added from any thread; one caller collects.</para>
/// </remarks>
/// <typeparam name="T">What the tasks give.</typeparam>
public sealed partial class TaskCollector<T> : IAsyncDisposable
{
    private readonly EndQueue<T> _ended;
    private readonly TaskGroup _group;
    private int _collecting;

    /// <summary>Makes a collector inside a scope.</summary>
    /// <param name="scope">The scope that waits for whatever is added.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidOperationException">The scope is closed.</exception>
    public TaskCollector(TaskScope scope, string name = "collector")
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(name);
        _group = TaskGroup.Open(scope.Group, name, opener: null);
        _ended = new EndQueue<T>(name);
        _group.Listener = _ended;
    }

    /// <summary>The name, for messages and dumps.</summary>
    public string Name => _group.Name;

    /// <summary>How many tasks were added.</summary>
    public int Count => _ended.Added;

    /// <summary>Waits for all. The first failure cancels the rest, which is waited for, and is thrown; so is a task that was canceled by somebody else.</summary>
    /// <returns>The results in the order in which the tasks were added; empty when none was.</returns>
    /// <exception cref="TaskScopeException">More than one failed; a single failure is thrown as it is.</exception>
    /// <exception cref="InvalidOperationException">The collection is over, outcomes were read by <see cref="AsCompleted"/>, or a task of the collector itself collects.</exception>
    public Future<IReadOnlyList<T>> CollectAsync() => CollectCoreAsync(TaskIdentity.Task);

    private async Future<IReadOnlyList<T>> CollectCoreAsync(ManagedTask? plainCaller)
    {
        BeginCollecting(plainCaller);
        List<Exception>? failures = null;
        ManagedTaskCanceledException? canceled = null;
        ManagedTaskCanceledException? interrupted = null;
        try
        {
            while (await _ended.NextAsync() is { } task)
            {
                if (task.State == TaskState.Failed)
                {
                    (failures ??= []).Add(task.Exception!);
                    CancelRest(CancelKind.ScopeFailed, task.Exception);
                }
                else if (task.State == TaskState.Canceled && failures is null && canceled is null)
                {
                    canceled = Outcomes.CanceledError(task);
                    CancelRest(CancelKind.ScopeFailed, canceled);
                }
            }
        }
        catch (ManagedTaskCanceledException error) // of who collects; thrown below, unless there is worse to tell
        {
            interrupted = error;
        }

        await EndAsync();
        _ended.AddFailuresLeft(ref failures);
        IReadOnlyList<T> results = failures is null && interrupted is null && canceled is null ? _ended.ResultsInOrder() : [];
        _ended.Forget();
        GroupEnd.ThrowAny(Name, failures, interrupted ?? canceled);
        return results;
    }

    /// <summary>Waits for all, whatever becomes of each, or until the time is over; then the rest is canceled and waited for.</summary>
    /// <param name="within">The time allowed; <see cref="Timeout.InfiniteTimeSpan"/> (and null) waits for all.</param>
    /// <returns>Results, errors and those not finished, with their indexes.</returns>
    /// <exception cref="InvalidOperationException">The collection is over, outcomes were read by <see cref="AsCompleted"/>, or a task of the collector itself collects.</exception>
    public Future<PartialResults<T>> CollectPartialAsync(TimeSpan? within = null) => CollectPartialCoreAsync(within, TaskIdentity.Task);

    private async Future<PartialResults<T>> CollectPartialCoreAsync(TimeSpan? within, ManagedTask? plainCaller)
    {
        BeginCollecting(plainCaller);
        bool inTime = true;
        try
        {
            try
            {
                await CollectPartialAsync(_ended).WithTimeout(within ?? Timeout.InfiniteTimeSpan);
            }
            catch (TaskTimeoutException)
            {
                inTime = false; // what had not ended by now counts as unfinished
                CancelRest(CancelKind.NoLongerNeeded, null);
            }
        }
        catch (ManagedTaskCanceledException interrupted) // of who collects: what failed is worse, and is told in its place
        {
            await EndAsync();
            List<Exception>? failures = _ended.Failures();
            _ended.Forget();
            GroupEnd.ThrowAny(Name, failures, interrupted);
        }

        await EndAsync();
        var results = new PartialResults<T>(_ended.OutcomesInOrder(), inTime);
        _ended.Forget();
        return results;
    }

    /// <summary>Waits for the first that completes; the rest is canceled and waited for. Failures count only when none completes.</summary>
    /// <exception cref="TaskScopeException">More than one failed and none completed; a single failure is thrown as it is.</exception>
    /// <exception cref="InvalidOperationException">Nothing was added, or the collection is over.</exception>
    public Future<T> CollectFirstAsync() => CollectFirstCoreAsync(TaskIdentity.Task);

    private async Future<T> CollectFirstCoreAsync(ManagedTask? plainCaller)
    {
        BeginCollecting(plainCaller);
        ManagedTask<T>? winner = null;
        List<Exception>? failures = null;
        ManagedTaskCanceledException? interrupted = null;
        try
        {
            while (winner is null && await _ended.NextAsync() is { } task)
            {
                if (task.State == TaskState.Completed)
                {
                    winner = task;
                    CancelRest(CancelKind.NoLongerNeeded, null);
                }
                else
                {
                    (failures ??= []).Add(task.Exception ?? Outcomes.CanceledError(task));
                }
            }
        }
        catch (ManagedTaskCanceledException error) // of who collects; thrown below, unless there is worse to tell
        {
            interrupted = error;
        }

        await EndAsync();
        if (winner is null && interrupted is not null)
        {
            failures?.RemoveAll(static error => error is ManagedTaskCanceledException);
            _ended.AddFailuresLeft(ref failures);
        }

        _ended.Forget();
        if (winner is not null)
        {
            return winner.ResultUnchecked;
        }

        GroupEnd.ThrowAny(Name, failures, interrupted);
        throw new InvalidOperationException($"'{Name}' was asked for the first of no tasks. Add at least one before collecting.");
    }

    /// <summary>Gives the outcomes one after the other, as the tasks end: <c>await foreach (TaskOutcome&lt;T&gt; o in collector.AsCompleted())</c>.</summary>
    /// <remarks>More tasks may be added while it goes on; it is over when every task that was added has been given out. Leaving it early cancels the rest when the collector is disposed.</remarks>
    public CompletedOutcomes<T> AsCompleted() => new(_ended);

    /// <summary>Cancels what still runs and waits for it. After a collection there is nothing left to do.</summary>
    /// <exception cref="InvalidOperationException">From the await: a task of the collector itself disposes it. The collector is unchanged.</exception>
    public Future DisposeAsync() => Homed.Disposal(_group.Engine.Housekeeping, DisposeCoreAsync(TaskIdentity.Task), "disposal of collector", Name);

    /// <inheritdoc/>
    ValueTask IAsyncDisposable.DisposeAsync() => new(DisposeAsync().AsTask());

    private ManagedTask<T> Spawn(in Body<T> body)
    {
        if (Atomics.Read(ref _collecting) != 0)
        {
            throw new InvalidOperationException($"'{Name}' has begun to collect: a task added now would not be in the results. Add all tasks first, or use AsCompleted.");
        }

        return _ended.Spawn(_group, body);
    }

    private void BeginCollecting(ManagedTask? plainCaller)
    {
        ThrowIfInside("collects", plainCaller);
        if (_ended.AnyGiven)
        {
            throw new InvalidOperationException($"Outcomes of '{Name}' were given out by AsCompleted and would be missing here. A collector gives its outcomes once: read on, or dispose it.");
        }

        if (Atomics.Exchange(ref _collecting, 1) != 0)
        {
            throw new InvalidOperationException($"'{Name}' was collected already. A collector gives its outcomes once.");
        }
    }

    private async Future DisposeCoreAsync(ManagedTask? plainCaller)
    {
        ThrowIfInside("disposes", plainCaller);
        bool isCollected = Atomics.Exchange(ref _collecting, 1) != 0;
        await EndAsync();
        if (!isCollected)
        {
            _ended.TellFailuresLeft();
            _ended.Forget();
        }
    }

    private void ThrowIfInside(string verb, ManagedTask? plainCaller)
    {
        if ((plainCaller ?? ManagedTask.Stepped) is { } task && task.Group.IsInside(_group))
        {
            throw new InvalidOperationException(
                $"{task.Title} {verb} '{Name}', in which it runs itself, and would wait for its own end. Leave that to whoever made the collector.");
        }
    }

    // Under the name of what was asked for, since a timeout tells it.
    private static async Future CollectPartialAsync(EndQueue<T> ended)
    {
        while (await ended.NextAsync() is not null)
        {
            // each outcome stays with its task
        }
    }

    private void CancelRest(CancelKind kind, Exception? error) => GroupEnd.CancelRest(_group, "collector", kind, error);

    private Future EndAsync() => GroupEnd.CloseAsync(_group, "collector");
}
