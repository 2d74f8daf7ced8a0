using System.Runtime.CompilerServices;
using System.Text.Json;
using Moirai.Alarms;
using Moirai.Diagnostics;
using Moirai.Execution;
using Moirai.Leaks;
using Moirai.Shutdown;
using Moirai.Telemetry;

namespace Moirai;

/// <content>The larger answers to tools outside. All are given by a thread of the desk, run no code of the user's but what hears of events, and are bounded whatever is asked for.</content>
public sealed partial class TaskRuntime
{
    private const int MostTasksTold = 100_000;
    private const int MostRowsTold = 10_000;
    private const int MostPicked = 200;
    private const int RowsOnScreen = 200;
    private const int LeaksListed = 1_000;

    // How long a search for leaks waits for one that is under way.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private static Watchdog? WatchdogOf(Engine engine) => (engine.Watch as LostRuntime)?.Watchdog as Watchdog;

    private static void WriteSnapshots(Utf8JsonWriter json, Inquiry inquiry)
    {
        var options = new SnapshotOptions
        {
            MaxTasks = Math.Min(inquiry.Option("tasks", 1_000), MostTasksTold),
            MaxTasksPerScope = inquiry.Option("each", int.MaxValue),
            MaxRows = Math.Min(inquiry.Option("rows", 1_000), MostRowsTold),
            Chains = inquiry.Option("chains", 1) != 0,
        };
        foreach (Engine engine in Asked(inquiry))
        {
            WriteSnapshot(json, engine, SnapshotTaker.Take(engine, options));
        }
    }

    private static void WriteTops(Utf8JsonWriter json, Inquiry inquiry)
    {
        int count = Math.Clamp(inquiry.Option("tasks", 20), 1, MostPicked);
        string? filter = inquiry.Text("filter");
        var memories = inquiry.Memory as ConditionalWeakTable<Engine, TaskPicks> ?? []; // being looked at keeps no runtime alive
        inquiry.Memory = memories;
        foreach (Engine engine in Asked(inquiry))
        {
            TaskPicks picks = memories.GetValue(engine, _ => new TaskPicks(count, filter));
            WriteSnapshot(json, engine, SnapshotTaker.Pick(engine, new SnapshotOptions { Chains = false, MaxTasks = count * 2, MaxRows = RowsOnScreen }, picks));
        }
    }

    private static void WriteSnapshot(Utf8JsonWriter json, Engine engine, RuntimeSnapshot snapshot)
    {
        json.WriteStartObject();
        json.WriteString("name", engine.Name);
        json.WriteString("accounting", engine.Accounting.ToString());
        json.WritePropertyName("snapshot");
        JsonSerializer.Serialize(json, snapshot, SnapshotJson.Default.RuntimeSnapshot);
        WriteAlarms(json, engine);
        RecentEvents.Write(json, engine);
        json.WriteEndObject();
    }

    private static void WriteAlarms(Utf8JsonWriter json, Inquiry inquiry)
    {
        foreach (Engine engine in Asked(inquiry))
        {
            json.WriteStartObject();
            json.WriteString("name", engine.Name);
            WriteAlarms(json, engine);
            json.WriteEndObject();
        }
    }

    private static void WriteAlarms(Utf8JsonWriter json, Engine engine)
    {
        Watchdog? dog = WatchdogOf(engine);
        json.WriteBoolean("watched", dog is not null);
        json.WriteStartArray("alarms");
        foreach (Alarm alarm in dog?.Open ?? [])
        {
            json.WriteStartObject();
            json.WriteNumber("id", alarm.Id);
            json.WriteString("kind", alarm.Kind.ToString());
            json.WriteString("phase", alarm.Phase.ToString());
            json.WriteString("name", alarm.Name);
            json.WriteNumber("count", alarm.Count);
            json.WriteNumber("task", alarm.Task.Value);
            json.WriteString("spawnSite", alarm.SpawnSite);
            json.WriteString("awaitSite", alarm.AwaitSite);
            json.WriteNumber("lasted", alarm.Lasted.TotalSeconds);
            json.WriteNumber("limit", alarm.Limit.TotalSeconds);
            json.WriteString("raisedAt", alarm.RaisedAt);
            json.WriteNumber("told", alarm.Told);
            json.WriteString("detail", alarm.Detail);
            json.WriteString("text", alarm.ToString());
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteLeaks(Utf8JsonWriter json, Inquiry inquiry)
    {
        List<Engine> asked = Asked(inquiry);
        List<Engine> allowed = asked.FindAll(static engine => engine.AllowsCommands);
        if (allowed.Count == 0 || (inquiry.Text("runtime") is not null && allowed.Count < asked.Count))
        {
            throw new InvalidOperationException(
                (asked.Count == 0 ? "No runtime runs in this process. " : $"Runtime {string.Join(", ", asked.Where(static engine => !engine.AllowsCommands).Select(static engine => $"'{engine.Name}'").Take(5))} allows no commands. ")
                + "A search for leaks has the garbage collector run; set TaskRuntimeOptions.AllowCommands to true when the runtime is made, or call FindLeaksAsync in the program.");
        }

        LeakPolicy policy = inquiry.Option("heal", 0) == 0 ? LeakPolicy.Report : LeakPolicy.Heal;
        foreach (Engine engine in allowed)
        {
            LeakReport report = LeakScan.Run(engine, engine.Root, policy, s_patience)
                ?? throw new InvalidOperationException("The process is searching for leaks already, and was not done in time. Ask again.");
            WriteLeaks(json, report);
        }
    }

    private static void WriteLeaks(Utf8JsonWriter json, LeakReport report)
    {
        json.WriteStartObject();
        json.WriteString("name", report.Runtime);
        json.WriteNumber("live", report.Live);
        json.WriteNumber("examined", report.Examined);
        json.WriteNumber("leaked", report.Leaks.Count);
        json.WriteNumber("duration", report.Duration.TotalSeconds);
        json.WriteNumber("collecting", report.Collecting.TotalSeconds);
        json.WriteStartArray("leaks");
        foreach (LeakedTask leak in report.Leaks.Take(LeaksListed))
        {
            json.WriteStartObject();
            json.WriteNumber("id", leak.Id.Value);
            json.WriteString("name", leak.Name);
            json.WriteString("spawnSite", leak.SpawnSite);
            WriteWords(json, "frames", leak.Frames);
            json.WriteString("waitsFor", leak.WaitsFor);
            json.WriteNumber("waited", leak.Waited.TotalSeconds);
            WriteWords(json, "holds", leak.Holds);
            json.WriteString("remedy", leak.Remedy.ToString());
            json.WriteString("text", leak.ToString());
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteWords(Utf8JsonWriter json, string name, IReadOnlyList<string> words)
    {
        json.WriteStartArray(name);
        foreach (string word in words)
        {
            json.WriteStringValue(word);
        }

        json.WriteEndArray();
    }
}
