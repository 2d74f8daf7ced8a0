using System.Diagnostics;
using System.Text.Json;

namespace Moirai.Tests.Tools;

/// <summary>A program of this repository, as it was built with the tests: run it, and see what came out.</summary>
internal sealed record BuiltProgram(string Project)
{
    /// <summary>A hung program fails its test rather than the whole run.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public async Task<ProgramEnd> RunAsync(params string[] args)
    {
        // Beside the tests' own output: artifacts/bin/<project>/<configuration>/.
        string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string assembly = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", Project, configuration, $"{Project}.dll"));
        File.Exists(assembly).ShouldBeTrue($"{assembly} was not built");
        using var program = new Process
        {
            StartInfo = new ProcessStartInfo("dotnet", [assembly, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false },
        };
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        program.Start();
        try
        {
            Task<string> output = program.StandardOutput.ReadToEndAsync(patience.Token);
            Task<string> errors = program.StandardError.ReadToEndAsync(patience.Token);
            await program.WaitForExitAsync(patience.Token);
            return new ProgramEnd(program.ExitCode, await output, await errors);
        }
        finally
        {
            if (!program.HasExited)
            {
                program.Kill(entireProcessTree: true);
            }
        }
    }
}

/// <summary>How a program ended.</summary>
internal sealed record ProgramEnd(int Code, string Output, string Errors)
{
    /// <summary>The only line that was printed, as JSON.</summary>
    public JsonElement OnlyLineOfJson()
    {
        Code.ShouldBe(0, Errors);
        Errors.ShouldBeEmpty();
        string[] lines = Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return JsonSerializer.Deserialize<JsonElement>(lines.ShouldHaveSingleItem());
    }

    public void ShouldBeRefused(string saying)
    {
        Code.ShouldBe(2, Errors);
        Output.ShouldBeEmpty();
        Errors.ShouldContain(saying);
        Errors.ShouldNotContain("   at ");
    }
}
