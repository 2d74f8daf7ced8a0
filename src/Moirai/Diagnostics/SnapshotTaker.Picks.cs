using Moirai.Execution;
using Moirai.Ground;
using Moirai.Sites;

namespace Moirai.Diagnostics;

/// <content>Snapshots for a screen that is drawn ten times a second: all tasks are counted, and only those at the top are read.</content>
internal sealed partial class SnapshotTaker
{
    // Null for a snapshot of everything. Written once, before the walk.
    private TaskPicks? _picks;

    /// <summary>Takes a snapshot whose tasks are those that have been busiest lately and those that have waited longest. Scopes and counts are whole; there are no groups.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="options">What is wanted.</param>
    /// <param name="picks">Which tasks, and what is remembered of them until the next time.</param>
    internal static RuntimeSnapshot Pick(Engine engine, SnapshotOptions options, TaskPicks picks)
    {
        long began = engine.Provider.GetTimestamp();
        DateTimeOffset at = engine.Provider.GetUtcNow();
        var census = Census.Of(engine);
        var taker = new SnapshotTaker(engine, options, PlainWalker.Platform) { _picks = picks };
        picks.Begin(census.Live);
        taker.Walk();
        foreach ((ManagedTask task, int? scope) in picks.End())
        {
            if (taker.TryRead(task, out SeenTask seen))
            {
                taker.Tell(task, seen, scope);
            }
        }

        return taker.ToSnapshot(census, at) with { Duration = engine.Provider.GetElapsedTime(began) };
    }

    // A look at the word and at the frame that waits; no chain, nothing is kept but of those at the top.
    private StateCounts OfferTasks(Pages<RosterPage> pages, int? scope)
    {
        var tally = default(StateTally);
        foreach (RosterPage page in pages)
        {
            for (int seat = 0; seat < page.Size; seat++)
            {
                if (page[seat] is not { } task)
                {
                    continue;
                }

                TaskSight sight = task.Look();
                if (tally.Add(sight.State))
                {
                    _picks!.Offer(task, scope, sight is { State: TaskState.Blocked, Leaf: { } leaf } ? Waited(task, leaf) : null);
                }
            }
        }

        return tally.Counts;
    }
}
