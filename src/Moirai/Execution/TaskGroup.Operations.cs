namespace Moirai.Execution;

/// <content>Operations that may be abandoned: tasks of their own, in a group beside the tasks of the group from which they were called.</content>
/// <remarks>No cancellation reaches such a group from around: its tasks are canceled by who called them and waits for them, with what reaches that one. When the group around it closes and an abandoned operation still runs, the group moves
/// under the root, so nobody is forgotten and nobody waits for ever.</remarks>
internal sealed partial class TaskGroup
{
    // Foreign Tasks that were given up here. Written under the gate; null when there were none, or the end of the group has waited for them.
    private GivenUpTasks? _givenUp;

    // The group for operations called from here, made when the first is. Written under the gate.
    private TaskGroup? _operations;

    /// <summary>Whether operations live here that may be abandoned.</summary>
    internal bool IsForOperations { get; private init; }

    /// <summary>The group for operations that are called from here.</summary>
    /// <exception cref="InvalidOperationException">This group is closed.</exception>
    internal TaskGroup OpenOperations(IEndListener listener)
    {
        if (Atomics.Read(ref _operations) is { } existing)
        {
            return existing;
        }

        var made = new TaskGroup(Engine, Name, parent: this, opener: null) { IsForOperations = true, IsShielded = true, Listener = listener };
        _gate.Enter();
        if (RefusesLocked())
        {
            _gate.Exit();
            throw ClosedError("an operation that may be abandoned");
        }

        if (_operations is { } faster)
        {
            made = faster;
        }
        else
        {
            _children.Push(made);
            Atomics.Write(ref _operations, made);
        }

        _gate.Exit();
        return made;
    }

    /// <summary>The foreign <see cref="Task"/>s that were given up here and that the group's end has to wait for.</summary>
    internal GivenUpTasks? GivenUp => Atomics.Read(ref _givenUp);

    /// <summary>A foreign <see cref="Task"/> was given up here: the group does not close before somebody has waited for it (<see cref="ForgetGivenUp"/>). The root waits for none.</summary>
    internal void NoteGivenUp(Task task, AbandonedWait entry)
    {
        if (Parent is null)
        {
            return;
        }

        _gate.Enter();
        GivenUpTasks? all = _closed ? null : _givenUp ??= new GivenUpTasks();
        _gate.Exit();
        all?.Add(task, entry);
    }

    /// <summary>All were waited for, with whatever success.</summary>
    internal void ForgetGivenUp() => Atomics.Write(ref _givenUp, null);

    /// <summary>Moves this group of operations, with what is open inside, under the root. Called by who closes the group around it.</summary>
    internal void MoveUnderRoot()
    {
        TaskGroup root = Engine.Root;
        TaskGroup old = Parent!;
        if (ReferenceEquals(old, root))
        {
            return;
        }

        root._gate.Enter(); // outermost first, so no walk over the tree is under way
        old._gate.Enter();
        old._children.Remove(this);
        if (ReferenceEquals(old._operations, this))
        {
            old._operations = null;
        }

        Parent = root;
        root._children.Push(this);
        old._gate.Exit();
        root._gate.Exit();
    }

    private long CountAbandonedLocked()
    {
        List<ManagedTask> tasks = [];
        for (RosterPage? page = _pages.First; page is not null; page = page.Next)
        {
            page.AddTasksTo(tasks);
        }

        return tasks.Count(static task => task.IsAbandoned);
    }
}
