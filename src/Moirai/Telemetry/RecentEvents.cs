using System.Runtime.CompilerServices;
using System.Text.Json;
using Moirai.Execution;

namespace Moirai.Telemetry;

/// <summary>The last things that a runtime has told its operators, for who looks later: a tool that was started after a deadlock shows it all the same. Bounded, and made of words: nothing of the program is held.</summary>
/// <remarks>Of each kind the last few, so that many of one push out none of another. Timeouts are daily bread and not kept; nor are alarms while they are there, since those are listed: they come in when they are over. Safe from any thread.</remarks>
internal sealed class RecentEvents(TimeProvider time)
{
    internal const int MostOfAKind = 8;
    internal const int MostTold = 20;
    internal const int LongestText = 400;

    private static readonly ConditionalWeakTable<Engine, RecentEvents> s_known = [];

    private readonly Lock _gate = new();

    // Guarded by the gate. The oldest first.
    private readonly Dictionary<RuntimeEventKind, List<Told>> _last = [];

    // Guarded by the gate. In which order they came: a clock may be turned back.
    private long _count;

    /// <summary>Says where the events of an engine are kept, once there is one.</summary>
    internal void BelongTo(Engine engine) => s_known.AddOrUpdate(engine, this);

    internal void Note(RuntimeEvent what)
    {
        if (what.Kind is RuntimeEventKind.TimedOut or RuntimeEventKind.Alarm)
        {
            return;
        }

        DateTimeOffset at = time.GetUtcNow();
        string text = InALine(what);
        text = text.Length > LongestText ? $"{text.AsSpan(0, LongestText)}…" : text;
        lock (_gate)
        {
            if (!_last.TryGetValue(what.Kind, out List<Told>? last))
            {
                _last[what.Kind] = last = new List<Told>(MostOfAKind + 1);
            }

            if (what.Kind == RuntimeEventKind.Leaked)
            {
                last.RemoveAll(before => before.Task == what.Task.Value); // one that was only told of is found by the next search again, and is one leak
            }

            last.Add(new Told(_count++, at, what.Kind, what.Task.Value, text));
            if (last.Count > MostOfAKind)
            {
                last.RemoveAt(0);
            }
        }
    }

    /// <summary>Writes those of an engine as <c>events</c>, the newest first.</summary>
    internal static void Write(Utf8JsonWriter json, Engine engine)
    {
        json.WriteStartArray("events");
        foreach (Told one in s_known.TryGetValue(engine, out RecentEvents? known) ? known.Newest() : [])
        {
            json.WriteStartObject();
            json.WriteString("at", one.At);
            json.WriteString("kind", one.Kind.ToString());
            json.WriteNumber("task", one.Task);
            json.WriteString("text", one.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private List<Told> Newest()
    {
        lock (_gate)
        {
            return [.. _last.Values.SelectMany(static kind => kind).OrderByDescending(static one => one.Number).Take(MostTold)];
        }
    }

    /// <summary>The story in one line, what became of it before all details.</summary>
    private static string InALine(RuntimeEvent what) => what switch
    {
        { Error: DeadlockException deadlock } =>
            $"{(IsBroken(what) ? "broken" : "stands")}: {string.Join(" → ", deadlock.Cycle.Select(static edge => $"{edge.Task} '{edge.TaskName}' → {edge.WaitsFor}"))} → {deadlock.Cycle[0].Task}",
        { Subject: LeakedTask leak } =>
            $"{leak.Id} '{leak.Name}' {(leak.Remedy is LeakRemedy.Resumed or LeakRemedy.ResumedPartly ? "was healed: it waited" : "can never go on: it waits")} for {leak.WaitsFor}, and nothing could end that any more; spawned at {leak.SpawnSite}",
        { Subject: Alarm { Phase: AlarmPhase.Cleared } } => what.Message[(what.Message.IndexOf(": ", StringComparison.Ordinal) + 2)..], // without its number, and that it is over: the kind says that
        _ => what.Message.ReplaceLineEndings(" "),
    };

    // Only the story tells it, in its last line; see Engine.TellDeadlock.
    private static bool IsBroken(RuntimeEvent what) => what.Message.AsSpan(what.Message.LastIndexOf('\n') + 1).StartsWith("One of these waits throws", StringComparison.Ordinal);

    private sealed record Told(long Number, DateTimeOffset At, RuntimeEventKind Kind, long Task, string Text);
}
