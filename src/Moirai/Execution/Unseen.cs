using System.Collections.Concurrent;

namespace Moirai.Execution;

/// <summary>Stands for an outcome at which nobody has looked: kept by the ended task in place of its exception, and by nobody else.</summary>
/// <remarks>Made only for a task that ends while nobody waits for it and that somebody ought to look at, so tasks that end well pay nothing. When somebody looks it stands down; when the handle
/// cannot be reached any more, its finalizer has it told.</remarks>
internal sealed class Unseen : IDisposable
{
    private readonly ManagedTask _task;
    private readonly UnseenLedger _ledger;

    internal Unseen(ManagedTask task, Exception? error)
    {
        _task = task;
        Error = error;
        _ledger = task.Engine.Unseen;
        _ledger.Enter(this);
    }

    ~Unseen() => _ledger.Lost(this);

    /// <summary>The failure; null for a result.</summary>
    internal Exception? Error { get; }

    internal TaskId Id => _task.Id;

    /// <summary>Somebody has looked, or was told.</summary>
    internal void Seen()
    {
        if (_ledger.Strike(this))
        {
            Dispose();
        }
    }

    /// <summary>Stands down.</summary>
    public void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Tells of it now, unless it was told or looked at.</summary>
    internal void Tell(string why) => _ledger.Tell(this, why);

    internal RuntimeEvent Story(string why) => Story(_task, Error, why);

    internal static RuntimeEvent Story(ManagedTask task, Exception? error, string why)
    {
        string whose = $"{task.Title}, spawned at {task.SpawnSite} into '{task.Group.Name}'";
        return error is not null
            ? new RuntimeEvent(RuntimeEventKind.UnobservedFailure, $"{whose}, failed, and nobody has looked at it {why}: {error.GetType().Name}: {error.Message}", task.Id, error)
            {
                TaskName = task.Name,
                SpawnSite = task.SpawnSite,
            }
            : new RuntimeEvent(RuntimeEventKind.UnobservedResult, $"{whose}, has a result, and nobody has looked at it {why}. Await the task, or let its body return nothing", task.Id)
            {
                TaskName = task.Name,
                SpawnSite = task.SpawnSite,
            };
    }
}

/// <summary>The account of outcomes at which nobody has looked. Knows them without keeping them.</summary>
/// <remarks>Whoever strikes an entry out is the one who may tell of it, so each is told once. Safe from any thread.</remarks>
internal sealed class UnseenLedger(Action<RuntimeEvent> publish)
{
    private readonly ConcurrentDictionary<TaskId, WeakReference<Unseen>> _open = new();

    // What the finalizer has found, until a thread of the pool tells of it: no user code runs on the finalizer's thread.
    private readonly ConcurrentQueue<Unseen> _lost = new();

    // 1 while a thread of the pool is on its way or at work. Interlocked.
    private int _telling;

    // Interlocked.
    private long _told;

    /// <summary>Whether results count as well as failures. Set once, by the roof.</summary>
    internal bool WithResults { get; set; }

    /// <summary>How many outcomes nobody has looked at although somebody still can.</summary>
    internal int Open => _open.Count;

    /// <summary>How many were told, since nobody can look any more.</summary>
    internal long Told => Interlocked.Read(ref _told);

    internal void Enter(Unseen unseen) => _open[unseen.Id] = new WeakReference<Unseen>(unseen, trackResurrection: true);

    internal bool Strike(Unseen unseen) => _open.TryRemove(unseen.Id, out _);

    internal void Tell(Unseen unseen, string why)
    {
        if (Strike(unseen))
        {
            unseen.Dispose();
            Interlocked.Increment(ref _told);
            publish(unseen.Story(why));
        }
    }

    /// <summary>A failure was passed on into a <see cref="Task"/> at which nobody can look any more.</summary>
    internal void TellPassedOn(ManagedTask task, Exception error)
    {
        Interlocked.Increment(ref _told);
        publish(Unseen.Story(task, error, "at the Task into which AsTask passed it on"));
    }

    /// <summary>A task has failed that was observed by who does not need it any more. Called once a task.</summary>
    /// <param name="task">The task.</param>
    /// <param name="error">Its failure.</param>
    /// <param name="what">What it was, for the message.</param>
    internal void TellUnneeded(ManagedTask task, Exception error, string what)
    {
        Interlocked.Increment(ref _told);
        publish(new RuntimeEvent(
            RuntimeEventKind.UnobservedFailure, $"{task.Title}, spawned at {task.SpawnSite}, {what}: {error.GetType().Name}: {error.Message}", task.Id, error)
        {
            TaskName = task.Name,
            SpawnSite = task.SpawnSite,
        });
    }

    /// <summary>Nobody can look at it any more. Called by the finalizer's thread.</summary>
    internal void Lost(Unseen unseen)
    {
        _lost.Enqueue(unseen);
        if (Interlocked.Exchange(ref _telling, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static ledger => ledger.TellLost(), this, preferLocal: false);
        }
    }

    /// <summary>The runtime stops: tells of all, in the order of their ids.</summary>
    /// <returns>How many were told.</returns>
    internal int TellAll(string why)
    {
        TellLost();
        long before = Told;
        foreach (KeyValuePair<TaskId, WeakReference<Unseen>> entry in _open.OrderBy(static entry => entry.Key))
        {
            if (entry.Value.TryGetTarget(out Unseen? unseen))
            {
                Tell(unseen, why);
            }
        }

        return (int)(Told - before);
    }

    private void TellLost()
    {
        Volatile.Write(ref _telling, 0);
        Interlocked.MemoryBarrier(); // who enters one from here on sends for another thread
        while (_lost.TryDequeue(out Unseen? unseen))
        {
            Tell(unseen, "before its handle was lost");
        }
    }
}
