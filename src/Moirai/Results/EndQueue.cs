using Moirai.Execution;
using Moirai.Ground;
using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai.Results;

/// <summary>The tasks of a collector, in the order in which they were added and in the order in which they ended.</summary>
/// <remarks>Written under the gate. One reader waits at a time.</remarks>
internal sealed class EndQueue<T>(string name) : IEndListener, IWaitQueue
{
    // Null where an outcome was given out for good.
    private readonly List<ManagedTask<T>?> _added = [];
    private readonly Queue<ManagedTask<T>> _ended = new();

    // Of those that are to be given out one by one, as far as somebody has asked.
    private readonly Dictionary<ManagedTask<T>, int> _indexes = [];
    private int _indexed;
    private SpinGate _gate;
    private WaitQueue _readers;
    private int _given;

    internal int Added
    {
        get
        {
            _gate.Enter();
            int count = _added.Count;
            _gate.Exit();
            return count;
        }
    }

    /// <summary>Whether an outcome has been taken out.</summary>
    internal bool AnyGiven => Volatile.Read(ref _given) > 0;

    internal ManagedTask<T> Spawn(TaskGroup group, in Body<T> body)
    {
        StepContext context = StepContext.Current;
        ManagedTask<T> task = Spawning.Create(group, body, context);
        _gate.Enter();
        _added.Add(task); // before it can end
        _gate.Exit();
        try
        {
            Spawning.Launch(task, body.Root, body.Token, context);
        }
        catch (InvalidOperationException)
        {
            _gate.Enter();
            _added.Remove(task);
            WaitNode? reader = _given == _added.Count && _readers.Head is not null ? _readers.ClaimFirst() : null;
            _gate.Exit();
            if (reader is not null)
            {
                var batch = default(WakeBatch);
                reader.Resume(ref batch);
                batch.Flush();
            }

            throw;
        }

        return task;
    }

    /// <summary>The next task that ended; null when every task that was added has been given out.</summary>
    internal async Future<ManagedTask<T>?> NextAsync()
    {
        while (true)
        {
            if (TryNext(out ManagedTask<T>? task))
            {
                return Give(task);
            }

            await new Next(this);
        }
    }

    /// <summary>The next task that ended, if one has.</summary>
    internal ManagedTask<T>? TakeEnded()
    {
        TryNext(out ManagedTask<T>? task);
        return Give(task);
    }

    // Whoever is given an outcome has seen it.
    private static ManagedTask<T>? Give(ManagedTask<T>? task)
    {
        task?.WaitUntilLeft(); // the listener was told before the end was published
        task?.MarkObserved();
        return task;
    }

    /// <summary>Takes out the outcomes that nobody has, and adds their failures. When all tasks have ended.</summary>
    internal void AddFailuresLeft(ref List<Exception>? failures)
    {
        while (TakeEnded() is { } task)
        {
            if (task.Exception is { } error)
            {
                (failures ??= []).Add(error);
            }
        }
    }

    /// <summary>All failures there are, whoever took the outcomes. When all tasks have ended.</summary>
    internal List<Exception>? Failures()
    {
        List<Exception>? failures = null;
        foreach (ManagedTask<T>? task in _added)
        {
            if (task?.Exception is { } error)
            {
                (failures ??= []).Add(error);
            }
        }

        return failures;
    }

    /// <summary>Takes out the outcomes that nobody has, and tells the operator of their failures. When all tasks have ended.</summary>
    internal void TellFailuresLeft()
    {
        while (TryNext(out ManagedTask<T>? task) && task is not null)
        {
            task.WaitUntilLeft();
            task.TellUnseen($"since collector '{name}' was left without collecting");
        }
    }

    internal IReadOnlyList<T> ResultsInOrder()
    {
        var results = new T[_added.Count];
        for (int i = 0; i < results.Length; i++)
        {
            results[i] = _added[i]!.ResultUnchecked;
        }

        return results;
    }

    /// <summary>Lets go of every outcome: those that somebody wanted have been given out.</summary>
    internal void Forget()
    {
        _gate.Enter();
        _ended.Clear();
        _indexes.Clear();
        for (int i = 0; i < _added.Count; i++)
        {
            _added[i] = null;
        }

        _given = _indexed = _added.Count;
        _gate.Exit();
    }

    internal TaskOutcome<T>[] OutcomesInOrder()
    {
        var outcomes = new TaskOutcome<T>[_added.Count];
        for (int i = 0; i < outcomes.Length; i++)
        {
            _added[i]!.MarkObserved();
            outcomes[i] = new TaskOutcome<T>(i, _added[i]!);
        }

        return outcomes;
    }

    internal TaskOutcome<T> OutcomeOf(ManagedTask<T> task)
    {
        _gate.Enter();
        for (; _indexed < _added.Count; _indexed++)
        {
            _indexes[_added[_indexed]!] = _indexed;
        }

        _indexes.Remove(task, out int index);
        _added[index] = null;
        _gate.Exit();
        return new TaskOutcome<T>(index, task);
    }

    void IEndListener.TaskEnding(ManagedTask task, TaskEvent how, Exception? error)
    {
        _gate.Enter();
        _ended.Enqueue((ManagedTask<T>)task);
        WaitNode? reader = _readers.Head is null ? null : _readers.ClaimFirst();
        _gate.Exit();
        if (reader is not null)
        {
            var batch = default(WakeBatch);
            reader.Resume(ref batch);
            batch.Flush();
        }
    }

    void IWaitQueue.Remove(WaitNode node)
    {
        _gate.Enter();
        _readers.Remove(node);
        _gate.Exit();
    }

    string IWaitQueue.DescribeWait(WaitNode node) => $"the next outcome of '{name}'";

    private bool TryNext(out ManagedTask<T>? task)
    {
        _gate.Enter();
        bool any = _ended.TryDequeue(out task);
        if (any)
        {
            _given++;
        }

        bool all = !any && _given == _added.Count;
        _gate.Exit();
        return any || all;
    }

    private void Seat(WaitNode node, int armed)
    {
        bool claimed = false;
        _gate.Enter();
        if (node.IsArmed(armed))
        {
            if (_ended.Count > 0 || _given == _added.Count)
            {
                claimed = node.TryClaim();
            }
            else
            {
                _readers.Append(node);
            }
        }

        _gate.Exit();
        if (claimed)
        {
            node.GoOn();
        }
    }

    private readonly struct Next(EndQueue<T> queue) : System.Runtime.CompilerServices.ICriticalNotifyCompletion, IPassingAwaiter
    {
        public bool IsCompleted => false;

        public Next GetAwaiter() => this;

        public void GetResult() => Park.TakeSignal();

        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation) => queue.Seat(new CallbackNode(continuation, flowContext: false), armed: 0);

        public void Suspend(Frame frame)
        {
            if (Park.Begin(frame, queue, out int armed))
            {
                queue.Seat(frame, armed);
            }
        }
    }
}
