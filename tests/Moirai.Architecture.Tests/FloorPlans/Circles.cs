namespace Moirai.Architecture.Tests.FloorPlans;

internal static class Circles
{
    /// <summary>One circle for every arrow that closes one, written <c>A → B → A</c>.</summary>
    public static IReadOnlyList<string> In(IReadOnlyDictionary<string, IReadOnlyCollection<string>> graph)
    {
        var found = new List<string>();
        var finished = new HashSet<string>(StringComparer.Ordinal);
        foreach (var start in graph.Keys.Order(StringComparer.Ordinal))
        {
            Walk(start, []);
        }

        return found;

        void Walk(string room, List<string> path)
        {
            var seenAt = path.IndexOf(room);
            if (seenAt >= 0)
            {
                found.Add(Print(path[seenAt..]));
                return;
            }

            if (finished.Contains(room))
            {
                return;
            }

            path.Add(room);
            foreach (var next in graph.GetValueOrDefault(room, []).Order(StringComparer.Ordinal))
            {
                Walk(next, path);
            }

            path.RemoveAt(path.Count - 1);
            finished.Add(room);
        }
    }

    // Starts at the first name of the alphabet, so that a circle reads the same from wherever it was entered.
    private static string Print(List<string> circle)
    {
        var first = circle.IndexOf(circle.Min(StringComparer.Ordinal)!);
        return string.Join(" → ", [.. circle[first..], .. circle[..first], circle[first]]);
    }
}
