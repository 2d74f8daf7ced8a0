using System.Collections.Concurrent;
using System.Text;
using Moirai.Execution;
using Moirai.Lifecycle;

namespace Moirai.Telemetry;

/// <summary>The words in which telemetry speaks: keys and values of tags, by the conventions of OpenTelemetry. All are stable.</summary>
internal static class Vocabulary
{
    /// <summary>The one name for all of it.</summary>
    internal const string Name = "Moirai";

    internal const string Runtime = "moirai.runtime.name";
    internal const string Pool = "moirai.pool.name";
    internal const string TaskName = "moirai.task.name";
    internal const string TaskId = "moirai.task.id";
    internal const string SpawnSite = "moirai.task.spawn_site";
    internal const string Outcome = "moirai.task.outcome";
    internal const string State = "moirai.task.state";
    internal const string CancelCause = "moirai.task.cancel_cause";
    internal const string AlarmKind = "moirai.alarm.kind";
    internal const string EventKind = "moirai.event.kind";
    internal const string ErrorType = "error.type";

    internal const string TimeoutEvent = "moirai.timeout";
    internal const string BlockedEvent = "moirai.blocked_too_long";
    internal const string WorkerHeldEvent = "moirai.worker_held";
    internal const string Operation = "moirai.timeout.operation";
    internal const string WaitingFor = "moirai.timeout.waiting_for";
    internal const string Within = "moirai.timeout.within";
    internal const string Story = "moirai.alarm.story";

    /// <summary>A custom property of an activity: true where what is spawned straight from it ends before it does. Moirai.Hosting says so of requests.</summary>
    internal const string WaitsForEnd = "moirai.waits_for_end";

    /// <summary>The ends of a task.</summary>
    internal static readonly string[] Outcomes = ["completed", "failed", "canceled"];

    private static readonly ConcurrentDictionary<Enum, string> s_words = new();

    internal static string OutcomeOf(TaskEvent how) => Outcomes[how switch { TaskEvent.Complete => 0, TaskEvent.Fail => 1, _ => 2 }];

    /// <summary>A member of an enumeration, in the spelling of tags: <c>WorkerHeld</c> is <c>worker_held</c>.</summary>
    internal static string WordOf(Enum value) => s_words.GetOrAdd(value, static value => Spell(value.ToString()));

    /// <summary>The pool in which the tasks of a group hold slots; null when that is none.</summary>
    internal static TaskSlotManager? SlotsOf(TaskGroup group) => group.PeekSlots() as TaskSlotManager;

    private static string Spell(string name)
    {
        var text = new StringBuilder();
        foreach (char letter in name)
        {
            if (char.IsUpper(letter) && text.Length > 0)
            {
                text.Append('_');
            }

            text.Append(char.ToLowerInvariant(letter));
        }

        return text.ToString();
    }
}
