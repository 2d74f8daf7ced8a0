using System.Globalization;

namespace Moirai.Architecture.Tests.FloorPlans;

/// <summary>One row of the table: a folder of the core, and the folders it may use.</summary>
internal sealed record Room(string Name, int? Floor, IReadOnlyList<string> MayImport);

/// <summary>The table in src/Moirai/README.md, as people read it.</summary>
internal sealed record FloorPlan(IReadOnlyDictionary<string, Room> Rooms, IReadOnlyList<string> Complaints)
{
    /// <summary>The room of the files that lie directly in the project folder.</summary>
    public const string Roof = "(roof)";

    private static readonly string[] Header = ["floor", "room", "owns", "may import"];

    public static FloorPlan Parse(string markdown)
    {
        var rows = markdown.ReplaceLineEndings("\n").Split('\n')
            .Select(CellsOf)
            .SkipWhile(cells => !Header.SequenceEqual(cells, StringComparer.OrdinalIgnoreCase))
            .Skip(2) // the header and the ruler below it
            .TakeWhile(cells => cells.Length > 0)
            .ToList();
        if (rows.Count == 0)
        {
            return new FloorPlan(new Dictionary<string, Room>(), [$"The floor plan has no table with the header | {string.Join(" | ", Header)} |."]);
        }

        var rooms = new Dictionary<string, Room>(StringComparer.Ordinal);
        var complaints = new List<string>();
        foreach (var cells in rows)
        {
            if (cells.Length != Header.Length)
            {
                complaints.Add($"The row '{string.Join(" | ", cells)}' has {cells.Length} cells instead of {Header.Length}.");
            }
            else if (!rooms.TryAdd(cells[1], new Room(cells[1], FloorOf(cells[0]), ImportsOf(cells[3]))))
            {
                complaints.Add($"The room {cells[1]} has two rows.");
            }
        }

        return new FloorPlan(Resolve(rooms), complaints);
    }

    /// <summary>Who may import whom, by name.</summary>
    public IReadOnlyDictionary<string, IReadOnlyCollection<string>> Graph() =>
        Rooms.Values.ToDictionary(room => room.Name, room => (IReadOnlyCollection<string>)room.MayImport, StringComparer.Ordinal);

    private static Dictionary<string, Room> Resolve(Dictionary<string, Room> rooms) =>
        rooms.Values.ToDictionary(
            room => room.Name,
            room => room with { MayImport = room.MayImport is ["all"] ? [.. rooms.Keys.Where(name => name != room.Name && name != Roof)] : room.MayImport },
            StringComparer.Ordinal);

    private static string[] CellsOf(string line)
    {
        var trimmed = line.Trim();
        return trimmed is ['|', _, ..]
            ? [.. trimmed.Trim('|').Split('|').Select(cell => cell.Trim().Trim('`', '*').TrimEnd('/'))]
            : [];
    }

    private static int? FloorOf(string cell) =>
        int.TryParse(cell, NumberStyles.Integer, CultureInfo.InvariantCulture, out var floor) ? floor : null;

    private static string[] ImportsOf(string cell) =>
        cell is "nothing" or ""
            ? []
            : [.. cell.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(name => name.Trim('`', '*').TrimEnd('/'))];
}
