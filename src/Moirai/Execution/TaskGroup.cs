using Moirai.Ground;
using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The ledger of one set of tasks: who lives, how many were created and how they ended. What scopes and pools are made of.</summary>
/// <remarks>
/// A task is entered before it starts and taken out by its end, whichever end that is; there is no other way in or out. Entering is done under the gate, leaving without it:
/// see <see cref="RosterPage"/>. The group is empty when all its pages are.
/// <para>The race with who waits for that: a leaver books its leaving (a full fence) and then looks for joiners; a joiner says that it waits, with a fence, and
/// then looks at the books. So one of them sees the other.</para>
/// Everything below is written under the gate, unless said otherwise.
/// </remarks>
internal sealed partial class TaskGroup : IWaitQueue, ILinked<TaskGroup>
{
    private const int SmallestPage = 4;

    private SpinGate _gate;

    // The pages on which tasks live, or on which the next will sit: the last one first.
    private IntrusiveList<RosterPage> _pages;

    // The account of pages that are full and left by all.
    private GroupCounts _folded;

    // The account of the groups that were opened inside and have closed.
    private GroupCounts _closedInside;
    private bool _closed;
    private byte _nextPageSize = SmallestPage;

    // No work from outside any more; tasks that live here may still spawn beside them.
    private bool _intakeStopped;

    // Scopes and pools opened inside this group that are not closed.
    private IntrusiveList<TaskGroup> _children;

    // Those whom an end here wakes. Null while a scan has made the group let go of them: see Ties.
    private GroupTies? _ties = new();

    // Whether anybody waits until nothing lives here. Leavers read it without the gate.
    private bool _awaited;

    internal TaskGroup(Engine engine, string name, TaskGroup? parent, ManagedTask? opener)
    {
        Engine = engine;
        Name = name;
        Parent = parent;
        Opener = opener;
    }

    internal Engine Engine { get; }

    internal string Name { get; }

    /// <summary>The group around it. Written under the gates of the old one, the new one and the root.</summary>
    internal TaskGroup? Parent { get; private set; }

    /// <summary>The task inside which the group was opened, if it was.</summary>
    internal ManagedTask? Opener { get; }

    /// <summary>Neighbours among the parent's children. Written under the parent's gate.</summary>
    public TaskGroup? Next { get; set; }

    /// <inheritdoc cref="Next"/>
    public TaskGroup? Previous { get; set; }

    /// <summary>The next in the list of groups that one task has opened. Written under that task's gate.</summary>
    internal TaskGroup? NextOfOpener { get; private set; }

    // The one before, by which it leaves that list in O(1). Written under that task's gate.
    private TaskGroup? _previousOfOpener;

    /// <summary>How long a task here may wait before an alarm is raised, in ticks; 0: as long as the group around it allows. Written and read by anyone.</summary>
    private long _blockedLimit;

    /// <inheritdoc cref="_blockedLimit"/>
    internal TimeSpan? BlockedLimit
    {
        get => Volatile.Read(ref _blockedLimit) is var ticks and not 0 ? new TimeSpan(ticks) : null;
        set => Volatile.Write(ref _blockedLimit, value?.Ticks ?? 0);
    }

    /// <summary>Opened under a shield: a cancellation that comes from outside does not reach it.</summary>
    internal bool IsShielded { get; private set; }

    internal bool IsClosed => Atomics.Read(ref _closed);

    /// <summary>How many tasks have not left.</summary>
    internal long Live => Counts.Live;

    /// <summary>Whether no task lives here.</summary>
    internal bool IsEmpty
    {
        get
        {
            _gate.Enter();
            bool empty = IsEmptyLocked();
            _gate.Exit();
            return empty;
        }
    }

    internal GroupCounts Counts
    {
        get
        {
            _gate.Enter();
            GroupCounts counts = _folded;
            for (RosterPage? page = _pages.First; page is not null; page = page.Next)
            {
                page.AddTo(ref counts);
            }

            _gate.Exit();
            return counts;
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

        _ = Ties; // a scan that has not seen this task must not take the group for one of suspects only
        RosterPage page = _pages.First is { IsFull: false } last ? last : AddPageLocked();
        task.Page = page;
        task.Seat = page.EnterLocked(task);
        if (_cause is not null)
        {
            task.SetFlagLocked(TaskFlags.CancelRequested);
        }

        _gate.Exit();
    }

    /// <summary>Publishes a task's end and takes it out. Called once a task, by its end.</summary>
    /// <remarks>The order: the end is published; the slot is free; the task has left, and only then the group can be empty; those who await the task go on.</remarks>
    internal void Leave(ManagedTask task, TaskEvent how, Exception? error)
    {
        RosterPage page = task.Page!;
        WaitNode? awaiting = task.Finish(how, error, out TokenLink? links);
        WaitNode? admitted = Slots?.ReturnSlot();
        bool lastOfPage = page.Leave(task.Seat, how);
        task.MarkLeft();
        TokenLink.UndoAll(links);
        WaitNode? emptied = lastOfPage && (page.IsFull || Atomics.Read(ref _awaited)) ? LastLeft(page) : null;

        if (admitted is not null || awaiting is not null || emptied is not null)
        {
            var batch = default(WakeBatch);
            admitted?.Resume(ref batch);
            ResumeAll(awaiting, ref batch);
            ResumeAll(emptied, ref batch);
            batch.Flush();
        }
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

        Atomics.Write(ref _awaited, true);
        Atomics.Fence(); // the flag before the look at the books
        if (IsEmptyLocked())
        {
            bool claimed = node.TryClaim();
            Atomics.WriteOwn(ref _awaited, Ties.Joiners.Count > 0);
            _gate.Exit();
            if (claimed)
            {
                node.GoOn();
            }

            return;
        }

        Ties.Joiners.Append(node);
        _gate.Exit();
    }

    internal InvalidOperationException ClosedError(string what)
    {
        if (Engine.IsStopped)
        {
            return new ObjectDisposedException($"TaskRuntime '{Engine.Name}'",
                $"Runtime '{Engine.Name}' was stopped and takes no new work, so {what} did not begin in '{Name}' and nothing of it has run. Stop the intake of the service before the runtime, or give late work a runtime of its own.");
        }

        return new InvalidOperationException($"'{Name}' is closed: all its tasks have ended and no new one may begin, so {what} did not begin and nothing of it has run. "
            + "Spawn before the scope is joined or disposed, or into a scope that is still open.");
    }

    /// <summary>Takes out a node that no longer wants to wait.</summary>
    internal void GiveUp(WaitNode node) => ((IWaitQueue)this).Remove(node);

    void IWaitQueue.Remove(WaitNode node)
    {
        _gate.Enter();
        Ties.Joiners.Remove(node);
        Atomics.WriteOwn(ref _awaited, Ties.Joiners.Count > 0);
        _gate.Exit();
    }

    string IWaitQueue.DescribeWait(WaitNode node) => $"the end of the tasks of '{Name}'";

    private bool RefusesLocked() => _closed
        || (_intakeStopped && !(ManagedTask.Current is { } spawner && spawner.Group.IsInside(this)));

    private bool IsEmptyLocked()
    {
        for (RosterPage? page = _pages.First; page is not null; page = page.Next)
        {
            if (!page.IsEmpty)
            {
                return false;
            }
        }

        return true;
    }

    private RosterPage AddPageLocked()
    {
        // Most scopes have few tasks; the first page is small.
        var page = new RosterPage(_nextPageSize);
        _nextPageSize = (byte)Math.Min(RosterPage.LargestPage, _nextPageSize * 4);
        _pages.Push(page);
        return page;
    }

    /// <summary>Nobody is left on a page: folds it if it is full, and looks whether the whole group is empty now.</summary>
    /// <returns>The joiners to be resumed, claimed.</returns>
    internal WaitNode? LastLeft(RosterPage page)
    {
        _gate.Enter();
        if (_pages.Contains(page) && page.IsFull && page.IsEmpty)
        {
            _pages.Remove(page);
            page.AddTo(ref _folded);
        }

        WaitNode? emptied = Ties.Joiners.Count > 0 && IsEmptyLocked() ? ClaimJoinersLocked() : null;
        _gate.Exit();
        return emptied;
    }

    private WaitNode? ClaimJoinersLocked()
    {
        WaitNode? winners = null;
        while (Ties.Joiners.ClaimFirst() is { } node)
        {
            node.Next = winners;
            winners = node;
        }

        Atomics.WriteOwn(ref _awaited, false);
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
}
