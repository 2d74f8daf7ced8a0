using System.Text.RegularExpressions;

namespace Moirai.Architecture.Tests.House;

/// <summary>What the documents point at is there, and their pictures are few and small.</summary>
public sealed partial class DocumentTests
{
    private const int LargestPicture = 200_000;

    [Fact]
    public void Every_link_and_every_project_that_a_document_names_is_there() =>
        Verdict.IsClean([.. Documents().SelectMany(static document => Broken(document.Path, document.Text, static path => File.Exists(path) || Directory.Exists(path)))]);

    [Fact]
    public void Pictures_are_small_and_none_is_left_over() => Verdict.IsClean(Pictures(
        [.. new DirectoryInfo(Repository.PathOf("docs/images")).GetFiles().Select(static file => (file.Name, file.Length))],
        string.Concat(Documents().Select(static document => document.Text))));

    [Theory]
    [InlineData("[a page](there.md)", 0)]
    [InlineData("[a page](there.md#a-part), [elsewhere](https://example.org/), [here](#below)", 0)]
    [InlineData("[a page](gone.md)", 1)]
    [InlineData("![a picture](images/gone.png)", 1)]
    [InlineData("    dotnet run -c Release --project gone -- --chaos", 1)]
    public void What_is_not_there_is_caught(string text, int complaints) =>
        Broken(Repository.PathOf("planted.md"), text, static path => path.EndsWith("there.md", StringComparison.Ordinal)).Count.ShouldBe(complaints);

    [Fact]
    public void A_picture_that_is_large_or_left_over_is_caught() =>
        Pictures([("small.png", 199_999), ("large.png", 200_001), ("unused.png", 1)], "![a](images/small.png) ![b](images/large.png)").Count.ShouldBe(2);

    private static List<string> Broken(string document, string text, Func<string, bool> exists) =>
    [
        .. Link().Matches(text).Select(static match => match.Groups[1].Value)
            .Where(static link => !link.Contains("://", StringComparison.Ordinal) && !link.StartsWith('#'))
            .Select(link => Path.Combine(Path.GetDirectoryName(document)!, link.Split('#')[0]))
            .Concat(Project().Matches(text).Select(static match => Repository.PathOf(match.Groups[1].Value)))
            .Where(path => !exists(path))
            .Select(path => $"{Path.GetRelativePath(Repository.Root, document)} points at {Path.GetRelativePath(Repository.Root, path)}, which is not there"),
    ];

    private static List<string> Pictures(IEnumerable<(string Name, long Length)> files, string documents) =>
    [
        .. from file in files
           let isUsed = documents.Contains($"images/{file.Name}", StringComparison.Ordinal)
           where file.Length > LargestPicture || !isUsed
           select isUsed ? $"docs/images/{file.Name} has {file.Length} bytes, more than {LargestPicture}" : $"docs/images/{file.Name} is in no document",
    ];

    private static IEnumerable<(string Path, string Text)> Documents() => Directory.GetFiles(Repository.Root, "*.md")
        .Concat(Directory.GetFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories))
        .Select(static path => (path, File.ReadAllText(path)));

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"--project ([\w./]+)")]
    private static partial Regex Project();
}
