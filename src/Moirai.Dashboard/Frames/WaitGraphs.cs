using System.Globalization;

namespace Moirai.Dashboard.Frames;

/// <summary>Who waits for whom, from a snapshot: tasks that wait alike are one node, and rings are found.</summary>
internal static class WaitGraphs
{
    internal const int MostNodes = 36;

    internal static WaitGraph Of(RuntimeSnapshot snapshot, IReadOnlyList<FoundDeadlock> deadlocks)
    {
        var draft = new Draft();
        foreach (FoundDeadlock found in deadlocks.Where(static found => found.Stands))
        {
            foreach (DeadlockEdge edge in found.Cycle)
            {
                draft.AddTask(edge.Task, edge.TaskName);
                draft.AddTask(edge.HeldBy, edge.HeldByName);
                draft.AddEdge(IdOf(edge.Task), IdOf(edge.HeldBy), edge.WaitsFor);
            }
        }

        foreach (GroupSnapshot group in snapshot.Groups.Where(static group => group.Wait is not null))
        {
            Add(draft, group, group.Wait!);
        }

        // Of groups one id is known. Those that are listed one by one tell who holds what somebody waits for, and waits himself.
        foreach (TaskSnapshot task in snapshot.Tasks.Where(task => task.Wait is not null && draft.IsIn(IdOf(task.Id))))
        {
            if ((task.Wait!.Holder ?? task.Wait.Task) is { } next && !draft.Waits(IdOf(task.Id)))
            {
                draft.AddTask(next, task.Wait.HolderName ?? NameOf(snapshot, next));
                draft.AddEdge(IdOf(task.Id), IdOf(next), task.Wait.What);
            }
        }

        return draft.ToGraph();
    }

    private static void Add(Draft draft, GroupSnapshot group, WaitSnapshot wait)
    {
        string name = group.Name ?? "of various names";
        string from = group.Count == 1 ? IdOf(group.Oldest) : draft.NewGroup(group);
        if ((wait.Holder ?? wait.Task) is { } holder)
        {
            string to = IdOf(holder);
            draft.AddWaiter(from, name, group);
            draft.AddTask(holder, wait.HolderName ?? NameIn(wait.What));
            draft.AddEdge(from, to, wait.What);
        }
        else if (wait.Kind is WaitKind.Primitive or WaitKind.Slot or WaitKind.Scope or WaitKind.Task)
        {
            draft.AddWaiter(from, name, group);
            draft.AddThing(wait.What);
            draft.AddEdge(from, wait.What, wait.What);
        }
    }

    private static string IdOf(TaskId id) => id.ToString();

    private static string? NameOf(RuntimeSnapshot snapshot, TaskId id) => snapshot.Tasks.FirstOrDefault(task => task.Id == id)?.Name;

    // "the end of #17 'reconcile'"
    private static string? NameIn(string what)
    {
        int from = what.IndexOf('\'', StringComparison.Ordinal);
        int to = what.LastIndexOf('\'');
        return from >= 0 && to > from ? what[(from + 1)..to] : null;
    }

    private sealed class Draft
    {
        private readonly Dictionary<string, WaitNode> _nodes = [];
        private readonly Dictionary<string, (string To, string What)> _edges = [];
        private int _groups;

        internal bool IsIn(string node) => _nodes.ContainsKey(node);

        internal bool Waits(string node) => _edges.ContainsKey(node);

        internal string NewGroup(GroupSnapshot group) => string.Create(CultureInfo.InvariantCulture, $"g{_groups++}-{group.Oldest.Value}");

        internal void AddTask(TaskId id, string? name)
        {
            string node = IdOf(id);
            if (!_nodes.TryGetValue(node, out WaitNode? known) || (known.Label.Length == 0 && name is not null))
            {
                _nodes[node] = new WaitNode(node, name ?? string.Empty, 1, InRing: false) { Task = id };
            }
        }

        internal void AddWaiter(string node, string name, GroupSnapshot group) => _nodes[node] = new WaitNode(node, name, group.Count, InRing: false) { Task = group.Oldest };

        internal void AddThing(string what) => _nodes.TryAdd(what, new WaitNode(what, what, 0, InRing: false));

        // Each waits for one thing at a time. What the deadlock's story says comes first.
        internal void AddEdge(string from, string to, string what) => _edges.TryAdd(from, (to, what));

        internal WaitGraph ToGraph()
        {
            HashSet<string> ring = Rings();
            var waiting = _edges.GroupBy(static edge => edge.Value.To).ToDictionary(static to => to.Key, to => to.Sum(edge => _nodes[edge.Key].Count));

            // What is waited for by many, with those who wait for it; rings before all.
            List<string> order = [.. _nodes.Keys.OrderByDescending(ring.Contains).ThenByDescending(node => Math.Max(waiting.GetValueOrDefault(node), _edges.TryGetValue(node, out (string To, string) edge) ? waiting[edge.To] : 0))];
            HashSet<string> shown = [.. order.Take(MostNodes)];
            return new WaitGraph(
                [.. order.Take(MostNodes).Select(node => _nodes[node] with { InRing = ring.Contains(node) })],
                [.. _edges.Where(edge => shown.Contains(edge.Key) && shown.Contains(edge.Value.To)).Select(edge =>
                    new WaitEdge(edge.Key, edge.Value.To, edge.Value.What, ring.Contains(edge.Key) && ring.Contains(edge.Value.To)))],
                Math.Max(0, order.Count - MostNodes));
        }

        // Each has at most one way on, so a walk that comes back to its own steps has found a ring.
        private HashSet<string> Rings()
        {
            var ring = new HashSet<string>();
            var seen = new HashSet<string>();
            foreach (string start in _edges.Keys)
            {
                List<string> path = [];
                string? node = start;
                while (node is not null && seen.Add(node))
                {
                    path.Add(node);
                    node = _edges.TryGetValue(node, out (string To, string) edge) ? edge.To : null;
                }

                if (node is not null && path.IndexOf(node) is >= 0 and int from)
                {
                    ring.UnionWith(path.Skip(from));
                }
            }

            return ring;
        }
    }
}
