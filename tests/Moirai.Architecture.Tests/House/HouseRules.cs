using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Moirai.Architecture.Tests.House;

/// <summary>What no analyzer checks for us. Each rule takes sources and answers with what to mend.</summary>
internal static partial class HouseRules
{
    public const int LongestFile = 400;

    private static readonly string[] WaysToSkip = ["Skip", "SkipWhen", "SkipUnless", "SkipExceptions", "Explicit"];

    /// <summary>A file tells one story; a longer one is split into <c>Type.Part.cs</c>.</summary>
    public static IReadOnlyList<string> FilesTooLong(IEnumerable<SourceFile> files) =>
    [
        .. from file in files
           let lines = file.Text.AsSpan().TrimEnd().Count('\n') + 1
           where lines > LongestFile
           select $"{file.Path} has {lines} lines, more than {LongestFile}",
    ];

    /// <summary>A class that nobody outside can derive from says so, or says that it is meant for deriving.</summary>
    public static IReadOnlyList<string> OpenInternalClasses(IEnumerable<SourceFile> files)
    {
        var compilation = Compiler.Compile("HouseRules", files);
        return
        [
            .. from type in ClassesIn(compilation.Assembly.GlobalNamespace)
               where !type.IsSealed && !type.IsAbstract && !type.IsStatic && !IsVisibleOutside(type)
               select $"{Compiler.Where(type.Locations[0])} {type.Name} is internal and neither sealed, abstract nor static",
        ];
    }

    /// <summary>Its failure ends the process, and nobody can wait for it.</summary>
    public static IReadOnlyList<string> AsyncVoid(IEnumerable<SourceFile> files) => Find(files.Where(static file => file.Text.Contains("async", StringComparison.Ordinal)), node => node switch
    {
        MethodDeclarationSyntax method when IsAsyncVoid(method.Modifiers, method.ReturnType) => $"{method.Identifier} is async void",
        LocalFunctionStatementSyntax local when IsAsyncVoid(local.Modifiers, local.ReturnType) => $"{local.Identifier} is async void",
        _ => null,
    });

    /// <summary>What is missing is an issue, not a comment or an exception.</summary>
    public static IReadOnlyList<string> LeftForLater(IEnumerable<SourceFile> files)
    {
        // A file is taken apart only when it has one of the words at all, wherever.
        var sources = files.Where(static file => Reminder().IsMatch(file.Text) || file.Text.Contains("NotImplementedException", StringComparison.Ordinal)).ToList();
        var comments =
            from file in sources
            let tree = Compiler.Parse(file)
            from trivia in tree.GetRoot().DescendantTrivia()
            where IsComment(trivia)
            from Match word in Reminder().Matches(trivia.ToFullString())
            select $"{file.Path}:{LineOf(tree, trivia.FullSpan.Start + word.Index)} says {word.Value}";
        var exceptions = Find(sources, node =>
            node is IdentifierNameSyntax { Identifier.ValueText: "NotImplementedException" } ? "throws NotImplementedException" : null);
        return [.. comments, .. exceptions];
    }

    /// <summary>A test that does not run protects nothing; the whole suite runs, always.</summary>
    public static IReadOnlyList<string> SkippedTests(IEnumerable<SourceFile> files) => Find(files.Where(static file => WaysToSkip.Any(way => file.Text.Contains(way, StringComparison.Ordinal))), node => node switch
    {
        AttributeArgumentSyntax { NameEquals.Name.Identifier.ValueText: var name } when WaysToSkip.Contains(name) => $"skips a test with {name}",
        MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.ValueText: "Assert" }, Name.Identifier.ValueText: var name }
            when WaysToSkip.Contains(name) => $"skips a test with Assert.{name}",
        _ => null,
    });

    private static List<string> Find(IEnumerable<SourceFile> files, Func<SyntaxNode, string?> judge)
    {
        var found = new List<string>();
        foreach (var tree in files.Select(Compiler.Parse))
        {
            foreach (var node in tree.GetRoot().DescendantNodes())
            {
                if (judge(node) is { } complaint)
                {
                    found.Add($"{Compiler.Where(node.GetLocation())} {complaint}");
                }
            }
        }

        return found;
    }

    private static bool IsAsyncVoid(SyntaxTokenList modifiers, TypeSyntax returnType) =>
        modifiers.Any(SyntaxKind.AsyncKeyword) && returnType is PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.VoidKeyword };

    private static bool IsComment(SyntaxTrivia trivia) => trivia.Kind() is
        SyntaxKind.SingleLineCommentTrivia or SyntaxKind.MultiLineCommentTrivia or
        SyntaxKind.SingleLineDocumentationCommentTrivia or SyntaxKind.MultiLineDocumentationCommentTrivia;

    private static int LineOf(SyntaxTree tree, int position) => tree.GetText().Lines.GetLineFromPosition(position).LineNumber + 1;

    private static IEnumerable<INamedTypeSymbol> ClassesIn(INamespaceOrTypeSymbol container) =>
        container.GetMembers().OfType<INamespaceOrTypeSymbol>().SelectMany(member =>
            member is INamedTypeSymbol { TypeKind: TypeKind.Class, IsImplicitlyDeclared: false } type ? ClassesIn(type).Prepend(type) : ClassesIn(member));

    private static bool IsVisibleOutside(INamedTypeSymbol type) =>
        type.DeclaredAccessibility is Accessibility.Public or Accessibility.Protected or Accessibility.ProtectedOrInternal
        && (type.ContainingType is null || IsVisibleOutside(type.ContainingType));

    [GeneratedRegex(@"\b(TODO|HACK|FIXME)\b")]
    private static partial Regex Reminder();
}
