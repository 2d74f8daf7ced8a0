using System.Diagnostics;

namespace Moirai.Tool.Tests;

/// <summary>How a command ended.</summary>
internal sealed record ToolEnd(int Code, string Output, string Errors)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public ToolEnd ShouldBeGood()
    {
        Code.ShouldBe(0, Output + Errors);
        Errors.ShouldBeEmpty();
        return this;
    }

    /// <summary>It complains of none of these. Who asks every process of the machine is told also of others that are silent, and those are not this test's.</summary>
    public ToolEnd ShouldBeGoodFor(params Probe[] ours)
    {
        Code.ShouldBe(0, Output + Errors);
        foreach (Probe probe in ours)
        {
            Errors.ShouldNotContain(probe.Pid);
        }

        return this;
    }

    /// <summary>It says what is wrong in a sentence and not in a stack trace, and nothing else.</summary>
    public void ShouldComplain(int code, params string[] saying)
    {
        Code.ShouldBe(code, Output + Errors);
        Output.ShouldBeEmpty();
        foreach (string words in saying)
        {
            Errors.ShouldContain(words);
        }

        Errors.ShouldNotContain("   at ");
    }

    public ToolEnd ShouldFit(int width)
    {
        foreach (string line in Lines)
        {
            line.Length.ShouldBeLessThanOrEqualTo(width, line);
        }

        return this;
    }
}

/// <summary>Runs the command: its code here, or the real program.</summary>
internal static class Tool
{
    /// <summary>Runs its code, with output that goes into a file.</summary>
    public static Task<ToolEnd> RunAsync(params string[] args) => RunAsync(width: null, args);

    /// <summary>Runs its code, on a terminal of so many columns that cannot be drawn on.</summary>
    public static async Task<ToolEnd> RunAsync(int? width, params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        using var limit = new CancellationTokenSource(Patience.Limit, TimeProvider.System);
        var terminal = new Terminal { Out = output, Error = errors, IsScreen = width is not null, Size = () => (width ?? 120, 24) };
        int code = await CommandLine.RunAsync(args, terminal, limit.Token);
        limit.IsCancellationRequested.ShouldBeFalse(output.ToString());
        return new ToolEnd(code, output.ToString(), errors.ToString());
    }

    /// <summary>Runs the real program.</summary>
    public static async Task<ToolEnd> RunProgramAsync(params string[] args)
    {
        using Process program = StartProgram(args);
        return await EndAsync(program);
    }

    public static Process StartProgram(params string[] args) =>
        Process.Start(new ProcessStartInfo("dotnet", [Built.Path("Moirai.Tool"), .. args]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;

    /// <summary>Waits for the end of a program.</summary>
    public static async Task<ToolEnd> EndAsync(Process program)
    {
        try
        {
            Task<string> output = program.StandardOutput.ReadToEndAsync();
            Task<string> errors = program.StandardError.ReadToEndAsync();
            await Patience.Of(program.WaitForExitAsync());
            return new ToolEnd(program.ExitCode, await Patience.Of(output), await Patience.Of(errors));
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
