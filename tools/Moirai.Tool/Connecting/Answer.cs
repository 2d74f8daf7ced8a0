using System.IO.Compression;
using System.Text.Json;

namespace Moirai.Tool.Connecting;

/// <summary>What a process has answered.</summary>
/// <param name="Protocol">The version by which it is to be read.</param>
/// <param name="Version">The version of Moirai in the process.</param>
/// <param name="Process">Its number, as it knows it itself: in a container another than from outside.</param>
/// <param name="Runtimes">What it says of each of its runtimes.</param>
internal sealed record Answer(int Protocol, string Version, int Process, IReadOnlyList<JsonElement> Runtimes)
{
    /// <summary>Reads the text of an answer.</summary>
    /// <exception cref="CannotAskException">It is of a version that this tool would misread.</exception>
    public static Answer Read(string text)
    {
        try
        {
            JsonElement root = JsonElement.Parse(text.StartsWith('{') ? System.Text.Encoding.UTF8.GetBytes(text) : Unpack(text));
            int protocol = root.GetProperty("protocol").GetInt32();
            string version = root.GetProperty("version").GetString() ?? "?";
            return protocol == Question.Protocol
                ? new Answer(protocol, version, root.GetProperty("process").GetInt32(), [.. root.GetProperty("runtimes").EnumerateArray()])
                : throw new CannotAskException(
                    $"The process has Moirai {version} and speaks protocol {protocol}, this tool speaks {Question.Protocol}: {(protocol < Question.Protocol ? "the process is too old for the tool" : "the tool is too old for the process")}. "
                    + "Use the tool of the version that the process has.");
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or InvalidDataException)
        {
            throw new CannotAskException($"The process gave an answer that this tool does not understand ({error.Message}). Use the tool of the version that the process has.", error);
        }
    }

    private static byte[] Unpack(string text)
    {
        using var packed = new MemoryStream(Convert.FromBase64String(text));
        using var deflate = new DeflateStream(packed, CompressionMode.Decompress);
        using var json = new MemoryStream(text.Length * 8);
        deflate.CopyTo(json);
        return json.ToArray();
    }
}

/// <summary>Something that the process told: a part of a conversation.</summary>
internal abstract record Message
{
    private Message()
    {
    }

    /// <summary>The answer to the question of the session.</summary>
    public sealed record Answered(string Text) : Message;

    /// <summary>There will be no answer, and why.</summary>
    public sealed record Refused(string Reason) : Message;

    /// <summary>An event for operators, an alarm say, as <see cref="RuntimeEvent"/> has it. The runtime is empty where the process does not tell it.</summary>
    public sealed record Happened(RuntimeEventKind Kind, TaskId Task, string Text, string Name, string SpawnSite, string Runtime) : Message;

    /// <summary>Parts of an answer were lost.</summary>
    public sealed record Lost : Message;

    /// <summary>Nothing but that there is a Moirai.</summary>
    public sealed record Beat : Message;
}
