using Moirai.Execution;
using Moirai.Ground;
using Moirai.Sites;
using Moirai.Stories;
using Moirai.Wakers;

namespace Moirai.Diagnostics;

/// <summary>Takes one snapshot: walks the tree of scopes and reads every task in it, while everything goes on.</summary>
/// <remarks>
/// No task is held and no state is written. A task is read, and counts as read when its state and ticket are the same afterwards (<see cref="ManagedTask.IsStill"/>); else it is read again. Gates are taken for as long as it takes to copy a list of
/// pages, a word of a primitive, or the account of a scope. What the taker holds of the program, it holds until the snapshot is made: a search for leaks that runs meanwhile may find something only the next time.
/// </remarks>
internal sealed partial class SnapshotTaker
{
    private const int MostTries = 4;
    private const int LeastApart = 10_000;
    private const double LongestWaitTold = 1 << 23; // seconds: a wait that began after the look at the clock comes out as almost 2²⁴

    private readonly Engine _engine;
    private readonly SnapshotOptions _options;
    private readonly PlainWalker _walker;
    private readonly long _now;
    private readonly long _stamp;
    private readonly AwaitChain _chain;
    private readonly ChainTrie _chains = new();
    private readonly WaitTargets _targets;
    private readonly GroupRows _groups;
    private readonly PrimitiveTable _primitives;
    private readonly List<ScopeSnapshot> _scopes = [];
    private readonly TaskTeller _teller;

    private long _scopeCount;

    // Pools that are listed although there are more scopes than are wanted.
    private int _poolsBeyond;
    private StateTally _all;

    private SnapshotTaker(Engine engine, SnapshotOptions options, PlainWalker walker)
    {
        _engine = engine;
        _options = options;
        _walker = walker;
        _now = engine.Timers.Now;
        _stamp = engine.Provider.GetTimestamp();
        _chain = new AwaitChain(walker);
        int apart = Math.Max(LeastApart, Math.Max(options.MaxTasks, options.MaxRows));
        _targets = new WaitTargets(apart);
        _groups = new GroupRows(apart);
        _primitives = new PrimitiveTable(options.MaxRows);
        _teller = new TaskTeller(engine, _now, options.Chains, _primitives);
    }

    /// <summary>Takes a snapshot.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="options">What is wanted.</param>
    /// <param name="walker">Follows plain code; null for the one of this process.</param>
    internal static RuntimeSnapshot Take(Engine engine, SnapshotOptions options, PlainWalker? walker = null)
    {
        long began = engine.Provider.GetTimestamp();
        DateTimeOffset at = engine.Provider.GetUtcNow();
        var census = Census.Of(engine);
        var taker = new SnapshotTaker(engine, options, walker ?? PlainWalker.Platform);
        taker.Walk();
        return taker.ToSnapshot(census, at) with { Duration = engine.Provider.GetElapsedTime(began) };
    }

    /// <summary>Tells of one task, which is at hand; null when it has ended.</summary>
    internal static TaskSnapshot? TakeOne(Engine engine, ManagedTask task)
    {
        var taker = new SnapshotTaker(engine, new SnapshotOptions(), PlainWalker.Platform);
        if (!taker.TryRead(task, out SeenTask seen))
        {
            return null;
        }

        taker.Tell(task, seen, scope: null);
        return taker._teller.Told[0];
    }

    private RuntimeSnapshot ToSnapshot(Census census, DateTimeOffset at)
    {
        List<GroupSnapshot> groups = _groups.Largest(_options.MaxRows, _primitives);
        return new RuntimeSnapshot
        {
            Runtime = _engine.Name,
            TakenAt = at,
            Census = census,
            Timers = _engine.Timers.TakeGauges(),
            States = _all.Counts,
            Scopes = _scopes,
            ScopesNotListed = (int)(_scopeCount - _scopes.Count),
            Tasks = _teller.Told,
            TasksNotListed = _all.Counts.Live - _teller.Told.Count,
            Groups = groups,
            GroupsNotListed = _groups.Count - groups.Count,
            Primitives = _primitives.ToSnapshots(),
            PrimitivesNotListed = _primitives.NotListed,
            Notes = Notes(),
        };
    }

    private List<string> Notes()
    {
        List<string> notes = [];
        if (!_walker.Works)
        {
            notes.Add("Plain async code is not followed: the self-test of the walker failed, so the private fields of this platform are not those it knows. Of tasks in plain code only the Future methods are told.");
        }

        if (_chain.WithoutLines.Count > 0)
        {
            notes.Add($"No lines for {string.Join(", ", _chain.WithoutLines.Order(StringComparer.Ordinal).Take(5))}: no portable PDB beside the assembly or in it. Only methods are told.");
        }

        return notes;
    }

    // With a stack of its own: scopes may be nested deeper than a thread's stack reaches.
    private void Walk()
    {
        var todo = new Stack<(TaskGroup Group, int? Parent, int Depth)>();
        todo.Push((_engine.Root, null, 0));
        var pages = new Pages<RosterPage>();
        var inside = new List<TaskGroup>();
        while (todo.TryPop(out (TaskGroup Group, int? Parent, int Depth) here))
        {
            pages.Clear();
            inside.Clear();
            here.Group.Look(pages, inside);
            _scopeCount++;
            int? index = IsListed(here.Group) ? _scopes.Count : null;
            if (index is { } place)
            {
                _scopes.Add(Describe(here.Group, place, here.Parent, here.Depth));
            }

            StateCounts states = _picks is null ? ReadTasks(pages, index) : OfferTasks(pages, index);
            if (index is { } known)
            {
                _scopes[known] = _scopes[known] with { States = states };
            }

            _all.Add(states);
            foreach (TaskGroup child in inside)
            {
                todo.Push((child, index ?? here.Parent, here.Depth + 1));
            }
        }
    }

    // Pools are few, and what a screen shows of a service; scopes without number, one for each request, must not push them out.
    private bool IsListed(TaskGroup group)
    {
        if (_scopes.Count - _poolsBeyond < _options.MaxRows)
        {
            return true;
        }

        bool isListed = _poolsBeyond < _options.MaxRows && group.PeekSlots() is TaskSlotManager;
        _poolsBeyond += isListed ? 1 : 0;
        return isListed;
    }

    private static ScopeSnapshot Describe(TaskGroup group, int index, int? parent, int depth)
    {
        GroupCounts counts = group.Counts;
        var slots = group.PeekSlots() as TaskSlotManager;
        return new ScopeSnapshot
        {
            Index = index,
            Parent = parent,
            Depth = depth,
            Name = group.Name,
            Kind = group.Parent is null ? ScopeKind.Runtime
                : group.IsForOperations ? ScopeKind.Operations
                : slots is not null ? ScopeKind.Pool
                : group.PeekListener() is null or TaskScope ? ScopeKind.Scope
                : ScopeKind.Collector,
            Opener = group.Opener?.Id,
            Created = counts.Created,
            Completed = counts.Completed,
            Failed = counts.Failed,
            Canceled = counts.Canceled,
            Slots = slots is null ? null : new SlotSnapshot(slots.MaxTasks, slots.InUse, slots.Waiting),
            CancelCause = Words(group.Cause),
        };
    }

    private StateCounts ReadTasks(Pages<RosterPage> pages, int? scope)
    {
        int most = (int)Math.Min(_options.MaxTasks, (long)_teller.Told.Count + _options.MaxTasksPerScope);
        var tally = default(StateTally);
        foreach (RosterPage page in pages)
        {
            for (int seat = 0; seat < page.Size; seat++)
            {
                if (page[seat] is { } task && TryRead(task, out SeenTask seen))
                {
                    tally.Add(seen.State);
                    _groups.Add(seen);
                    if (_teller.Told.Count < most)
                    {
                        Tell(task, seen, scope);
                    }
                }
            }
        }

        return tally.Counts;
    }

    private bool TryRead(ManagedTask task, out SeenTask seen)
    {
        for (int tries = 0; ; tries++)
        {
            TaskSight sight = task.Look();
            if (sight.State > TaskState.Blocked)
            {
                seen = default;
                return false; // it has ended, and is about to leave
            }

            KnownTarget? target = null;
            TimeSpan? waited = null;
            TimeSpan? due = null;
            _chain.Read(task, sight, _options.Chains);
            if (sight is { State: TaskState.Blocked, Leaf: { } leaf })
            {
                target = _targets.Of(leaf, _chain);
                waited = Waited(task, leaf);
                due = WaitTarget.DueOf(leaf) is { } at ? new TimeSpan(at - _now) : null;
            }

            bool isStill = task.IsStill(sight);
            if (!isStill && tries < MostTries)
            {
                continue;
            }

            if (!isStill)
            {
                _chain.Forget(); // it moves faster than it can be read
                (target, waited, due) = (null, null, null);
            }

            if (target?.Target.Primitive is { } primitive)
            {
                _primitives.Met(primitive, waited);
            }

            seen = new SeenTask
            {
                Id = task.Id,
                Name = task.Name,
                State = sight.State,
                Chain = _options.Chains ? _chains.Of(_chain.Frames) : SiteAlone(),
                Target = target,
                Waited = waited,
                Due = due,
            };
            return true;
        }
    }

    // Plain code may have gone on while the task waited for it.
    private TimeSpan Waited(ManagedTask task, Frame leaf)
    {
        TimeSpan waited = Waited(leaf.Since, _now);
        return task.Cell?.QuietFor(_stamp) is { } quiet && quiet < waited ? TimeSpan.FromSeconds(Math.Floor(quiet.TotalSeconds)) : waited;
    }

    /// <summary>How long that is, to the second.</summary>
    internal static TimeSpan Waited(int since, long now)
    {
        TimeSpan waited = WaitNode.Between(since, now);
        return waited.TotalSeconds > LongestWaitTold ? TimeSpan.Zero : waited;
    }

    /// <summary>Without the error: its message may be a user's code.</summary>
    internal static string? Words(CancelCause? cause) => cause is null ? null : (cause with { Error = null }).ToString();

    // For who wants no chains.
    private ChainNode SiteAlone() => AwaitChain.SiteOf(_chain.Frames) is { } site ? _chains.Empty.Then(site) : _chains.Empty;

    // Of the task that was read last.
    private void Tell(ManagedTask task, in SeenTask seen, int? scope) => _teller.Tell(task, seen, _chain.Since, scope);
}
