using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

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
            files.Append(new SourceFile("(implicit usings)", ImplicitUsings + Environment.NewLine + extraUsings)).Select(Parse),
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

    // No source generator runs here: a partial member without a body is one that a generator would write.
    private static bool ComesFromGenerators(Diagnostic diagnostic) => diagnostic.Id is "CS8795" or "CS9248";
}
