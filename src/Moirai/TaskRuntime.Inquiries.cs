using System.Buffers;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Moirai.Diagnostics;
using Moirai.Execution;
using Moirai.Telemetry;

namespace Moirai;

/// <content>What this process answers when a tool outside asks it.</content>
public sealed partial class TaskRuntime
{
    /// <summary>The version of questions and answers. It changes when an asker of before would misunderstand.</summary>
    internal const int InquiryProtocol = 1;

    private const string Ps = "ps";
    private const string Snapshot = "snapshot";
    private const string Top = "top";
    private const string OpenAlarms = "alarms";
    private const string Leaks = "leaks";

    // From here on tools find the runtime when they ask this process.
    private static void MakeKnown(Engine engine)
    {
        MoiraiEventSource.OpenDesk(Answer, static inquiry => inquiry.Ask == Leaks);
        RuntimeRoster.Add(engine);
    }

    /// <summary>The answer to a question from outside, as JSON; where the asker says <c>pack=deflate</c>, that compressed, in Base64.</summary>
    /// <exception cref="InvalidOperationException">It is not known, or not allowed: the message is for who asked.</exception>
    internal static string Answer(Inquiry inquiry)
    {
        if (inquiry.Option("protocol", InquiryProtocol) is var asked && asked > InquiryProtocol)
        {
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture, $"This process, with Moirai {Version}, speaks protocol {InquiryProtocol}, and was asked by protocol {asked}. Ask it with a tool of its own version."));
        }

        Action<Utf8JsonWriter, Inquiry> write = inquiry.Ask switch
        {
            Ps => WriteRuntimes,
            Snapshot => WriteSnapshots,
            Top => WriteTops,
            OpenAlarms => WriteAlarms,
            Leaks => WriteLeaks,
            _ => throw new InvalidOperationException(
                $"This process, with Moirai {Version}, does not know the question '{inquiry.Ask}'. It knows: {Ps}, {Snapshot}, {Top}, {OpenAlarms}, {Leaks}."),
        };
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("protocol", InquiryProtocol);
            json.WriteString("version", Version);
            json.WriteNumber("process", Environment.ProcessId);
            json.WriteStartArray("runtimes");
            write(json, inquiry);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return inquiry.Option("pack") == "deflate" ? Packed(buffer.WrittenSpan) : Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static string Version => typeof(TaskRuntime).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    // Of 10,000 tasks some megabytes, as text twice that: too much for a session's buffers.
    private static string Packed(ReadOnlySpan<byte> json)
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            deflate.Write(json);
        }

        return Convert.ToBase64String(packed.GetBuffer().AsSpan(0, (int)packed.Length));
    }

    private static void WriteRuntimes(Utf8JsonWriter json, Inquiry inquiry)
    {
        foreach (Engine engine in Asked(inquiry))
        {
            var census = Census.Of(engine);
            json.WriteStartObject();
            json.WriteString("name", engine.Name);
            json.WriteNumber("live", census.Live);
            json.WriteNumber("created", census.Created);
            json.WriteNumber("completed", census.Completed);
            json.WriteNumber("failed", census.Failed);
            json.WriteNumber("canceled", census.Canceled);
            json.WriteNumber("ready", census.Ready);
            json.WriteNumber("scopes", census.OpenScopes);
            json.WriteNumber("slots", census.SlotsInUse);
            json.WriteNumber("timers", census.TimerEntries);
            json.WriteNumber("alarms", WatchdogOf(engine)?.Open.Count ?? 0);
            json.WriteEndObject();
        }
    }

    /// <summary>The runtimes that are asked about: those of the name that the asker gave, or all.</summary>
    private static List<Engine> Asked(Inquiry inquiry)
    {
        List<Engine> running = RuntimeRoster.Running();
        if (inquiry.Text("runtime") is not { } name)
        {
            return running;
        }

        List<Engine> named = running.FindAll(engine => string.Equals(engine.Name, name, StringComparison.Ordinal));
        return named.Count > 0 ? named : throw new InvalidOperationException(
            running.Count == 0 ? $"No runtime runs in this process any more, so none named '{name}'."
                : $"No runtime named '{name}' runs in this process. It has: {string.Join(", ", running.Select(static engine => $"'{engine.Name}'").Distinct(StringComparer.Ordinal).Take(20))}.");
    }
}
