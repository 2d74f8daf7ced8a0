using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Timers;

namespace Moirai.Leaks;

/// <summary>One search for tasks that nothing can wake.</summary>
/// <remarks>
/// The order: every waiting task lets go of its frames, and every group of such tasks lets go of those whom an end in it would wake; the collector runs; the tasks whose sentinels it
/// could not reach have leaked; then everybody holds on again. Whoever touches a suspect meanwhile (a wake, a cancellation, a joiner) makes it hold on at once,
/// and it is out of the search. Nothing is stopped.
/// <para>Method: the proof by unreachability that Go's goroutine leak profile and the Boehm collector's leak finder rest on, here with weak handles to sentinels as witnesses,
/// and a keeper that brings back what is found, so that it can be resumed.</para>
/// </remarks>
internal sealed partial class LeakScan : ISuspicion
{
    // A collection concerns the whole process; so there is one search at a time.
    private static readonly SemaphoreSlim s_one = new(1);

    // Strong, until the end: what suspects that turned out to live had held for their groups.
    private readonly ConcurrentStack<GroupTies> _kept = new();

    // The one that was pushed last. Written by anybody; one that is pushed twice does no harm.
    private GroupTies? _lastKept;

    // The pages with suspects on them.
    private readonly List<(RosterPage Roster, SuspectPage Page)> _suspects = [];
    private readonly List<GroupProbe> _groups = [];

    // Groups that heed a token which somebody can still cancel. What waits there is not lost, and neither is what it holds.
    private readonly HashSet<TaskGroup> _heeding = [];
    private int _live;
    private int _examined;

    // Held while suspects are made, then by nobody, so that the collector proves what it is to prove.
    private SentinelKeeper? _keeper;
    private volatile bool _isOver;

    // How many collections of the oldest generation there were before the search's own.
    private volatile int _collectionsBefore;

    // The collection itself has woken somebody, whom it could not reach before.
    private bool _hasWoken;
    private TimeSpan _collecting;

    /// <summary>How long the finalizers of the process may take, in real time, before a search gives up. For tests to shorten.</summary>
    internal static TimeSpan FinalizersMayTake { get; set; } = TimeSpan.FromSeconds(30);

    // Each of them finds fewer, unless finalizers wake tasks all the time.
    private const int MostRounds = 8;

    // Collections that searches have asked for. Written by the one search, before it asks.
    private static int s_asked;

    /// <summary>How many collections of the oldest generation no search has asked for.</summary>
    internal static int NaturalCollections => GC.CollectionCount(GC.MaxGeneration) - Volatile.Read(ref s_asked);

    /// <summary>Searches a group and what was opened inside it, and mends what it finds unless it is only to tell.</summary>
    /// <param name="engine">The engine of the group.</param>
    /// <param name="top">The group.</param>
    /// <param name="policy">What is done about what is found.</param>
    /// <param name="told">What was told before and is not told again; what is told now is added.</param>
    internal static async Task<LeakReport> RunAsync(Engine engine, TaskGroup top, LeakPolicy policy, HashSet<TaskId>? told = null)
    {
        long began = engine.Provider.GetTimestamp();
        await s_one.WaitAsync().ConfigureAwait(false);
        try
        {
            // On a thread of the pool and with nothing of the caller's on the stack.
            return await Task.Run(() => new LeakScan().Run(engine, top, policy, told, began)).ConfigureAwait(false);
        }
        finally
        {
            s_one.Release();
        }
    }

    /// <summary>As <see cref="RunAsync"/>, on the thread of the caller, which is blocked meanwhile: for who must not depend on the pool.</summary>
    /// <param name="engine">The engine of the group.</param>
    /// <param name="top">The group.</param>
    /// <param name="policy">What is done about what is found.</param>
    /// <param name="patience">How long to wait for a search that goes on already.</param>
    /// <returns>Null when that was not over in time.</returns>
    internal static LeakReport? Run(Engine engine, TaskGroup top, LeakPolicy policy, TimeSpan patience)
    {
        long began = engine.Provider.GetTimestamp();
        if (!s_one.Wait(patience))
        {
            return null;
        }

        try
        {
            return new LeakScan().Run(engine, top, policy, told: null, began);
        }
        finally
        {
            s_one.Release();
        }
    }

    bool ISuspicion.IsOver => _isOver;

    bool ISuspicion.HasCollected => GC.CollectionCount(GC.MaxGeneration) != _collectionsBefore;

    // Mostly many suspects of one group come one after the other.
    void ISuspicion.Keep(GroupTies hold)
    {
        if (!ReferenceEquals(Volatile.Read(ref _lastKept), hold))
        {
            Volatile.Write(ref _lastKept, hold);
            _kept.Push(hold);
        }
    }

    private LeakReport Run(Engine engine, TaskGroup top, LeakPolicy policy, HashSet<TaskId>? told, long began)
    {
        LeakGraph? graph = null;
        for (int round = 1; graph is null; round++)
        {
            graph = TryFind(engine, top, isLast: round >= MostRounds);
        }

        List<LeakedTask> leaks = graph.Judge(policy);
        LeakTelling.Tell(engine, leaks, told, isWhole: ReferenceEquals(top, engine.Root));
        FollowUp(engine, top, policy, graph.AwaitedByHeldBack, [.. leaks.Select(static leak => leak.Id)]);
        return new LeakReport(engine.Name, leaks, _examined, _live, engine.Provider.GetElapsedTime(began)) { Collecting = _collecting };
    }

    // In a method of its own: what a round has found must not be held by the stack while the next one collects.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private LeakGraph? TryFind(Engine engine, TaskGroup top, bool isLast)
    {
        int heeding = _heeding.Count;
        int lostEnds = LostEnds.Count;
        List<ManagedTask> leaked = Prove(engine, top);
        HeedOpenersOf(leaked);
        if (_heeding.Count > heeding)
        {
            return null; // as often as there are groups, at most
        }

        List<ManagedTask> waiting = leaked.FindAll(static task => task.State == TaskState.Blocked);
        var graph = new LeakGraph(waiting, engine.Housekeeping);

        // Whom the collection itself has woken (the lost end of a channel tells the other, a finalizer keeps a promise) lives, and so does whoever waits for that.
        bool hasWoken = leaked.Count > 0 && (_hasWoken || waiting.Count < leaked.Count || lostEnds != LostEnds.Count || graph.HasKeptPromises);
        return hasWoken && !isLast ? null : graph;
    }

    // Some were held back until others have ended, whose clean-up may wake them. If it does not, they have leaked still: another search finds out. A stop goes on searching by itself.
    private static void FollowUp(Engine engine, TaskGroup top, LeakPolicy policy, HashSet<ManagedTask> awaited, HashSet<TaskId> told)
    {
        int left = awaited.Count;
        foreach (ManagedTask task in awaited)
        {
            task.Join(
                new CallbackNode(
                    () =>
                    {
                        if (Interlocked.Decrement(ref left) == 0 && !engine.IsStopped)
                        {
                            _ = RunAsync(engine, top, policy, told);
                        }
                    },
                    flowContext: false,
                    captureSynchronization: false),
                armed: 0);
        }
    }

    private List<ManagedTask> Prove(Engine engine, TaskGroup top)
    {
        _suspects.Clear();
        _groups.Clear();
        _kept.Clear(); // of the round before, after which everybody holds on: it would hold those who wait for an end
        _lastKept = null;
        _live = 0;
        _examined = 0;
        try
        {
            _isOver = false;
            _hasWoken = false;
            _collectionsBefore = GC.CollectionCount(GC.MaxGeneration);
            HoldKeeper();
            Suspect(top);
            if (ReferenceEquals(top, engine.Root))
            {
                Suspect(engine.Housekeeping);
            }

            Collect();
        }
        catch
        {
            HoldOn();
            throw;
        }

        return HoldOn();
    }

    // A collection of somebody else between the last look at the keeper and ours brings the keeper back, and until its finalizer has run it hides every sentinel. Then ours has proved nothing.
    private void Collect()
    {
        long began = TimeProvider.System.GetTimestamp();
        int before;
        int collections;
        do
        {
            before = GC.CollectionCount(0);
            LetGoOfKeeper();
            Interlocked.Increment(ref s_asked);
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: false);
            collections = GC.CollectionCount(0);
            WaitForFinalizers();
        }
        while (collections != before + 1);
        _collecting += TimeProvider.System.GetElapsedTime(began);
    }

    // A finalizer of somebody's that never returns must not keep the search, nor all that come after it, nor a stop.
    private static void WaitForFinalizers()
    {
        var waiting = new Thread(GC.WaitForPendingFinalizers) { IsBackground = true, Name = "Moirai: finalizers" };
        waiting.UnsafeStart();
        if (!waiting.Join(FinalizersMayTake))
        {
            throw new TimeoutException(
                $"The finalizers of the process were not done within {FinalizersMayTake.TotalSeconds:0.#} s after a collection: one of them blocks, so nothing can be proved. Look for it at the stack of the finalizer's thread.");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // nothing of the keeper may linger in the stack of who collects
    private void HoldKeeper() => _keeper = new SentinelKeeper(this);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LetGoOfKeeper() => _keeper = null;

    // Parents come before what was opened inside them.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Suspect(TaskGroup top)
    {
        var timed = new HashSet<TaskGroup>(); // where somebody will, or can, cancel whatever waits
        var pages = new List<RosterPage>();
        foreach (TaskGroup group in top.SelfAndInside())
        {
            var probe = new GroupProbe(group);
            _groups.Add(probe);
            group.LetGoOfHeeded(probe.MakeWitness());
            if ((!group.IsShielded || group.IsForOperations) && (group.HasDeadline || _heeding.Contains(group) || (group.Parent is { } parent && timed.Contains(parent)) || group.Opener is { IsTimed: true }))
            {
                timed.Add(group);
            }

            var common = new SuspectGroup(this, group.LetGo());
            pages.Clear();
            group.AddPagesTo(pages);
            bool all = true;
            int before = _examined;
            bool isTimed = timed.Contains(group);
            foreach (RosterPage roster in pages)
            {
                all &= Suspect(roster, common, isTimed);
            }

            if (!all || _examined == before)
            {
                group.Regain(); // somebody here goes on living and will wake whoever waits for it; or nobody is here
            }
        }
    }

    // Whether all who sit there are suspected now.
    private bool Suspect(RosterPage roster, SuspectGroup common, bool isTimed)
    {
        SuspectPage? page = null;
        bool all = true;
        for (int i = 0; i < roster.Size; i++)
        {
            if (roster[i] is not { } task)
            {
                continue;
            }

            _live++;
            bool suspected = !(isTimed && !task.IsCancelRequested) && !task.IsResident && !IsAsleep(task) && TrySuspect(task, page ??= Page(roster), common, onlyIfDeaf: isTimed);
            all &= suspected || task.HasLeft;
            _examined += suspected ? 1 : 0;
        }

        return all;
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // no frame may linger in the stack of who collects
    private static bool TrySuspect(ManagedTask task, SuspectPage page, SuspectGroup common, bool onlyIfDeaf)
    {
        object? seated = task.TrySuspect(page, common, onlyIfDeaf);
        if (seated is not null)
        {
            page.Witness(task.Seat, seated);
        }

        return seated is not null;
    }

    private SuspectPage Page(RosterPage roster)
    {
        var page = new SuspectPage(_keeper!, roster.Size);
        _suspects.Add((roster, page));
        return page;
    }

    // What is linked in the wheel is held by it anyhow; this only spares the work.
    private static bool IsAsleep(ManagedTask task) => task.State != TaskState.Blocked || task.Leaf is { Queue: TimerQueue, IsLinked: true };

    /// <summary>Makes everybody hold on again.</summary>
    /// <returns>The tasks that were proved to be leaked.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private List<ManagedTask> HoldOn()
    {
        List<ManagedTask> leaked = [];
        foreach (GroupProbe probe in _groups)
        {
            if (probe.Group.RegainHeeded() && !probe.IsUnreachable)
            {
                _heeding.Add(probe.Group);
            }
        }

        foreach ((RosterPage roster, SuspectPage page) in _suspects)
        {
            for (int i = 0; i < roster.Size; i++)
            {
                if (roster[i] is not { } task)
                {
                    continue;
                }

                if (!page.IsUnreached((byte)i))
                {
                    task.Restore();
                }
                else if (task.TryTakeProved(page))
                {
                    leaked.Add(task);
                    _hasWoken |= task.State != TaskState.Blocked;
                }
                else
                {
                    _hasWoken |= page.WasWokenLate((byte)i);
                }
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(static pages => pages.ForEach(static page => page.Dispose()), _suspects.ConvertAll(static pair => pair.Page), preferLocal: false); // nobody has to wait for that

        foreach (GroupProbe probe in _groups)
        {
            probe.Group.Regain();
        }

        _isOver = true;
        GC.KeepAlive(_kept);
        return leaked;
    }

    /// <summary>Finds out whether the token that a group heeds can be reached by anybody.</summary>
    private sealed class GroupProbe(TaskGroup group)
    {
        private volatile bool _unreachable;

        internal TaskGroup Group => group;

        internal bool IsUnreachable => _unreachable;

        internal object MakeWitness() => new Witness(this);

        private sealed class Witness(GroupProbe probe)
        {
            ~Witness() => probe._unreachable = true;
        }
    }
}
