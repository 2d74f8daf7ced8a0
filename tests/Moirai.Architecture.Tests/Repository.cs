namespace Moirai.Architecture.Tests;

/// <summary>One C# file; its path is relative to the folder it was asked for, with forward slashes.</summary>
internal sealed record SourceFile(string Path, string Text);

/// <summary>The working copy that these tests were built from.</summary>
internal static class Repository
{
    private static readonly string[] Generated = ["bin", "obj", "artifacts"];

    public static string Root { get; } = FindRoot();

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    /// <summary>All C# files below a folder of the repository, in a stable order; none if the folder is missing.</summary>
    public static IReadOnlyList<SourceFile> SourcesBelow(string folder)
    {
        var start = PathOf(folder);
        if (!Directory.Exists(start))
        {
            return [];
        }

        return
        [
            .. Directory.EnumerateFiles(start, "*.cs", SearchOption.AllDirectories)
                .Select(file => (File: file, Relative: Path.GetRelativePath(start, file).Replace('\\', '/')))
                .Where(found => !found.Relative.Split('/').Any(part => Generated.Contains(part)))
                .OrderBy(found => found.Relative, StringComparer.Ordinal)
                .Select(found => new SourceFile(found.Relative, File.ReadAllText(found.File))),
        ];
    }

    /// <summary>The same for several folders; here each path starts with its folder.</summary>
    public static IReadOnlyList<SourceFile> SourcesIn(params ReadOnlySpan<string> folders)
    {
        var all = new List<SourceFile>();
        foreach (var folder in folders)
        {
            all.AddRange(SourcesBelow(folder).Select(file => file with { Path = $"{folder}/{file.Path}" }));
        }

        return all;
    }

    private static string FindRoot()
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        while (here is not null && !File.Exists(Path.Combine(here.FullName, "Moirai.slnx")))
        {
            here = here.Parent;
        }

        return here?.FullName ?? throw new InvalidOperationException("Moirai.slnx was not found above the tests' own folder.");
    }
}
