using Moirai.Execution;
using Moirai.Ground;

namespace Moirai.Diagnostics;

/// <summary>Finds live tasks by their ids. No table is kept for it: who asks pays.</summary>
internal static class TaskFinder
{
    internal static IReadOnlyList<ManagedTask> Find(Engine engine, HashSet<TaskId> ids)
    {
        List<ManagedTask> found = [];
        var todo = new Stack<TaskGroup>();
        todo.Push(engine.Root);
        var pages = new Pages<RosterPage>();
        var inside = new List<TaskGroup>();
        while (found.Count < ids.Count && todo.TryPop(out TaskGroup? group))
        {
            pages.Clear();
            inside.Clear();
            group.Look(pages, inside);
            inside.ForEach(todo.Push);
            foreach (RosterPage page in pages)
            {
                for (int seat = 0; seat < page.Size; seat++)
                {
                    if (page[seat] is { IsEnded: false } task && ids.Contains(task.Id))
                    {
                        found.Add(task);
                    }
                }
            }
        }

        return found;
    }
}
