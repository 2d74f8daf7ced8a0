namespace Moirai.Tool.Views;

/// <summary>The tree of scopes and pools as text.</summary>
internal static class TreeText
{
    private const int MostGroups = 8;

    public static void Write(RuntimeSnapshot snapshot, TextWriter to, int width)
    {
        var inside = snapshot.Scopes.Where(static scope => scope.Parent is not null).ToLookup(static scope => scope.Parent!.Value);
        var tasks = snapshot.Tasks.Where(static task => task.Scope is not null).ToLookup(static task => task.Scope!.Value);

        // With a stack of its own: scopes may be nested deeper than a thread's stack reaches.
        var todo = new Stack<Node>();
        if (snapshot.Scopes.Count > 0)
        {
            // Of the others it is told how many live in them, and not further inside; of the whole how many there are.
            todo.Push(new Node($"{ScopeWords.Name(snapshot.Scopes[0])}  {Words.Count(snapshot.States.Live)} live in all", snapshot.Scopes[0], string.Empty, string.Empty));
        }

        while (todo.TryPop(out Node? node))
        {
            to.WriteLine(Words.Fit($"{node.Before}{node.Line}", width));
            if (node.Scope is not { } scope)
            {
                continue;
            }

            List<Node> children = [.. Groups(scope, [.. tasks[scope.Index]]).Select(line => new Node(line, null, string.Empty, string.Empty))];
            children.AddRange(inside[scope.Index].Select(static child => new Node(ScopeWords.Of(child), child, string.Empty, string.Empty)));
            for (int i = children.Count - 1; i >= 0; i--)
            {
                bool isLast = i == children.Count - 1;
                todo.Push(children[i] with { Before = $"{node.Below}{(isLast ? "└─ " : "├─ ")}", Below = $"{node.Below}{(isLast ? "   " : "│  ")}" });
            }
        }

        if (snapshot.ScopesNotListed > 0)
        {
            to.WriteLine($"… and {Words.Some(snapshot.ScopesNotListed, "more scope")}");
        }
    }

    // Tasks that do the same in a line, the most first.
    private static IEnumerable<string> Groups(ScopeSnapshot scope, List<TaskSnapshot> tasks)
    {
        var groups = tasks.GroupBy(static task => (task.Name, task.State, task.AwaitSite, task.Wait?.What)).OrderByDescending(static group => group.Count()).ToList();
        int told = 0;
        foreach (var group in groups.Take(MostGroups))
        {
            int count = group.Count();
            told += count;
            TaskSnapshot oldest = group.MaxBy(static task => task.Waited ?? TimeSpan.Zero)!;
            yield return $"{(count == 1 ? $"{oldest.Id}" : $"× {Words.Count(count)}")} '{oldest.Name}' {oldest.State.ToString().ToLowerInvariant()}"
                + (oldest.AwaitSite is { } site ? $" at {site}" : string.Empty)
                + (oldest.Wait is { } wait ? $" on {wait}" : string.Empty)
                + (oldest.Waited is { TotalSeconds: >= 1 } waited ? $", {(count == 1 ? "for" : "up to")} {Words.Time(waited)}" : string.Empty)
                + (count == 1 && oldest.Holds.Count > 0 && !oldest.Holds[0].StartsWith("a slot", StringComparison.Ordinal) ? $"; holds {string.Join(", ", oldest.Holds)}" : string.Empty);
        }

        long rest = Math.Max(scope.States.Live, tasks.Count) - told;
        if (rest > 0)
        {
            yield return $"… and {Words.Some(rest, "more task")}";
        }
    }

    private sealed record Node(string Line, ScopeSnapshot? Scope, string Before, string Below);
}
