using System.Reflection.PortableExecutable;
using System.Text.Json;
using Moirai.Tests.Tools;

namespace Moirai.Tests.Wakers;

/// <summary>The identity of wakers in programs as users build and run them: a program of its own, compiled in every way there is.</summary>
public sealed class CompiledWaysTests
{
    /// <summary>A build on a busy machine takes its time; one that hangs fails its test rather than the whole run.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private const string Profiles = "DOTNET_TieredPGO";

    private static readonly string Artifacts = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", ".."));
    private static readonly string Managed = ProgramOf("bin", "Moirai.WakerProbe", "release") + ".dll";
    private static readonly string Ahead = ProgramOf("publish", "Moirai.WakerProbe", "release") + ".dll";
    private static readonly string Debug = ProgramOf("bin", "Moirai.WakerProbe", "debug") + ".dll";
    private static readonly string Native = ProgramOf("publish", "Moirai.NativeProbe", "release");

    private static readonly Lazy<Task<ProgramEnd>> BuiltForRelease = new(() => BuildAsync("publish", "Moirai.WakerProbe", "Release"));

    [Theory]
    [InlineData("")]
    [InlineData("DOTNET_TieredCompilation=0")]
    [InlineData("DOTNET_TieredPGO=0")]
    [InlineData("DOTNET_TC_QuickJitForLoops=0")]
    [InlineData("DOTNET_ReadyToRun=0")]
    public async Task D1_in_release(string setting)
    {
        (await BuiltForRelease.Value).ShouldHaveSucceeded();
        IsCompiledAhead(Managed).ShouldBeFalse();
        ShouldHold(await BuiltProgram.RunAsync("dotnet", [Managed], Patience, Environment(setting)), "release", "managed");
    }

    [Theory]
    [InlineData("")]
    [InlineData("DOTNET_TieredCompilation=0")]
    [InlineData("DOTNET_ReadyToRun=0")]
    public async Task D1_in_ReadyToRun_code(string setting)
    {
        (await BuiltForRelease.Value).ShouldHaveSucceeded();
        IsCompiledAhead(Ahead).ShouldBeTrue();
        IsCompiledAhead(Path.Combine(Path.GetDirectoryName(Ahead)!, "Moirai.dll")).ShouldBeTrue();
        ShouldHold(await BuiltProgram.RunAsync("dotnet", [Ahead], Patience, Environment(setting)), "release", "managed");
    }

    [Fact]
    public async Task D1_in_debug()
    {
        (await BuildAsync("build", "Moirai.WakerProbe", "Debug")).ShouldHaveSucceeded();
        ShouldHold(await BuiltProgram.RunAsync("dotnet", [Debug], Patience, Environment("")), "debug", "managed");
    }

    [Fact]
    public async Task D1_in_native_code()
    {
        ProgramEnd built = await BuildAsync("publish", "Moirai.NativeProbe", "Release");
        if (!HasLinker())
        {
            // The compiler needs a linker, which no package brings. The refusal is all that can be seen here.
            built.Output.ShouldContain("linker");
            return;
        }

        built.ShouldHaveSucceeded();
        ShouldHold(await BuiltProgram.RunAsync(Native, [], Patience), "release", "native");
    }

    private static void ShouldHold(ProgramEnd end, string build, string compiled)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(end.Output);
        JsonElement found = end.OnlyLineOfJson();
        found.GetProperty("build").GetString().ShouldBe(build);
        found.GetProperty("compiled").GetString().ShouldBe(compiled);
        found.GetProperty("wakers").GetInt32().ShouldBeGreaterThan(1_000);
        found.GetProperty("same").GetBoolean().ShouldBeTrue();
        found.GetProperty("different").GetBoolean().ShouldBeTrue();
        found.GetProperty("register_bytes").GetInt64().ShouldBe(0);
    }

    // Analyzers have seen this source where it is at home; here they take three quarters of the time.
    private static Task<ProgramEnd> BuildAsync(string command, string probe, string configuration) => BuiltProgram.RunAsync(
        "dotnet",
        [command, Path.Combine(Artifacts, "..", "eng", "Probes", probe), "-c", configuration, "-nodeReuse:false", "-p:UseSharedCompilation=false", "-p:RunAnalyzers=false"],
        Patience);

    private static string ProgramOf(string kind, string probe, string configuration) => Path.Combine(Artifacts, kind, probe, configuration, probe);

    // Whatever the environment of the tests says of it: profiles are on unless they are what is set.
    private static (string Name, string Value)[] Environment(string setting) =>
        setting.Split('=') is [var name, var value] ? [(Profiles, "1"), (name, value)] : [(Profiles, "1")];

    private static bool IsCompiledAhead(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        return file.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0;
    }

    private static bool HasLinker() => OperatingSystem.IsWindows() || (System.Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator)
        .Any(static folder => File.Exists(Path.Combine(folder, "clang")) || File.Exists(Path.Combine(folder, "gcc")));
}
