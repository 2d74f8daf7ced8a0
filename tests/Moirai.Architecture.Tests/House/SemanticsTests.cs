using System.Text.RegularExpressions;

namespace Moirai.Architecture.Tests.House;

/// <summary>docs/semantics promises that a line which it calls tested has a test that carries the line's number.</summary>
public sealed partial class SemanticsTests
{
    [Fact]
    public void Every_line_that_is_said_to_be_tested_has_a_test_that_carries_its_number() => Verdict.IsClean(Unproven(
        string.Join('\n', Directory.GetFiles(Repository.PathOf("docs/semantics"), "*.md").Select(File.ReadAllText)),
        string.Join('\n', Repository.SourcesIn("tests").Select(static file => file.Text))));

    [Theory]
    [InlineData("| S001 | Tested. |", "void S001_it_does()", 0)]
    [InlineData("| S001 | tested: `SomeTests` |", "void C1_S001_it_does()", 0)]
    [InlineData("| S001 | tested: `SomeTests` |", "void S0011_it_does()", 1)]
    [InlineData("| S001 | tested: `SomeTests` |\n| S003 | Tested. |", "void S003_it_does() // S001", 1)]
    [InlineData("| S001 | Not yet: S001 is for later. |", "", 0)]
    public void A_line_without_its_test_is_caught(string docs, string tests, int complaints) => Unproven(docs, tests).Count.ShouldBe(complaints);

    private static List<string> Unproven(string docs, string tests)
    {
        HashSet<string> carried = [.. CarriedNumber().Matches(tests).Select(static match => match.Value)];
        return
        [
            .. TestedLine().Matches(docs)
                .Select(static match => match.Groups[1].Value)
                .Where(number => !carried.Contains(number))
                .Select(static number => $"docs/semantics calls {number} tested, and no test carries that number"),
        ];
    }

    [GeneratedRegex(@"^\| (S\d{3}) \| tested\b", RegexOptions.Multiline | RegexOptions.IgnoreCase)]
    private static partial Regex TestedLine();

    [GeneratedRegex(@"S\d{3}(?=_)")]
    private static partial Regex CarriedNumber();
}
