using System.Diagnostics;
using Microsoft.Diagnostics.NETCore.Client;

// Each test has processes of its own; two at once only make each other slow.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Moirai.Tool.Tests;

/// <summary>A process to look into. It does what it is told, and says when it has.</summary>
internal sealed class Probe : IAsyncDisposable
{
    private readonly Process _process;

    private Probe(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.UseShellExecute = false;
        _process = Process.Start(start)!;
    }

    public int Id => _process.Id;

    public string Pid => $"{_process.Id}";

    /// <summary>Starts a process with a runtime 'orders', in which #reconcile holds a mutex and #save waits for it; and has it do some things.</summary>
    /// <param name="saying">What it is to do; see the program.</param>
    public static Task<Probe> StartAsync(params string[] saying) => StartAsync([], saying);

    /// <summary>As the other, with the leave to give commands.</summary>
    public static Task<Probe> StartObedientAsync(params string[] saying) => StartAsync(["allow"], saying);

    /// <summary>Starts a .NET process without Moirai.</summary>
    public static Task<Probe> StartPlainAsync() => StartAsync(["plain"], []);

    /// <summary>Starts a process with a runtime that stands still before its first line until it is resumed.</summary>
    public static Probe StartUnborn()
    {
        var start = new ProcessStartInfo("dotnet", [Built.Path("Moirai.ToolProbe")]);
        start.Environment["DOTNET_DefaultDiagnosticPortSuspend"] = "1";
        return new Probe(start);
    }

    /// <summary>Lets it begin, and waits until it has a runtime.</summary>
    public async Task ResumeAsync()
    {
        new DiagnosticsClient(Id).ResumeRuntime();
        await HearAsync();
    }

    /// <summary>Starts a process that is not .NET's and waits for input.</summary>
    public static Probe StartForeign() => new(new ProcessStartInfo("cat"));

    /// <summary>Has the process do something, and waits until it has.</summary>
    public async Task SayAsync(string what)
    {
        await _process.StandardInput.WriteLineAsync(what);
        await _process.StandardInput.FlushAsync();
        await HearAsync();
    }

    /// <summary>Ends the process.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await Patience.Of(_process.WaitForExitAsync());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    private static async Task<Probe> StartAsync(string[] arguments, string[] saying)
    {
        var probe = new Probe(new ProcessStartInfo("dotnet", [Built.Path("Moirai.ToolProbe"), .. arguments]));
        await probe.HearAsync();
        foreach (string what in saying)
        {
            await probe.SayAsync(what);
        }

        return probe;
    }

    private async Task HearAsync() => (await Patience.Of(_process.StandardOutput.ReadLineAsync())).ShouldBe("done");
}

/// <summary>Programs of this repository, as they were built with the tests.</summary>
internal static class Built
{
    public static string Configuration { get; } = System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));

    /// <summary>The repository.</summary>
    public static string Root { get; } = System.IO.Path.GetFullPath(System.IO.Path.Combine(AppContext.BaseDirectory, "..", "..", "..", ".."));

    public static string Path(string project)
    {
        string path = System.IO.Path.GetFullPath(System.IO.Path.Combine(AppContext.BaseDirectory, "..", "..", project, Configuration, $"{project}.dll"));
        File.Exists(path).ShouldBeTrue($"{path} was not built");
        return path;
    }
}

/// <summary>A test that hangs fails.</summary>
internal static class Patience
{
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public static Task Of(Task task) => task.WaitAsync(Limit);

    public static Task<T> Of<T>(Task<T> task) => task.WaitAsync(Limit);
}
