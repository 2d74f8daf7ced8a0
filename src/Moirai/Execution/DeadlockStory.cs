using System.Text;

namespace Moirai.Execution;

/// <summary>Tells of a ring of tasks that wait for each other.</summary>
internal static class DeadlockStory
{
    private const int MostFrames = 4;

    internal static DeadlockException Of(List<WaitEdge> ring)
    {
        var edges = new DeadlockEdge[ring.Count];
        for (int i = 0; i < edges.Length; i++)
        {
            WaitEdge edge = ring[i];
            ManagedTask next = ring[(i + 1) % edges.Length].Task;
            edges[i] = new DeadlockEdge(edge.Task.Id, edge.Task.Name, edge.Queue.WaitedFor, SiteOf(edge.Leaf), next.Id, next.Name, edge.Queue.AcquiredAt(next));
        }

        return new DeadlockException(Message(ring, edges), edges[0].Task, Array.AsReadOnly(edges));
    }

    private static string Message(List<WaitEdge> ring, DeadlockEdge[] edges)
    {
        var text = new StringBuilder();
        text.Append(edges[0].Task).Append(" '").Append(edges[0].TaskName).Append("' would wait for ever: ")
            .Append(edges.Length == 1 ? "it waits for itself." : $"{edges.Length} tasks wait for each other in a ring.");
        for (int i = 0; i < edges.Length; i++)
        {
            DeadlockEdge edge = edges[i];
            int before = (i + edges.Length - 1) % edges.Length;
            text.AppendLine().Append("  ").Append(edge.Task).Append(" '").Append(edge.TaskName).Append("' ").Append(Has(ring[before], edges[before]))
                .Append(" and waits in ").Append(edge.WaitSite).Append(" for ").Append(edge.WaitsFor);
            if (ring[i].Queue is not ManagedTask)
            {
                text.Append(ring[i].Queue is TaskGroup ? ", in which lives " : ", held by ").Append(edge.HeldBy).Append(" '").Append(edge.HeldByName).Append('\'');
            }
        }

        return text.AppendLine().Append(Array.TrueForAll(edges, edge => edge.AcquiredAt is not null) || ring.TrueForAll(static edge => edge.Queue is not (ManagedTask or TaskGroup))
            ? "Take these in the same order everywhere, or hold only one of them across an await."
            : "Give back what others may want before you wait for their end, and wait for nobody who waits for you.").ToString();
    }

    // What makes the one before wait.
    private static string Has(in WaitEdge waits, DeadlockEdge edge) => waits.Queue switch
    {
        ManagedTask => $"is awaited by {edge.Task} '{edge.TaskName}'",
        TaskGroup => $"lives in a scope whose end {edge.Task} '{edge.TaskName}' awaits",
        _ => $"holds {edge.WaitsFor}{(edge.AcquiredAt is { } site ? $" (taken at {site})" : string.Empty)}",
    };

    // The frames of who waits are at rest; of one that was resumed meanwhile they may tell where it is now.
    private static string SiteOf(Frame leaf)
    {
        var text = new StringBuilder(leaf.Place);
        Frame? caller = leaf.Caller;
        for (int i = 1; i < MostFrames && caller is not null; i++, caller = caller.Caller)
        {
            text.Append(" < ").Append(caller.Place);
        }

        return text.ToString();
    }
}
