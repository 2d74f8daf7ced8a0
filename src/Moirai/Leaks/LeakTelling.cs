using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Leaks;

/// <summary>Tells as events what a search has found, and remembers what was left as it is.</summary>
/// <remarks>
/// A leak that is not healed lives on and is found by every search. It is told by each, so that who begins to listen later hears of it, but it is one leak: who counts goes by <see cref="LeakedTask.WasFoundBefore"/>.
/// <para>Used by the one search of the process at a time.</para>
/// </remarks>
internal static class LeakTelling
{
    // The tasks of each engine that were found before and left as they were.
    private static readonly ConditionalWeakTable<Engine, HashSet<TaskId>> s_left = [];

    /// <param name="engine">Whose tasks were searched.</param>
    /// <param name="leaks">What was found.</param>
    /// <param name="told">Those that this search, in several rounds, has told of already; null when it has one.</param>
    /// <param name="isWhole">Whether all tasks of the engine were searched: who is not among the found ones then has ended.</param>
    internal static void Tell(Engine engine, List<LeakedTask> leaks, HashSet<TaskId>? told, bool isWhole)
    {
        HashSet<TaskId> left = s_left.GetOrCreateValue(engine);
        foreach (LeakedTask leak in leaks)
        {
            if (told?.Add(leak.Id) ?? true)
            {
                engine.Publish(new RuntimeEvent(RuntimeEventKind.Leaked, leak.ToString(), leak.Id) { TaskName = leak.Name, SpawnSite = leak.SpawnSite, Subject = leak with { WasFoundBefore = left.Contains(leak.Id) } });
            }
        }

        if (isWhole)
        {
            left.Clear();
        }

        left.UnionWith(leaks.Where(static leak => leak.Remedy is LeakRemedy.None or LeakRemedy.Awaits or LeakRemedy.NotPossible).Select(static leak => leak.Id));
    }
}
