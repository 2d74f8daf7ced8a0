using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;

namespace Moirai.Programs.Tests;

/// <summary>Issue 5, part 2: lines in Release builds, whether the symbols lie beside the assembly or in it; without them, methods. Each a library that is compiled here as a user's would be.</summary>
public sealed class SymbolTests
{
    private const string Source = """
        using System.Threading.Tasks;
        using Moirai;

        public static class Shop
        {
            public static async Future OrderAsync(Task end)
            {
                await ReserveAsync(end);
            }

            private static async Task ReserveAsync(Task end)
            {
                await Task.CompletedTask.ConfigureAwait(false);
                await end.ConfigureAwait(false);
            }
        }
        """;

    [Theory]
    [InlineData("beside", true)]
    [InlineData("embedded", true)]
    [InlineData("none", false)]
    [InlineData("lost", false)]
    [InlineData("of another build", false)]
    [InlineData("garbage", false)]
    public async Task Awaits_are_told_with_their_lines_where_there_are_symbols_that_fit_and_else_with_their_methods(string symbols, bool lines)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("moirai-symbols");
        try
        {
            MethodInfo order = Compile(folder.FullName, symbols).GetType("Shop")!.GetMethod("OrderAsync")!;
            await using var runtime = new TaskRuntime(new() { Name = "shop" });
            var end = new TaskCompletionSource();
            ManagedTask task = runtime.SpawnDetached(order.CreateDelegate<Func<Task, Future>>()(end.Task), name: "order");
            await Stage.IsAsync(() => task.State == TaskState.Blocked, "a task that waits");

            RuntimeSnapshot snapshot = runtime.TakeSnapshot();
            end.SetResult();
            await Stage.EndsAsync(task.AsTask());

            TaskSnapshot told = snapshot.Tasks.ShouldHaveSingleItem();
            told.Chain.Where(static frame => !frame.IsInfrastructure).Select(static frame => (frame.Type, frame.Method, frame.Site)).ShouldBe(
            [
                ("Shop", "ReserveAsync", lines ? "Shop.cs:14" : null),
                ("Shop", "OrderAsync", lines ? "Shop.cs:8" : null),
            ]);
            told.AwaitSite.ShouldBe(lines ? "Shop.cs:14" : "Shop.ReserveAsync");
            snapshot.Notes.Count.ShouldBe(lines ? 0 : 1);
            if (!lines)
            {
                snapshot.Notes[0].ShouldContain("No lines for Shop ");
            }
        }
        finally
        {
            folder.Delete(recursive: true); // what was read was closed at once
        }
    }

    private static Assembly Compile(string folder, string symbols)
    {
        string path = Path.Combine(folder, "Shop.dll");
        string beside = Path.Combine(folder, "Shop.pdb");
        var compilation = CSharpCompilation.Create(
            $"Shop {symbols}",
            [CSharpSyntaxTree.ParseText(Source, path: "/home/somebody/src/Shop.cs", encoding: System.Text.Encoding.UTF8)],
            ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Where(File.Exists).Select(static path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release));
        DebugInformationFormat format = symbols == "embedded" ? DebugInformationFormat.Embedded : DebugInformationFormat.PortablePdb;
        bool separate = symbols is not ("embedded" or "none");
        using (FileStream assembly = File.Create(path))
        using (FileStream? pdb = separate ? File.Create(beside) : null)
        {
            compilation.Emit(assembly, pdb, options: new EmitOptions(debugInformationFormat: format, pdbFilePath: beside)).Diagnostics.Where(static one => one.Severity == DiagnosticSeverity.Error).ShouldBeEmpty();
        }

        switch (symbols)
        {
            case "lost":
                File.Delete(beside);
                break;
            case "of another build":
                File.Copy(Path.ChangeExtension(typeof(SymbolTests).Assembly.Location, ".pdb"), beside, overwrite: true);
                break;
            case "garbage":
                File.WriteAllBytes(beside, [.. Enumerable.Repeat((byte)0x5A, 4_096)]);
                break;
        }

        return Assembly.LoadFrom(path);
    }
}
