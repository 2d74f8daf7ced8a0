using System.Text.Json;

namespace Moirai.Tool.Views;

/// <summary>Something that a process has told its operators lately, in a line.</summary>
internal sealed record EventRow(DateTimeOffset At, string Kind, string Text)
{
    /// <summary>What it is called: a kind of before or after this version by its own name.</summary>
    public string Title => Kind switch
    {
        nameof(RuntimeEventKind.Leaked) => "leak",
        nameof(RuntimeEventKind.AlarmCleared) => "over",
        _ => Words.OfName(Kind),
    };

    /// <summary>Those of a runtime, the newest first; none where the process does not tell them.</summary>
    public static IReadOnlyList<EventRow> ListOf(JsonElement runtime) => !runtime.TryGetProperty("events", out JsonElement events) ? [] :
    [
        .. events.EnumerateArray().Select(static one => new EventRow(one.GetProperty("at").GetDateTimeOffset(), one.GetProperty("kind").GetString()!, one.GetProperty("text").GetString()!)),
    ];

    public override string ToString() => $"{At.UtcDateTime:HH:mm:ss}Z  {Title}: {Text}";
}
