using System.Buffers;
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

    // From here on tools find the runtime when they ask this process.
    private static void MakeKnown(Engine engine)
    {
        MoiraiEventSource.OpenDesk(Answer);
        RuntimeRoster.Add(engine);
    }

    /// <summary>The answer to a question from outside, as JSON.</summary>
    /// <exception cref="InvalidOperationException">It is not known, or not allowed: the message is for who asked.</exception>
    internal static string Answer(Inquiry inquiry) => inquiry.Ask switch
    {
        "ps" => Write(WriteProcess),
        _ => throw new InvalidOperationException(
            $"This process, with Moirai {Version}, does not know the question '{inquiry.Ask}'. It knows: ps."),
    };

    private static string Version => typeof(TaskRuntime).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    private static void WriteProcess(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("protocol", InquiryProtocol);
        json.WriteString("version", Version);
        json.WriteNumber("process", Environment.ProcessId);
        json.WriteStartArray("runtimes");
        foreach (Engine engine in RuntimeRoster.Running())
        {
            Census census = new TaskRuntime(engine).TakeCensus();
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
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            write(json);
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
