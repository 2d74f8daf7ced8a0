using System.Diagnostics;
using System.Text.Json;
using Moirai.Load.Benches;
using Moirai.Load.Harness;

namespace Moirai.Load.Comparing;

/// <summary>Runs every work by Moirai and by hand in turn, each run in a process of its own.</summary>
/// <remarks>Interleaved, so that what else happens on the machine meets both alike.</remarks>
internal static class Comparison
{
    private static readonly string[] Peers = ["moirai", "dotnet"];

    public static IEnumerable<Case> Cases(string? only) =>
        from load in Catalogue.All
        where load.HasPeer
        from variant in load.Variants
        let found = new Case(load, variant)
        where only is null || found.Title.Contains(only, StringComparison.OrdinalIgnoreCase)
        select found;

    public static async Task<int> RunAsync(int rounds, string? only, long? n, CancellationToken ct)
    {
        List<Case> cases = [.. Cases(only)];
        for (int round = 1; round <= rounds; round++)
        {
            foreach (Case what in cases)
            {
                foreach (string peer in Peers)
                {
                    await Console.Error.WriteLineAsync($"round {round} of {rounds}: {what.Title}, {peer}".AsMemory(), ct);
                    await RunOneAsync(what, peer, n, ct);
                }
            }
        }

        ComparisonTable.Show(cases, rounds);
        return cases.TrueForAll(static what => what.Failures == 0) ? 0 : 1;
    }

    private static async Task RunOneAsync(Case what, string peer, long? n, CancellationToken ct)
    {
        string[] options = ["--variant", what.Variant.Name, "--peer", peer, .. n is { } size ? ["--n", $"{size}"] : Array.Empty<string>()];
        if (await RunSelfAsync(what.Load.Name, options, ct) is { } run)
        {
            what.Add(peer, run);
        }
        else
        {
            what.Failures++;
        }
    }

    /// <summary>Runs one load in a process of its own.</summary>
    /// <returns>Its line; null when it failed, and has said why.</returns>
    internal static async Task<JsonElement?> RunSelfAsync(string name, IReadOnlyList<string> options, CancellationToken ct)
    {
        using var child = new Process { StartInfo = Self(options, name) };
        child.Start();
        try
        {
            string line = await child.StandardOutput.ReadToEndAsync(ct);
            await child.WaitForExitAsync(ct);
            return child.ExitCode == 0 ? JsonSerializer.Deserialize<JsonElement>(line) : null;
        }
        finally
        {
            if (!child.HasExited)
            {
                child.Kill();
            }
        }
    }

    private static ProcessStartInfo Self(IReadOnlyList<string> options, string name)
    {
        string program = Environment.ProcessPath ?? throw new LoadFailedException("This process does not know its own program.");
        string assembly = typeof(Comparison).Assembly.Location;
        bool isHosted = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return new ProcessStartInfo(program, [.. isHosted ? [assembly] : Array.Empty<string>(), name, .. options]) { RedirectStandardOutput = true, UseShellExecute = false };
    }
}

/// <summary>One work in one variant, and what its runs found.</summary>
internal sealed class Case(Workload load, Variant variant)
{
    private readonly List<(string Peer, JsonElement Run)> _runs = [];

    public Workload Load => load;

    public Variant Variant => variant;

    public string Title => load.Variants.Count == 1 ? load.Name : $"{load.Name} {variant.Name}";

    public int Failures { get; set; }

    public void Add(string peer, JsonElement run) => _runs.Add((peer, run));

    public double? NsPerOp(string peer) => Median(peer, static run => run.GetProperty("ns_per_op").GetDouble());

    public double? PeakMegabytes(string peer) => Median(peer, static run => run.GetProperty("vm_hwm_kb").GetDouble() * 1024 / 1e6);

    public double? BytesPerOp(string peer) => Median(peer, static run => run.GetProperty("alloc_bytes").GetDouble() / run.GetProperty("ops").GetDouble());

    public double? BytesPerTask(string peer) => Median(peer, static run =>
        run.GetProperty("extra").TryGetProperty("bytes_per_task", out JsonElement bytes) ? bytes.GetDouble() : null);

    private double? Median(string peer, Func<JsonElement, double?> what)
    {
        double[] values = [.. _runs.Where(run => run.Peer == peer).Select(run => what(run.Run)).OfType<double>().Order()];
        return values.Length switch
        {
            0 => null,
            var count when count % 2 == 1 => values[count / 2],
            var count => (values[(count / 2) - 1] + values[count / 2]) / 2,
        };
    }
}
