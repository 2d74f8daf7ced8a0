namespace Moirai.Architecture.Tests.House;

public sealed class HouseRulesTests
{
    [Fact]
    public void No_file_of_the_libraries_is_too_long() => Verdict.IsClean(HouseRules.FilesTooLong(Repository.SourcesIn("src")));

    [Fact]
    public void Internal_classes_are_sealed_abstract_or_static() =>
        Verdict.IsClean(
        [
            .. Directory.GetDirectories(Repository.PathOf("src"))
                .SelectMany(project => HouseRules.OpenInternalClasses(Repository.SourcesIn($"src/{Path.GetFileName(project)}"))),
        ]);

    [Fact]
    public void Nothing_is_async_void() => Verdict.IsClean(HouseRules.AsyncVoid(Repository.SourcesIn("src", "tools", "samples")));

    [Fact]
    public void Nothing_is_left_for_later() =>
        Verdict.IsClean(HouseRules.LeftForLater(Repository.SourcesIn("src", "tools", "samples", "bench", "tests")));

    [Fact]
    public void No_test_is_skipped() => Verdict.IsClean(HouseRules.SkippedTests(Repository.SourcesIn("tests")));

    [Fact]
    public void A_file_that_is_one_line_too_long_is_caught()
    {
        HouseRules.FilesTooLong(Plant(Lines(HouseRules.LongestFile))).ShouldBeEmpty();
        HouseRules.FilesTooLong(Plant(Lines(HouseRules.LongestFile + 1))).ShouldBe(["Planted.cs has 401 lines, more than 400"]);

        static string Lines(int count) => string.Concat(Enumerable.Repeat("// line\n", count));
    }

    [Theory]
    [InlineData("class Open;", true)]
    [InlineData("internal class Open;", true)]
    [InlineData("internal record Open;", true)]
    [InlineData("public sealed class Outer { class Open; }", true)]
    [InlineData("internal static class Outer { public class Open; }", true)]
    [InlineData("public class Open;", false)]
    [InlineData("public class Outer { protected class Open; }", false)]
    [InlineData("internal sealed class Closed;", false)]
    [InlineData("internal abstract class Base;", false)]
    [InlineData("internal static class Helper;", false)]
    [InlineData("internal sealed partial class Parts; internal partial class Parts;", false)]
    [InlineData("internal struct Value;", false)]
    public void An_open_internal_class_is_caught(string source, bool caught) =>
        HouseRules.OpenInternalClasses(Plant(source)).Any(line => line.StartsWith("Planted.cs:1 Open is internal", StringComparison.Ordinal)).ShouldBe(caught);

    [Theory]
    [InlineData("class C { async void M() { } }", "Planted.cs:1 M is async void")]
    [InlineData("class C { void M() { async void Local() { } } }", "Planted.cs:1 Local is async void")]
    [InlineData("class C {\n public override async void M() { } }", "Planted.cs:2 M is async void")]
    public void An_async_void_is_caught(string source, string complaint) => HouseRules.AsyncVoid(Plant(source)).ShouldBe([complaint]);

    [Theory]
    [InlineData("class C { async Task M() { } void N() { } }")]
    public void An_async_method_that_can_be_awaited_is_fine(string source) => HouseRules.AsyncVoid(Plant(source)).ShouldBeEmpty();

    [Theory]
    [InlineData("class C; // TODO: more", "Planted.cs:1 says TODO")]
    [InlineData("/* first\n a HACK here */ class C;", "Planted.cs:2 says HACK")]
    [InlineData("/// <summary>FIXME</summary>\nclass C;", "Planted.cs:1 says FIXME")]
    [InlineData("class C {\n void M() => throw new NotImplementedException(); }", "Planted.cs:2 throws NotImplementedException")]
    [InlineData("class C { void M() => throw new System.NotImplementedException(); }", "Planted.cs:1 throws NotImplementedException")]
    public void What_is_left_for_later_is_caught(string source, string complaint) => HouseRules.LeftForLater(Plant(source)).ShouldBe([complaint]);

    [Theory]
    [InlineData("class C { [Fact(Skip = \"later\")] void M() { } }", "Planted.cs:1 skips a test with Skip")]
    [InlineData("class C { [Theory(SkipUnless = \"X\")] void M() { } }", "Planted.cs:1 skips a test with SkipUnless")]
    [InlineData("class C { [Fact(Explicit = true)] void M() { } }", "Planted.cs:1 skips a test with Explicit")]
    [InlineData("class C {\n void M() { Assert.SkipWhen(true, \"later\"); } }", "Planted.cs:2 skips a test with Assert.SkipWhen")]
    public void A_skipped_test_is_caught(string source, string complaint) => HouseRules.SkippedTests(Plant(source)).ShouldBe([complaint]);

    [Fact]
    public void Each_rule_looks_at_real_files() => Repository.SourcesIn("tests").ShouldContain(file => file.Path.EndsWith("/HouseRulesTests.cs", StringComparison.Ordinal));

    private static SourceFile[] Plant(string source) => [new SourceFile("Planted.cs", source)];
}
