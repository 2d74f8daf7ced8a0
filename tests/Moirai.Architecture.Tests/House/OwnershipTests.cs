using System.Text.RegularExpressions;

namespace Moirai.Architecture.Tests.House;

/// <summary>docs/ownership.md promises a test for each arrow of its drawing.</summary>
public sealed partial class OwnershipTests
{
    [Fact]
    public void B7_every_arrow_of_the_drawing_has_a_row_and_every_row_names_tests_that_exist() => Verdict.IsClean(Unproven(
        File.ReadAllText(Repository.PathOf("docs/ownership.md")),
        string.Join('\n', Repository.SourcesIn("tests").Select(static file => file.Text))));

    [Theory]
    [InlineData("    a ──1─► b\n| 1 | a → b | ever | `T_x` |", "void T_x()", 0)]
    [InlineData("    a ──1─► b ══2═► c\n| 1, 2 | a → b | ever | `T_x` |", "Task T_x(int how)", 0)]
    [InlineData("    a ──1─► b ┄┄2┄► c\n| 1 | a → b | ever | `T_x` |", "void T_x()", 1)]
    [InlineData("    a ──1─► b\n| 1 | a → b | ever | `T_y` |", "void T_x()", 1)]
    [InlineData("    a ──1─► b\n| 1 | a → b | ever | |", "void T_x()", 1)]
    [InlineData("    a ──1─► b\n| 1 | a → b | ever | `T_x` |\n| 2 | b → c | ever | `T_x` |", "void T_x()", 1)]
    public void B7_an_arrow_without_its_test_is_caught(string docs, string tests, int complaints) => Unproven(docs, tests).Count.ShouldBe(complaints);

    private static List<string> Unproven(string docs, string tests)
    {
        List<string> complaints = [];
        HashSet<string> drawn = [.. Drawing().Matches(docs).SelectMany(static line => Number().Matches(line.Value)).Select(static number => number.Value)];
        HashSet<string> told = [];
        foreach (Match row in Row().Matches(docs))
        {
            told.UnionWith(row.Groups["numbers"].Value.Split(',', StringSplitOptions.TrimEntries));
            string[] names = [.. Name().Matches(row.Groups["tests"].Value).Select(static name => name.Groups[1].Value)];
            complaints.AddRange(names.Where(name => !Regex.IsMatch(tests, $@"\b{name}\(")).Select(name => $"row {row.Groups["numbers"].Value} names {name}, and there is no such test"));
            if (names.Length == 0)
            {
                complaints.Add($"row {row.Groups["numbers"].Value} names no test");
            }
        }

        complaints.AddRange(drawn.Except(told).Select(static number => $"arrow {number} has no row"));
        complaints.AddRange(told.Except(drawn).Select(static number => $"row {number} has no arrow"));
        return complaints;
    }

    [GeneratedRegex(@"^    \S.*$|^     +.*[║│▼▲►◄].*$", RegexOptions.Multiline)]
    private static partial Regex Drawing();

    [GeneratedRegex(@"(?<=[─═┄# ║│])\d+(?=[─═┄# ║│])")]
    private static partial Regex Number();

    [GeneratedRegex(@"^\| (?<numbers>[\d, ]+) \|.*\| (?<tests>[^|]*)\|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Name();
}
