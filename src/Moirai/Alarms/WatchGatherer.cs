using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Ground;
using Moirai.Sites;
using Moirai.Stories;

namespace Moirai.Alarms;

/// <summary>Looks at every task of an engine, and says what may be over a limit. Writes nothing, stops nothing; not safe for two threads.</summary>
/// <remarks>
/// Most tasks cost a look at their word and at the frame that waits. Of those that are over their limit, the one of a kind that has been there longest is told with its chain. What began before a look is known only by having been seen at the look before:
/// a step, being ready, a pool without a slot. So these are told with the time since they were first seen. Between looks nothing of the program is held but names.
/// </remarks>
internal sealed class WatchGatherer(Engine engine, AlarmLimits limits)
{
    // Of more ready tasks than these only the number is known.
    private const int MostReadyFollowed = 256;
    private const double LongestWaitTold = 1 << 23; // seconds: a wait that began after the look at the clock comes out as almost 2²⁴

    private readonly Dictionary<TaskId, Seen> _steps = [];
    private readonly Dictionary<TaskId, Seen> _ready = [];
    private readonly List<TaskId> _gone = [];
    private readonly ConditionalWeakTable<TaskGroup, FullSince> _full = [];

    // Of this look only.
    private readonly Dictionary<WaitKey, Oldest> _waiting = [];
    private readonly Dictionary<WaitKey, Oldest> _canceled = [];
    private readonly AwaitChain _chain = new(PlainWalker.Platform);
    private int _round;
    private long _now;
    private long _timersNow;

    internal WatchFacts Look()
    {
        _round++;
        _now = engine.Provider.GetTimestamp();
        _timersNow = engine.Timers.Now;
        var facts = new WatchFacts { Limits = limits, Runtime = engine.Name };
        Walk(facts);
        Tell(_waiting, facts.Waiting);
        Tell(_canceled, facts.Canceled);
        Forget(_steps);
        Forget(_ready);
        TimerGauges timers = engine.Timers.TakeGauges();
        facts.Timers = timers.Depth;
        facts.OldestOverdue = timers.OldestOverdue;
        _chain.Forget();
        return facts;
    }

    private void Walk(WatchFacts facts)
    {
        var todo = new Stack<(TaskGroup Group, TimeSpan? Limit)>();
        todo.Push((engine.Root, limits.Blocked));
        var pages = new Pages<RosterPage>();
        var inside = new List<TaskGroup>();
        while (todo.TryPop(out (TaskGroup Group, TimeSpan? Limit) here))
        {
            pages.Clear();
            inside.Clear();
            here.Group.Look(pages, inside);
            TimeSpan? limit = here.Group.BlockedLimit ?? here.Limit;
            foreach (RosterPage page in pages)
            {
                for (int seat = 0; seat < page.Size; seat++)
                {
                    if (page[seat] is { } task)
                    {
                        Read(task, limit, facts);
                    }
                }
            }

            if (limits.PoolFull is not null && here.Group.PeekSlots() is TaskSlotManager slots)
            {
                ReadPool(here.Group, slots, facts);
            }

            foreach (TaskGroup child in inside)
            {
                todo.Push((child, limit));
            }
        }
    }

    private void Read(ManagedTask task, TimeSpan? groupLimit, WatchFacts facts)
    {
        TaskSight sight = task.Look();
        switch (sight.State)
        {
            case TaskState.Blocked when task.Cell is { ThreadInside: { } thread } cell:
                ReadPlainCode(task, sight, cell, thread, facts);
                break;
            case TaskState.Blocked:
                ReadWait(task, sight, groupLimit);
                break;
            case TaskState.Ready:
                ReadReady(task, sight, facts);
                break;
            case TaskState.Running:
                ReadStep(task, sight, facts);
                break;
            case TaskState.Created:
                break;
            default:
                return; // it has ended, and is about to leave
        }

        if (limits.CancelIgnored is { } patience && task.LookAtCause() is { } cause && cause.Ago(engine.Provider, _now) is var since && since >= patience)
        {
            Add(_canceled, new WaitKey(task.Label, task.Name, patience), task, since);
        }
    }

    private void ReadWait(ManagedTask task, in TaskSight sight, TimeSpan? groupLimit)
    {
        if (task.IsResident || (task.LookAtBlockedLimit() ?? groupLimit) is not { } limit || sight.Leaf is not { } leaf)
        {
            return;
        }

        TimeSpan waited = leaf.WaitedUntil(_timersNow);
        if (waited >= limit && waited.TotalSeconds <= LongestWaitTold && task.IsStill(sight))
        {
            if (task.Cell?.QuietFor(_now) is { } quiet && quiet < waited)
            {
                waited = quiet; // plain code of the task has gone on meanwhile
                if (quiet < limit)
                {
                    return;
                }
            }

            Add(_waiting, new WaitKey(task.Label, task.Name, limit), task, waited);
        }
    }

    private void ReadReady(ManagedTask task, in TaskSight sight, WatchFacts facts)
    {
        ReadyFact before = facts.Ready;
        if (!_ready.ContainsKey(task.Id) && _ready.Count >= MostReadyFollowed)
        {
            facts.Ready = before with { Count = before.Count + 1 };
            return;
        }

        TimeSpan since = Follow(_ready, task.Id, sight.Word, null, out _);
        facts.Ready = before.Count == 0 || since > before.Longest
            ? new ReadyFact(before.Count + 1, task.Id, task.Name, task.SpawnSite, since)
            : before with { Count = before.Count + 1 };
    }

    private void ReadStep(ManagedTask task, in TaskSight sight, WatchFacts facts)
    {
        if (sight.Stepping is not { } context || !ReferenceEquals(context.Task, task))
        {
            return;
        }

        Kept(task, sight, sight.Word, context, facts);
    }

    // Plain code of the task keeps a thread after its first await: the task waits for it, and it for nothing. Every time a thread comes to it is a poll.
    private void ReadPlainCode(ManagedTask task, in TaskSight sight, AccountCell cell, StepContext thread, WatchFacts facts)
    {
        int polls = (int)cell.Polls;
        if (ReferenceEquals(cell.ThreadInside, thread))
        {
            Kept(task, sight, HashCode.Combine(polls, thread), thread, facts);
        }
    }

    private void Kept(ManagedTask task, in TaskSight sight, int step, StepContext context, WatchFacts facts)
    {
        TimeSpan? computed = ThreadProbe.ProcessorTime(context.ThreadId);
        TimeSpan kept = Follow(_steps, task.Id, step, computed, out TimeSpan? before);
        if (kept == TimeSpan.Zero)
        {
            return;
        }

        bool waits = (context.Thread.ThreadState & ThreadState.WaitSleepJoin) != 0;
        _chain.Read(task, sight);
        string? methods = _chain.Frames.Count == 0 ? null : string.Join(" ← ", _chain.Frames.Select(static frame => frame.Method));
        string? site = AwaitChain.SiteOf(_chain.Frames) is { } frame ? frame.Site ?? frame.Method : null;
        if (task.IsStill(sight))
        {
            facts.Steps.Add(new StepFact(task.Id, task.Name, task.SpawnSite, kept, computed - before, waits) { Site = site, Methods = methods });
        }
    }

    private void ReadPool(TaskGroup group, TaskSlotManager slots, WatchFacts facts)
    {
        // In this order: a slot that becomes free after this is seen at the next look.
        int openings = slots.Openings;
        if (slots.InUse < slots.MaxTasks)
        {
            _full.Remove(group);
            return;
        }

        if (!_full.TryGetValue(group, out FullSince? since) || since.Openings != openings)
        {
            _full.AddOrUpdate(group, since = new FullSince(_now, openings)); // it was not full all the time: one slot at the least was free in between
        }

        facts.FullPools.Add(new PoolFact(since, group.Name, slots.MaxTasks, slots.Waiting, engine.Provider.GetElapsedTime(since.At, _now)));
    }

    // How long something has been as it is: zero when it was not so at the look before.
    private TimeSpan Follow(Dictionary<TaskId, Seen> followed, TaskId id, int word, TimeSpan? computed, out TimeSpan? before)
    {
        ref Seen seen = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(followed, id, out bool known);
        if (!known || seen.Word != word)
        {
            seen = new Seen { Word = word, Since = _now, Computed = computed };
        }

        seen.Round = _round;
        before = seen.Computed;
        return engine.Provider.GetElapsedTime(seen.Since, _now);
    }

    private void Forget(Dictionary<TaskId, Seen> followed)
    {
        foreach ((TaskId id, Seen seen) in followed)
        {
            if (seen.Round != _round)
            {
                _gone.Add(id);
            }
        }

        _gone.ForEach(id => followed.Remove(id));
        _gone.Clear();
    }

    private static void Add(Dictionary<WaitKey, Oldest> all, WaitKey key, ManagedTask task, TimeSpan time)
    {
        ref Oldest oldest = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(all, key, out _);
        oldest.Count++;
        if (oldest.Task is null || time > oldest.Time)
        {
            oldest.Task = task;
            oldest.Time = time;
        }
    }

    private void Tell(Dictionary<WaitKey, Oldest> all, List<WaitFact> facts)
    {
        foreach ((WaitKey key, Oldest oldest) in all)
        {
            ManagedTask task = oldest.Task!;
            TaskSight sight = task.Look();
            _chain.Read(task, sight, all: false);
            string? site = AwaitChain.SiteOf(_chain.Frames) is { } frame ? frame.Site ?? frame.Method : null;
            string? waitsFor = sight is { State: TaskState.Blocked, Leaf: { } leaf } ? WaitsFor(leaf) : null;
            bool isStill = task.IsStill(sight);
            facts.Add(new WaitFact(key, key.Name, key.Label.Site, key.Limit, oldest.Count, task.Id, oldest.Time)
            {
                AwaitSite = isStill ? site : null,
                Detail = isStill && waitsFor is not null ? $"it waits for {waitsFor}" : null,
            });
        }

        all.Clear(); // it holds tasks
    }

    private string WaitsFor(Frame leaf)
    {
        var target = WaitTarget.Of(WaitTarget.KeyOf(leaf, _chain, out _), leaf);
        return target.Primitive?.Holder is { } holder ? $"{target.What} held by {holder.Id} '{holder.Name}'" : target.What;
    }

    private readonly record struct WaitKey(TaskLabel Label, string Name, TimeSpan Limit);

    private struct Oldest
    {
        internal ManagedTask? Task;
        internal TimeSpan Time;
        internal long Count;
    }

    private struct Seen
    {
        internal int Word;
        internal long Since;
        internal TimeSpan? Computed;
        internal int Round;
    }

    private sealed class FullSince(long at, int openings)
    {
        internal long At => at;

        internal int Openings => openings;
    }
}
