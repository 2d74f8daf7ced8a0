using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Moirai.Architecture.Tests.Snippets;

/// <summary>A code block that a page promises to compile: fenced, with the info string <c>csharp compile</c>.</summary>
/// <param name="Page">The page, relative to the repository.</param>
/// <param name="Line">The line of the fence that opens the block, from 1.</param>
internal sealed record Snippet(string Page, int Line, string Code)
{
    public const string InfoString = "csharp compile";

    private const string FromOpens = "<!-- from ";
    private const string FromCloses = " -->";

    // The declaration makes the using legal even for a reader of an assembly without a public type.
    private const string Prelude = "global using Moirai; namespace Moirai { }";

    /// <summary>The file that the block shows, relative to the repository, if the line above the fence says <c>&lt;!-- from path --&gt;</c>.</summary>
    public string? From { get; private init; }

    public static IReadOnlyList<Snippet> In(string page, string markdown)
    {
        var found = new List<Snippet>();
        var lines = markdown.ReplaceLineEndings("\n").Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var fence = FenceOf(lines[i]);
            if (fence.Length == 0)
            {
                continue;
            }

            var opened = i;
            var block = new List<string>();
            while (++i < lines.Length && !(FenceOf(lines[i]).Length >= fence.Length && lines[i].Trim() == FenceOf(lines[i])))
            {
                block.Add(lines[i]);
            }

            if (lines[opened].Trim()[fence.Length..].Trim() == InfoString)
            {
                found.Add(new Snippet(page, opened + 1, string.Join('\n', block)) { From = opened == 0 ? null : FileIn(lines[opened - 1].Trim()) });
            }
        }

        return found;
    }

    /// <summary>Compiles the block as a program, if it has statements of its own, or else as a library.</summary>
    /// <returns>The errors, with the lines of the page.</returns>
    public IReadOnlyList<string> Compile()
    {
        // Empty lines in front give every error the line that it has on the page.
        var file = new SourceFile(Page, new string('\n', Line) + Code);
        var isProgram = Compiler.Parse(file).GetRoot().ChildNodes().Any(node => node is GlobalStatementSyntax);
        return Compiler.ErrorsOf(Compiler.Compile(
            "Snippet", [file], isProgram ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary, Prelude));
    }

    /// <summary>Compares the block with the file that it says it shows.</summary>
    /// <param name="read">Gives the text of a file of the repository; null when there is none.</param>
    /// <returns>What is wrong; null when nothing is, or the block comes from no file.</returns>
    public string? DifferenceFromFile(Func<string, string?> read)
    {
        if (From is null)
        {
            return null;
        }

        return read(From) is not { } text ? $"{Page}:{Line}: there is no {From}"
            : text.ReplaceLineEndings("\n").Trim() != Code.Trim() ? $"{Page}:{Line}: differs from {From}; copy the file into the page"
            : null;
    }

    private static string? FileIn(string line) =>
        line.StartsWith(FromOpens, StringComparison.Ordinal) && line.EndsWith(FromCloses, StringComparison.Ordinal) ? line[FromOpens.Length..^FromCloses.Length] : null;

    private static string FenceOf(string line)
    {
        var trimmed = line.TrimStart();
        var length = trimmed.Length - trimmed.TrimStart('`').Length;
        return length >= 3 ? trimmed[..length] : "";
    }
}
