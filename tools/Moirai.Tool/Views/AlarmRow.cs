using System.Text.Json;

namespace Moirai.Tool.Views;

/// <summary>An alarm, as a process tells it.</summary>
internal sealed record AlarmRow(long Id, string Kind, string Name, long Count, TimeSpan Lasted, DateTimeOffset RaisedAt, string Text)
{
    /// <summary>The alarms that a runtime has; null when it raises none, whatever happens.</summary>
    public static IReadOnlyList<AlarmRow>? ListOf(JsonElement runtime) => !runtime.GetProperty("watched").GetBoolean() ? null :
    [
        .. runtime.GetProperty("alarms").EnumerateArray().Select(static alarm => new AlarmRow(
            alarm.GetProperty("id").GetInt64(),
            alarm.GetProperty("kind").GetString()!,
            alarm.GetProperty("name").GetString()!,
            alarm.GetProperty("count").GetInt64(),
            TimeSpan.FromSeconds(alarm.GetProperty("lasted").GetDouble()),
            alarm.GetProperty("raisedAt").GetDateTimeOffset(),
            alarm.GetProperty("text").GetString()!)),
    ];
}
