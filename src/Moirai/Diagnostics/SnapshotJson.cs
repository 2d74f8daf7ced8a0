using System.Text.Json;
using System.Text.Json.Serialization;
using Moirai.Diagnostics;

namespace Moirai
{
    public sealed partial record RuntimeSnapshot
    {
        /// <summary>The snapshot as JSON, by the schema of docs/snapshot.md: durations in seconds, ids as numbers, states and kinds as words, nothing where there is nothing to say.</summary>
        public string ToJson() => JsonSerializer.Serialize(this, SnapshotJson.Default.RuntimeSnapshot);

        /// <summary>Writes what <see cref="ToJson"/> gives, as UTF-8.</summary>
        /// <param name="stream">Where to; it is left open.</param>
        /// <param name="cancellationToken">Ends the writing.</param>
        public Task WriteJsonAsync(Stream stream, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(stream);
            return JsonSerializer.SerializeAsync(stream, this, SnapshotJson.Default.RuntimeSnapshot, cancellationToken);
        }

        /// <summary>Reads what <see cref="ToJson"/> has written, also in another process.</summary>
        /// <exception cref="JsonException">It is no snapshot.</exception>
        /// <exception cref="NotSupportedException">It was written by a later version, in a form that this one would misread.</exception>
        public static RuntimeSnapshot FromJson(string json)
        {
            ArgumentNullException.ThrowIfNull(json);
            RuntimeSnapshot snapshot = JsonSerializer.Deserialize(json, SnapshotJson.Default.RuntimeSnapshot) ?? throw new JsonException("The text is null, and no snapshot.");
            return snapshot.Schema <= CurrentSchema ? snapshot : throw new NotSupportedException(
                $"The snapshot is of schema {snapshot.Schema}, and this version of Moirai reads up to {CurrentSchema}. Read it with the version that wrote it, or a later one.");
        }
    }
}

namespace Moirai.Diagnostics
{
    /// <summary>How snapshots are written. Made by the compiler, so that it works without reflection.</summary>
    [JsonSourceGenerationOptions(
        PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        IgnoreReadOnlyProperties = true,
        UseStringEnumConverter = true,
        Converters = [typeof(SecondsConverter), typeof(TaskIdConverter)])]
    [JsonSerializable(typeof(RuntimeSnapshot))]
    internal sealed partial class SnapshotJson : JsonSerializerContext;

    /// <summary>Durations as seconds: what charts, queries and people want.</summary>
    internal sealed class SecondsConverter : JsonConverter<TimeSpan>
    {
        private const decimal Most = long.MaxValue / (decimal)TimeSpan.TicksPerSecond;

        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TryGetDecimal(out decimal seconds) && Math.Abs(seconds) <= Most ? TimeSpan.FromTicks((long)(seconds * TimeSpan.TicksPerSecond)) : throw new JsonException("It is no number of seconds that a duration can have.");

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Ticks / (decimal)TimeSpan.TicksPerSecond);
    }

    /// <summary>Ids as numbers.</summary>
    internal sealed class TaskIdConverter : JsonConverter<TaskId>
    {
        public override TaskId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetInt64());

        public override void Write(Utf8JsonWriter writer, TaskId value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Value);
    }
}
