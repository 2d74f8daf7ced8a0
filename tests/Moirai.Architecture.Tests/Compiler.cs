using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Moirai.Architecture.Tests;

/// <summary>Roslyn, set up as the SDK sets it up for a project of ours.</summary>
internal static class Compiler
{
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private const string JsonContext = "JsonSerializerContext";

    // "Preview", because the compiler package may be older than the language of the build.
    private static readonly CSharpParseOptions Parsing = new(LanguageVersion.Preview, DocumentationMode.None);

    /// <summary>Every assembly that these tests themselves run on, the framework and Moirai among them.</summary>
    public static IReadOnlyList<PortableExecutableReference> References { get; } =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(File.Exists)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    public static SyntaxTree Parse(SourceFile file) => CSharpSyntaxTree.ParseText(file.Text, Parsing, file.Path);

    public static CSharpCompilation Compile(
        string assemblyName,
        IEnumerable<SourceFile> files,
        OutputKind kind = OutputKind.DynamicallyLinkedLibrary,
        string extraUsings = "",
        Func<string, bool>? withoutReference = null) =>
        CSharpCompilation.Create(
            assemblyName,
            [
                .. files.Append(new SourceFile("(implicit usings)", ImplicitUsings + Environment.NewLine + extraUsings)).Select(Parse),
                .. files.Where(static file => file.Text.Contains(JsonContext, StringComparison.Ordinal)).SelectMany(static file => StandInsOf(Parse(file))),
            ],
            References.Where(reference => withoutReference?.Invoke(Path.GetFileNameWithoutExtension(reference.FilePath!)) != true),
            new CSharpCompilationOptions(kind, nullableContextOptions: NullableContextOptions.Enable));

    /// <summary>What would stop a build, as <c>file:line: code message</c>.</summary>
    public static IReadOnlyList<string> ErrorsOf(Compilation compilation) =>
    [
        .. compilation.GetDiagnostics()
            .Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error && !ComesFromGenerators(diagnostic))
            .Select(diagnostic => $"{Where(diagnostic.Location)}: {diagnostic.Id} {diagnostic.GetMessage(null)}"),
    ];

    public static string Where(Location location)
    {
        var span = location.GetLineSpan();
        return $"{span.Path}:{span.StartLinePosition.Line + 1}";
    }

    // No source generator runs here: for a context of System.Text.Json's this is what the rest of the code sees of what its generator would write.
    private static IEnumerable<SyntaxTree> StandInsOf(SyntaxTree tree) =>
        from context in tree.GetRoot().DescendantNodes().OfType<ClassDeclarationSyntax>()
        where context.BaseList?.Types.Any(static type => type.ToString() == JsonContext) == true
        let space = context.Ancestors().OfType<BaseNamespaceDeclarationSyntax>().First().Name
        let usings = string.Join('\n', tree.GetCompilationUnitRoot().Usings)
        let types = context.AttributeLists.SelectMany(static list => list.Attributes).Where(static attribute => attribute.Name.ToString() == "JsonSerializable")
            .Select(static attribute => ((TypeOfExpressionSyntax)attribute.ArgumentList!.Arguments[0].Expression).Type.ToString())
        select Parse(new SourceFile($"(generated for {context.Identifier})", $$"""
            {{usings}}
            namespace {{space}}
            {
                partial class {{context.Identifier}}() : JsonSerializerContext(null)
                {
                    public static {{context.Identifier}} Default => throw null!;
                    protected override JsonSerializerOptions? GeneratedSerializerOptions => null;
                    public override System.Text.Json.Serialization.Metadata.JsonTypeInfo? GetTypeInfo(Type type) => null;
                    {{string.Join('\n', types.Select(static type => $"public System.Text.Json.Serialization.Metadata.JsonTypeInfo<{type}> {type} => throw null!;"))}}
                }
            }
            """));

    // No source generator runs here: a partial member without a body is one that a generator would write.
    private static bool ComesFromGenerators(Diagnostic diagnostic) => diagnostic.Id is "CS8795" or "CS9248";
}
