using System.Runtime;
using System.Text;
using System.Text.Json;
using Moirai.Tool;

namespace Moirai.Load.Harness;

/// <summary>What a run found: one line of JSON.</summary>
internal sealed class Report(Workload load, LoadArgs args, Pass pass, bool? censusBalanced, IReadOnlyList<long> residentKb)
{
    /// <summary>The collector, the JIT and the machine, as they were in this process.</summary>
    public static string Mode
    {
        get
        {
            IReadOnlyDictionary<string, object> gc = GC.GetConfigurationVariables();
            string collector = GCSettings.IsServerGC ? "server" : "workstation";
            string concurrent = gc.TryGetValue("ConcurrentGC", out object? value) && value is true ? "concurrent" : "non-concurrent";
            string pgo = IsOff("TieredPGO") ? "no-pgo" : "tiered-pgo";
            return $"{BuiltFor},{Environment.ProcessorCount}-cores,{collector}-gc,{concurrent},{pgo},{Environment.Version}";
        }
    }

#if DEBUG
    private static string BuiltFor => "DEBUG";
#else
    private static string BuiltFor => "release";
#endif

    public string ToJson()
    {
        var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            Write(json);
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static bool IsOff(string setting) =>
        Environment.GetEnvironmentVariable($"DOTNET_{setting}") == "0"
        || (AppContext.TryGetSwitch($"System.Runtime.{setting}", out bool on) && !on);

    private static void Numbers(Utf8JsonWriter json, string name, IEnumerable<KeyValuePair<string, double>> numbers)
    {
        json.WriteStartObject(name);
        foreach ((string key, double value) in numbers)
        {
            json.WriteNumber(key, Math.Round(value, 6));
        }

        json.WriteEndObject();
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("peer", args.Peer == Peer.Moirai ? "moirai" : "dotnet");
        json.WriteString("name", load.Name);
        json.WriteString("variant", args.Variant.Name);
        json.WriteString("mode", Mode);
        json.WriteNumber("n", args.N);
        json.WriteNumber("tasks", args.Tasks);
        Numbers(json, "phases", pass.Phases);
        json.WriteNumber("seconds", Math.Round(pass.Seconds, 6));
        json.WriteNumber("ops", pass.Ops);
        json.WriteNumber("ns_per_op", Math.Round(pass.Seconds * 1e9 / pass.Ops, 2));
        json.WriteNumber("cpu_s", Math.Round(pass.Cost.CpuSeconds, 3));
        json.WriteNumber("vm_hwm_kb", ProcessMemory.PeakKb);
        json.WriteNumber("vm_rss_kb", ProcessMemory.ResidentKb);
        json.WriteNumber("alloc_bytes", pass.Cost.Bytes);
        json.WriteStartArray("gcs");
        json.WriteNumberValue(pass.Cost.Gen0);
        json.WriteNumberValue(pass.Cost.Gen1);
        json.WriteNumberValue(pass.Cost.Gen2);
        json.WriteEndArray();
        json.WriteNumber("gc_pause_s", Math.Round(pass.Cost.PauseSeconds, 4));
        if (censusBalanced is { } balanced)
        {
            json.WriteBoolean("census_balanced", balanced);
        }
        else
        {
            json.WriteNull("census_balanced");
        }

        Numbers(json, "extra", [.. pass.Extras, .. residentKb.Select(static (kb, i) => new KeyValuePair<string, double>($"rss_{i + 1}", kb))]);
        json.WriteEndObject();
    }
}
