using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using Perfolizer.Horology;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Moirai.Benchmarks.Harness;

/// <summary>How every question is asked: allocations shown, and one small report a class, in bench/results, which begins with the machine's description.</summary>
/// <remarks>The benchmarks run in this process. The project that BenchmarkDotNet writes for a process of its own would lie below this repository's build rules, which refuse a project that does not say
/// of what kind it is.</remarks>
internal sealed class ReportConfig : ManualConfig
{
    // All questions in some ten minutes. What a shorter iteration blurs stands in the reports' column of errors.
    private static readonly TimeInterval s_iteration = TimeInterval.FromMilliseconds(200);
    private const int MostIterations = 15;

    /// <param name="isShort">Three iterations, to see that all runs: the times mean little.</param>
    public ReportConfig(bool isShort)
    {
        AddJob((isShort ? Job.ShortRun : Job.Default.WithIterationTime(s_iteration).WithMaxIterationCount(MostIterations).WithMinIterationCount(MostIterations - 1)).WithToolchain(InProcessEmitToolchain.Instance));
        AddLogger(ConsoleLogger.Default);
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddDiagnoser(MemoryDiagnoser.Default);
        AddExporter(MarkdownExporter.GitHub);
        ArtifactsPath = Path.Combine(Root(), "bench"); // BenchmarkDotNet puts a folder "results" into it
        Options |= ConfigOptions.DisableLogFile;
    }

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Moirai.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("The benchmarks do not run inside the repository, to which their reports belong.");
    }
}
