namespace Moirai.Architecture.Tests.FloorPlans;

/// <summary>Compares the floor plan with what the sources do.</summary>
internal static class FloorPlanInspection
{
    public static IReadOnlyList<string> Run(string markdown, IReadOnlyList<SourceFile> files)
    {
        var plan = FloorPlan.Parse(markdown);
        var compilation = Compiler.Compile("Moirai", files, withoutReference: IsOurOwn);
        var finder = new ArrowFinder(compilation);
        var arrows = finder.Find();
        return
        [
            .. plan.Complaints,
            .. ComplaintsAboutRows(plan, files),
            .. Circles.In(plan.Graph()).Select(circle => $"The floor plan allows a circle: {circle}."),
            .. finder.Complaints,
            .. arrows.Where(arrow => !IsAllowed(plan, arrow)).Select(Describe).Distinct(),
            .. Circles.In(GraphOf(arrows)).Select(circle => $"The code goes in a circle: {circle}."),
            .. Compiler.ErrorsOf(compilation).Select(error => $"The core was not understood, so arrows may be missing: {error}").Take(10),
        ];
    }

    private static IEnumerable<string> ComplaintsAboutRows(FloorPlan plan, IReadOnlyList<SourceFile> files)
    {
        var folders = files.Select(file => ArrowFinder.RoomOf(file.Path)).ToHashSet(StringComparer.Ordinal);
        foreach (var folder in folders.Where(folder => !plan.Rooms.ContainsKey(folder)))
        {
            yield return $"The folder {folder} has no row in the floor plan.";
        }

        foreach (var room in plan.Rooms.Values)
        {
            if (room.Name != FloorPlan.Roof && !folders.Contains(room.Name))
            {
                yield return $"The row {room.Name} has no folder with sources.";
            }

            foreach (var import in room.MayImport)
            {
                if (!plan.Rooms.TryGetValue(import, out var imported))
                {
                    yield return $"The row {room.Name} imports {import}, which has no row.";
                }
                else if (imported.Floor >= room.Floor)
                {
                    yield return $"The row {room.Name} (floor {room.Floor}) imports {import} (floor {imported.Floor}): arrows point down.";
                }
            }
        }
    }

    private static bool IsAllowed(FloorPlan plan, Arrow arrow) =>
        plan.Rooms.TryGetValue(arrow.From, out var room) && room.MayImport.Contains(arrow.To);

    private static string Describe(Arrow arrow) =>
        $"{arrow.File}:{arrow.Line} uses {arrow.Type} ({arrow.To}), which the floor plan does not allow";

    private static Dictionary<string, IReadOnlyCollection<string>> GraphOf(IEnumerable<Arrow> arrows) =>
        arrows.GroupBy(arrow => arrow.From, StringComparer.Ordinal).ToDictionary(
            group => group.Key,
            group => (IReadOnlyCollection<string>)group.Select(arrow => arrow.To).ToHashSet(StringComparer.Ordinal),
            StringComparer.Ordinal);

    private static bool IsOurOwn(string assembly) => assembly == "Moirai" || assembly.StartsWith("Moirai.", StringComparison.Ordinal);
}
