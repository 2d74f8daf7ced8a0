using System.Text.Json;
using Moirai.Tool.Commands;
using Moirai.Tool.Connecting;
using Moirai.Tool.Views;

namespace Moirai.Tool.Top;

/// <summary>In which order tasks are shown.</summary>
internal enum TopOrder
{
    /// <summary>Two lists: the busiest, and those that have waited longest.</summary>
    Both,
    Busy,
    Waited,
    Name,
}

/// <summary>A task and how busy it has been lately.</summary>
/// <param name="Task">The task.</param>
/// <param name="Busy">The share of one processor; null when its runtime does not account for time, or it has just appeared.</param>
/// <param name="Polls">How often a second a thread took it up; null likewise.</param>
internal sealed record TopTask(TaskSnapshot Task, double? Busy, double? Polls);

/// <summary>One runtime at one moment, and how that differs from a moment ago.</summary>
internal sealed record TopRuntime(RuntimeSnapshot Snapshot, string Accounting, IReadOnlyList<AlarmRow>? Alarms, IReadOnlyList<EventRow> Events, IReadOnlyList<TopTask> Tasks, double? Created, double? Ended);

/// <summary>What <c>moirai top</c> knows: the last answer, and as much of those before as rates need.</summary>
internal sealed class TopModel
{
    // Rates are over so long.
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, Queue<RuntimeSnapshot>> _before = new(StringComparer.Ordinal);
    private string? _selected;

    /// <summary>The runtimes, in the order in which they were made.</summary>
    public IReadOnlyList<TopRuntime> Runtimes { get; private set; } = [];

    /// <summary>How many answers have come.</summary>
    public int Answers { get; private set; }

    public TopOrder Order { get; set; }

    /// <summary>Only tasks with this in their names.</summary>
    public string Filter { get; set; } = string.Empty;

    /// <summary>The filter that is being typed; null when none is.</summary>
    public string? Typed { get; set; }

    public bool IsPaused { get; set; }

    /// <summary>How long ago the last answer came, if that is long.</summary>
    public TimeSpan? Silence { get; set; }

    /// <summary>The one that is shown: the one that was chosen, else the one with the most tasks.</summary>
    public TopRuntime? Shown => Runtimes.FirstOrDefault(runtime => runtime.Snapshot.Runtime == _selected) ?? Runtimes.MaxBy(static runtime => runtime.Snapshot.States.Live);

    /// <summary>Takes an answer.</summary>
    public void Take(Answer answer)
    {
        Answers++;
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        Runtimes = [.. answer.Runtimes.Select(runtime => Take(runtime, seen))];
    }

    /// <summary>Shows the next runtime.</summary>
    public void ShowNext()
    {
        int place = Runtimes.ToList().FindIndex(runtime => ReferenceEquals(runtime, Shown));
        _selected = Runtimes.Count == 0 ? null : Runtimes[(place + 1) % Runtimes.Count].Snapshot.Runtime;
    }

    public void ShowNextOrder() => Order = Order == TopOrder.Name ? TopOrder.Both : Order + 1;

    private TopRuntime Take(JsonElement runtime, Dictionary<string, int> seen)
    {
        RuntimeSnapshot now = Commanding.SnapshotOf(runtime);
        int number = seen[now.Runtime] = seen.GetValueOrDefault(now.Runtime) + 1; // names need not be unique
        string key = $"{now.Runtime}\n{number}";
        if (!_before.TryGetValue(key, out Queue<RuntimeSnapshot>? before))
        {
            _before[key] = before = [];
        }

        while (before.Count > 1 && now.TakenAt - before.Peek().TakenAt > Window)
        {
            before.Dequeue();
        }

        before.TryPeek(out RuntimeSnapshot? then);
        TopTask[] tasks = [.. now.Tasks.Select(task => Rated(task, now, before))];
        double? seconds = then is null || now.TakenAt <= then.TakenAt ? null : (now.TakenAt - then.TakenAt).TotalSeconds;
        before.Enqueue(now);
        return new TopRuntime(
            now,
            runtime.GetProperty("accounting").GetString() ?? string.Empty,
            AlarmRow.ListOf(runtime),
            EventRow.ListOf(runtime),
            tasks,
            (now.Census.Created - then?.Census.Created) / seconds,
            (now.Census.Ended - then?.Census.Ended) / seconds);
    }

    // Beside the first answer in the window in which the task was told.
    private static TopTask Rated(TaskSnapshot task, RuntimeSnapshot now, Queue<RuntimeSnapshot> before)
    {
        foreach (RuntimeSnapshot then in before)
        {
            double seconds = (now.TakenAt - then.TakenAt).TotalSeconds;
            if (seconds > 0 && then.Tasks.FirstOrDefault(one => one.Id == task.Id) is { } past)
            {
                return new TopTask(task, (task.Busy - past.Busy) / TimeSpan.FromSeconds(seconds), (task.Polls - past.Polls) / seconds);
            }
        }

        return new TopTask(task, null, null);
    }
}
