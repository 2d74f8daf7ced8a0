using System.Text.Json;
using System.Text.Json.Serialization;

namespace Moirai.Dashboard.Frames;

/// <summary>How everything is written, in the form of docs/snapshot.md. Made by the compiler, so that it works without reflection. The default encoder leaves no character of HTML as it is.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    GenerationMode = JsonSourceGenerationMode.Metadata,
    Converters = [typeof(SecondsConverter), typeof(TaskIdConverter), typeof(NameConverter)])]
[JsonSerializable(typeof(Frame))]
[JsonSerializable(typeof(TaskDetail))]
[JsonSerializable(typeof(GroupMatches))]
[JsonSerializable(typeof(Choices))]
[JsonSerializable(typeof(CommandAnswer))]
[JsonSerializable(typeof(Refusal))]
internal sealed partial class DashboardJson : JsonSerializerContext;

/// <summary>Durations as seconds.</summary>
internal sealed class SecondsConverter : JsonConverter<TimeSpan>
{
    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => TimeSpan.FromTicks((long)(reader.GetDecimal() * TimeSpan.TicksPerSecond));

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Ticks / (decimal)TimeSpan.TicksPerSecond);
}

/// <summary>Texts, cut where they are longer than anybody reads: names are the program's and may have any length, and a frame is bounded. The whole is in the snapshot.</summary>
internal sealed class NameConverter : JsonConverter<string>
{
    internal const int Longest = 300;

    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString();

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Length <= Longest ? value : $"{value.AsSpan(0, Longest)}…");
}

/// <summary>Texts that are bounded elsewhere.</summary>
internal sealed class WholeTextConverter : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString();

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
}

/// <summary>Ids as numbers.</summary>
internal sealed class TaskIdConverter : JsonConverter<TaskId>
{
    public override TaskId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetInt64());

    public override void Write(Utf8JsonWriter writer, TaskId value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Value);
}
