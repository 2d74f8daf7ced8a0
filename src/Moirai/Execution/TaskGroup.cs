using Moirai.Ground;
using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The ledger of one set of tasks: who lives, how many were created and how they ended. What scopes and pools are made of.</summary>
/// <remarks>
/// Invariant, whenever the gate is free: <c>created == live + completed + failed + canceled</c>, and the list holds exactly the live tasks.
/// A task is entered before it starts and taken out by its end, whichever end that is; there is no other way in or out.
/// Everything below is written under the gate, unless said otherwise.
/// </remarks>
internal sealed partial class TaskGroup : IWaitQueue
{
    private SpinGate _gate;
    private ManagedTask? _first;
    private GroupCounts _counts;

    // The account of the groups that were opened inside and have closed.
    private GroupCounts _closedInside;
    private bool _closed;

    // No work from outside any more; tasks that live here may still spawn beside them.
    private bool _intakeStopped;

    // Scopes and pools opened inside this group that are not closed.
    private TaskGroup? _firstChild;
    private TaskGroup? _nextSibling;
    private TaskGroup? _previousSibling;

    // Those who wait until nothing lives here.
    private WaitQueue _joiners;

    // The source of the group's token, made at the first question.
    private CancellationTokenSource? _source;
    private volatile CancelCause? _cause;

    internal TaskGroup(Engine engine, string name, TaskGroup? parent, ManagedTask? opener)
    {
        Engine = engine;
        Name = name;
        Parent = parent;
        Opener = opener;
    }

    internal Engine Engine { get; }

    internal string Name { get; }

    internal TaskGroup? Parent { get; }

    /// <summary>The task inside which the group was opened, if it was.</summary>
    internal ManagedTask? Opener { get; }

    /// <summary>The next in the list of groups that one task has opened. Written under that task's gate.</summary>
    internal TaskGroup? NextOfOpener { get; private set; }

    /// <summary>Set once, before the first task is entered.</summary>
    internal IEndListener? Listener { get; set; }

    /// <summary>Set once, before the first task is entered; null when the tasks hold no slots.</summary>
    internal ISlotReturn? Slots { get; set; }

    /// <summary>Opened under a shield: a cancellation that comes from outside does not reach it.</summary>
    internal bool IsShielded { get; private set; }

    /// <summary>Why the group was canceled; null while it was not. The first cause stays.</summary>
    internal CancelCause? Cause => _cause;

    internal bool IsClosed => Volatile.Read(ref _closed);

    internal long Live
    {
        get
        {
            _gate.Enter();
            long live = _counts.Live;
            _gate.Exit();
            return live;
        }
    }

    internal GroupCounts Counts
    {
        get
        {
            _gate.Enter();
            GroupCounts counts = _counts;
            _gate.Exit();
            return counts;
        }
    }

    internal CancellationToken Token
    {
        get
        {
            _gate.Enter();
            CancellationTokenSource source = _source ??= new CancellationTokenSource();
            _gate.Exit();
            if (_cause is not null)
            {
                source.Cancel();
            }

            return source.Token;
        }
    }

    /// <summary>Enters a new task. When the group is canceled the task is entered as canceled, and will not run.</summary>
    /// <exception cref="InvalidOperationException">The group is closed.</exception>
    internal void Enter(ManagedTask task)
    {
        _gate.Enter();
        if (RefusesLocked())
        {
            _gate.Exit();
            throw ClosedError($"task '{task.Name}'");
        }

        if (_first is { } first)
        {
            task.NextInGroup = first;
            first.PrevInGroup = task;
        }

        _first = task;
        _counts.Created++;
        _counts.Live++;
        if (_cause is not null)
        {
            task.SetFlagLocked(TaskFlags.CancelRequested);
        }

        _gate.Exit();
    }

    /// <summary>Takes out a task and publishes its end, in one moment: whoever sees the task ended sees it gone from the group, and its slot free.</summary>
    /// <remarks>Called once a task, by its end.</remarks>
    internal void Leave(ManagedTask task, TaskEvent how, Exception? error)
    {
        _gate.Enter();
        if (task.PrevInGroup is { } previous)
        {
            previous.NextInGroup = task.NextInGroup;
        }
        else
        {
            _first = task.NextInGroup;
        }

        if (task.NextInGroup is { } next)
        {
            next.PrevInGroup = task.PrevInGroup;
        }

        task.NextInGroup = task.PrevInGroup = null;
        _counts.Live--;
        switch (how)
        {
            case TaskEvent.Complete:
                _counts.Completed++;
                break;
            case TaskEvent.Fail:
                _counts.Failed++;
                break;
            default:
                _counts.Canceled++;
                break;
        }

        WaitNode? admitted = Slots?.ReturnSlot();
        WaitNode? awaiting = task.Finish(how, error);
        WaitNode? emptied = _counts.Live == 0 && _joiners.Head is not null ? ClaimJoinersLocked() : null;
        _gate.Exit();

        if (admitted is not null || awaiting is not null || emptied is not null)
        {
            var batch = default(WakeBatch);
            admitted?.Resume(ref batch);
            ResumeAll(awaiting, ref batch);
            ResumeAll(emptied, ref batch);
            batch.Flush();
        }
    }

    /// <summary>Takes no work from outside any more, here and in the groups that no task has opened; what lives here may go on spawning.</summary>
    internal void StopIntake()
    {
        _gate.Enter();
        _intakeStopped = true;
        List<TaskGroup>? children = ChildrenLocked();
        _gate.Exit();
        if (children is not null)
        {
            foreach (TaskGroup child in children)
            {
                if (child.Opener is null)
                {
                    child.StopIntake();
                }
            }
        }
    }

    /// <summary>Asks every task here, and in the groups opened inside, to stop; tasks entered later are canceled from the start.</summary>
    /// <returns>False when it was canceled before.</returns>
    internal bool Cancel(CancelCause cause)
    {
        _gate.Enter();
        if (_cause is not null || _closed)
        {
            _gate.Exit();
            return false;
        }

        _cause = cause;
        ManagedTask[] tasks = TasksLocked();
        List<TaskGroup>? children = ChildrenLocked();
        CancellationTokenSource? source = _source;
        _gate.Exit();

        foreach (ManagedTask task in tasks)
        {
            Cancellation.Cancel(task, cause, withGroup: true);
        }

        if (children is not null)
        {
            foreach (TaskGroup child in children)
            {
                if (!child.IsShielded)
                {
                    child.Cancel(cause);
                }
            }
        }

        if (source is not null)
        {
            CancelSource(source);
        }

        return true;
    }

    /// <summary>Seats a node until no task lives here. Goes on at once when none does.</summary>
    internal void JoinEmpty(WaitNode node, int armed)
    {
        _gate.Enter();
        if (!node.IsArmed(armed))
        {
            _gate.Exit();
            return;
        }

        if (_counts.Live == 0)
        {
            bool claimed = node.TryClaim();
            _gate.Exit();
            if (claimed)
            {
                node.GoOn();
            }

            return;
        }

        _joiners.Append(node);
        _gate.Exit();
    }

    internal InvalidOperationException ClosedError(string what)
    {
        string message = $"'{Name}' is closed: all its tasks have ended and no new one may begin, so {what} was not spawned and nothing of it has run. "
            + "Spawn before the scope is joined or disposed, or into a scope that is still open.";
        return Engine.IsStopped ? new ObjectDisposedException($"TaskRuntime '{Engine.Name}'", message) : new InvalidOperationException(message);
    }

    void IWaitQueue.Remove(WaitNode node)
    {
        _gate.Enter();
        _joiners.Remove(node);
        _gate.Exit();
    }

    string IWaitQueue.DescribeWait(WaitNode node) => $"the end of the {Volatile.Read(ref _counts.Live)} tasks of '{Name}'";

    private bool RefusesLocked() => _closed
        || (_intakeStopped && !(ManagedTask.Current is { } spawner && spawner.Group.IsInside(this)));

    private WaitNode? ClaimJoinersLocked()
    {
        WaitNode? winners = null;
        while (_joiners.ClaimFirst() is { } node)
        {
            node.Next = winners;
            winners = node;
        }

        return winners;
    }

    private static void ResumeAll(WaitNode? first, ref WakeBatch batch)
    {
        for (WaitNode? node = first; node is not null;)
        {
            WaitNode? next = node.Next;
            node.Next = null;
            node.Resume(ref batch);
            node = next;
        }
    }

    private ManagedTask[] TasksLocked()
    {
        var tasks = new ManagedTask[_counts.Live];
        int i = 0;
        for (ManagedTask? task = _first; task is not null; task = task.NextInGroup)
        {
            tasks[i++] = task;
        }

        return tasks;
    }

    private void CancelSource(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (AggregateException error)
        {
            Engine.Publish(new RuntimeEvent(
                RuntimeEventKind.CancelCallbackFailed,
                $"A callback registered on the token of '{Name}' threw while it was being canceled: {error.InnerException?.Message}",
                default,
                error));
        }
    }
}
