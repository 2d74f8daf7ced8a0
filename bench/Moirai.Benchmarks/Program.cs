using BenchmarkDotNet.Running;
using Moirai.Benchmarks;
using Moirai.Benchmarks.Harness;

const string Short = "--short";
string[] asked = [.. args.Where(static arg => arg != Short)];
return BenchmarkSwitcher.FromAssembly(typeof(SpawnBenchmark).Assembly)
    .Run(asked, new ReportConfig(isShort: args.Contains(Short)))
    .Any(static summary => summary.HasCriticalValidationErrors || summary.Reports.Any(static report => !report.Success))
    ? 1
    : 0;
