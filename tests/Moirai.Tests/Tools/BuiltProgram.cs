using System.Diagnostics;
using System.Text.Json;

namespace Moirai.Tests.Tools;

/// <summary>A program of this repository, as it was built with the tests: run it, and see what came out.</summary>
internal sealed record BuiltProgram(string Project)
{
    /// <summary>A hung program fails its test rather than the whole run.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public Task<ProgramEnd> RunAsync(params string[] args)
    {
        // Beside the tests' own output: artifacts/bin/<project>/<configuration>/.
        string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string assembly = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", Project, configuration, $"{Project}.dll"));
        File.Exists(assembly).ShouldBeTrue($"{assembly} was not built");
        return RunAsync("dotnet", [assembly, .. args], Patience);
    }

    /// <summary>Runs any command to its end.</summary>
    /// <param name="command">A path, or a name that the shell would find.</param>
    /// <param name="args">Its arguments.</param>
    /// <param name="patience">After this it is killed, with all that it has started, and the test fails.</param>
    /// <param name="environment">What it finds in its environment beside what this process has.</param>
    public static async Task<ProgramEnd> RunAsync(string command, string[] args, TimeSpan patience, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(command, args) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using var program = new Process { StartInfo = start };
        using var limit = new CancellationTokenSource(patience, TimeProvider.System);
        program.Start();
        try
        {
            Task<string> output = program.StandardOutput.ReadToEndAsync(limit.Token);
            Task<string> errors = program.StandardError.ReadToEndAsync(limit.Token);
            await program.WaitForExitAsync(limit.Token);
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

    public void ShouldHaveSucceeded() => Code.ShouldBe(0, Output + Errors);

    public void ShouldBeRefused(string saying)
    {
        Code.ShouldBe(2, Errors);
        Output.ShouldBeEmpty();
        Errors.ShouldContain(saying);
        Errors.ShouldNotContain("   at ");
    }
}
