using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Moirai.Execution;

/// <content>Letting go of those whom an end in this group wakes, while the collector looks who else holds them.</content>
internal sealed partial class TaskGroup
{
    // Written under the gate by a scan; the way back to what it let go of. Both are null outside scans.
    private WeakReference<GroupTies>? _tiesLink;
    private WeakReference<HeedLink>? _heedLink;

    // What is let go of during a scan; its absence is how everybody notices.
    private GroupTies Ties => Atomics.Read(ref _ties) ?? Regain();

    /// <summary>Told when a task ends. Set once, before the first task is entered.</summary>
    internal IEndListener? Listener
    {
        get => Ties.Listener;
        set => Ties.Listener = value;
    }

    /// <summary>Where slots go back to. Set once, before the first task is entered; null when the tasks hold no slots.</summary>
    internal ISlotReturn? Slots
    {
        get => Ties.Slots;
        set => Ties.Slots = value;
    }

    /// <summary>Ties the group to a token from outside; undone when it closes. Called once, by who opens the group.</summary>
    internal void Heed(HeedLink link)
    {
        _gate.Enter();
        bool closed = _closed;
        _heed = link;
        _gate.Exit();
        if (closed)
        {
            link.Undo();
        }
    }

    /// <summary>Lets go: from here on only what the caller gives the ties to holds them.</summary>
    internal GroupTies LetGo()
    {
        GroupTies ties = Ties;
        _gate.Enter();
        _tiesLink = new WeakReference<GroupTies>(ties, trackResurrection: true);
        Atomics.Write(ref _ties, null);
        _gate.Exit();
        return ties;
    }

    /// <summary>Holds what it held before <see cref="LetGo"/>. Anybody may call it, any number of times.</summary>
    internal GroupTies Regain()
    {
        GroupTies? ties = Atomics.Read(ref _ties);
        if (ties is null)
        {
            // The scan and every suspect hold them, so they are there.
            ties = _tiesLink is { } link && link.TryGetTarget(out GroupTies? held)
                ? held
                : throw new UnreachableException($"'{Name}' has lost its ties during a scan. Please report this.");
            Atomics.Write(ref _ties, ties);
        }

        return ties;
    }

    // For who only counts: what is let go of stays let go of.
    private GroupTies? PeekTies() => Atomics.Read(ref _ties) ?? (_tiesLink is { } link && link.TryGetTarget(out GroupTies? held) ? held : null);

    /// <summary>Lets go of the token from outside, and leaves a probe where only that token reaches it.</summary>
    /// <returns>False when there is no such token.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool LetGoOfHeeded(object probe)
    {
        _gate.Enter();
        HeedLink? heed = _heed;
        if (heed is not null)
        {
            heed.Probe = probe;
            _heedLink = new WeakReference<HeedLink>(heed, trackResurrection: true);
            _heed = null;
        }

        _gate.Exit();
        return heed is not null;
    }

    /// <summary>Undoes <see cref="LetGoOfHeeded"/>.</summary>
    /// <returns>Whether the group heeds a token.</returns>
    internal bool RegainHeeded()
    {
        _gate.Enter();
        if (_heed is null && _heedLink is { } link && link.TryGetTarget(out HeedLink? heed))
        {
            heed.Probe = null;
            _heed = heed;
        }

        _heedLink = null;
        bool heeds = _heed is not null;
        _gate.Exit();
        return heeds;
    }

    /// <summary>This group and those inside it that are open.</summary>
    internal IEnumerable<TaskGroup> SelfAndInside()
    {
        var todo = new Stack<TaskGroup>([this]);
        while (todo.TryPop(out TaskGroup? group))
        {
            yield return group;
            group._gate.Enter();
            List<TaskGroup>? children = group.ChildrenLocked();
            group._gate.Exit();
            foreach (TaskGroup child in children ?? [])
            {
                todo.Push(child);
            }
        }
    }

    /// <summary>Adds the live tasks of this group to a list.</summary>
    internal void AddTasksTo(List<ManagedTask> tasks)
    {
        _gate.Enter();
        for (RosterPage? page = _pages.First; page is not null; page = page.Next)
        {
            page.AddTasksTo(tasks);
        }

        _gate.Exit();
    }

    /// <summary>Adds the pages of this group's register to a list.</summary>
    internal void AddPagesTo(List<RosterPage> pages)
    {
        _gate.Enter();
        for (RosterPage? page = _pages.First; page is not null; page = page.Next)
        {
            pages.Add(page);
        }

        _gate.Exit();
    }
}
