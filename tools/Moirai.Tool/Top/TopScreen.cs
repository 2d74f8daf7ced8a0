using Moirai.Tool.Connecting;
using Moirai.Tool.Views;

namespace Moirai.Tool.Top;

/// <summary>Draws <c>moirai top</c>: a picture of one moment, in as many columns and lines as there are.</summary>
internal static class TopScreen
{
    private const int MostPools = 4;
    private const int MostAlarms = 3;
    private const int MostEvents = 5;
    private const int FewestEvents = 2;

    // From so many lines on there is room for all events that are shown.
    private const int TallEnough = 36;
    private const int FewestRows = 3;
    private const int Indent = 2;

    /// <summary>The picture.</summary>
    /// <param name="model">What is known.</param>
    /// <param name="target">Of whom.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Lines.</param>
    /// <param name="keys">Whether keys can be pressed, so that they are told.</param>
    public static List<ScreenLine> Draw(TopModel model, Target target, int width, int height, bool keys)
    {
        List<ScreenLine> lines = [Title(model, target, width)];
        if (model.Shown is not { } shown)
        {
            lines.Add(new ScreenLine().Add(model.Answers == 0 ? "waiting for the first answer …" : "no runtime runs in this process any more", Look.Faint));
        }
        else
        {
            AddHead(shown, lines);
            AddPools(shown.Snapshot, lines, width);
            AddAlarms(shown, lines, width);
            AddEvents(shown, lines, width, height >= TallEnough ? MostEvents : FewestEvents);
            AddTasks(model, shown, lines, width, Math.Max(2 * FewestRows, height - lines.Count - (keys ? 1 : 0)));
        }

        if (keys)
        {
            while (lines.Count < height - 1)
            {
                lines.Add(new ScreenLine());
            }

            lines.RemoveRange(Math.Max(1, height - 1), Math.Max(0, lines.Count - Math.Max(1, height - 1)));
            lines.Add(Keys(model));
        }

        return lines;
    }

    private static ScreenLine Title(TopModel model, Target target, int width)
    {
        var line = new ScreenLine();
        line.Add("moirai top", Look.Head).Add($"  {target.Id} {target.Name}");
        if (model.Shown is { } shown)
        {
            line.Add("  runtime ").Add($"'{shown.Snapshot.Runtime}'", Look.Strong);
            if (model.Runtimes.Count > 1)
            {
                line.Add($" ({model.Runtimes.ToList().IndexOf(shown) + 1} of {model.Runtimes.Count})", Look.Faint);
            }
        }

        string note = model.IsPaused ? "PAUSED" : model.Silence is { } silence ? $"no answer for {Words.Time(silence)}" : string.Empty;
        string time = model.Shown is { } at ? $"{at.Snapshot.TakenAt.UtcDateTime:HH:mm:ss.f}Z" : string.Empty;
        line.Add("  ").To(Math.Min(width, 120) - time.Length - (note.Length == 0 ? 0 : note.Length + 2));
        return line.Add(note, Look.Bad).Add(note.Length == 0 ? string.Empty : "  ").Add(time, Look.Faint);
    }

    private static void AddHead(TopRuntime shown, List<ScreenLine> lines)
    {
        RuntimeSnapshot now = shown.Snapshot;
        lines.Add(Label("tasks").Add($"{Words.Count(now.States.Live)} live", Look.Strong).Add($": {Words.Count(now.States.Blocked)} blocked, ")
            .Add($"{Words.Count(now.States.Ready)} ready", now.States.Ready > 0 ? Look.Strong : Look.Plain).Add(", ")
            .Add($"{Words.Count(now.States.Running)} running", now.States.Running > 0 ? Look.Good : Look.Plain)
            .Add(now.States.Created > 0 ? $", {Words.Count(now.States.Created)} not begun" : string.Empty));
        lines.Add(Label("ever").Add($"{Words.Count(now.Census.Created)} created, {Words.Count(now.Census.Completed)} completed, ")
            .Add($"{Words.Count(now.Census.Failed)} failed", now.Census.Failed > 0 ? Look.Bad : Look.Plain).Add($", {Words.Count(now.Census.Canceled)} canceled")
            .Add(shown.Created is { } created ? $"   +{Words.Count(created)}/s −{Words.Count(shown.Ended ?? 0)}/s" : string.Empty, Look.Faint));
        TimerGauges timers = now.Timers;
        lines.Add(Label("timers").Add(Words.Count(timers.Depth))
            .Add(timers.OldestOverdue > TimeSpan.FromMilliseconds(50) ? $", overdue by {Words.Time(timers.OldestOverdue)}" : string.Empty, Look.Bad)
            .Add(timers.OldestOverdue <= TimeSpan.Zero && timers.NextIn is { } next ? $", next in {Words.Time(next)}" : string.Empty));
    }

    // The fullest.
    private static void AddPools(RuntimeSnapshot now, List<ScreenLine> lines, int width)
    {
        List<ScopeSnapshot> pools = [.. now.Scopes.Where(static scope => scope.Slots is not null)
            .OrderByDescending(static pool => pool.Slots!.Waiting).ThenByDescending(static pool => (double)pool.Slots!.InUse / pool.Slots.Limit).ThenBy(static pool => pool.Index)];
        int bar = width >= 100 ? 30 : 16;
        int name = Math.Min(24, pools.Count == 0 ? 0 : pools.Take(MostPools).Max(static pool => Words.Columns(Words.Plain(pool.Name))));
        foreach (ScopeSnapshot pool in pools.Take(MostPools))
        {
            SlotSnapshot slots = pool.Slots!;
            int full = (int)Math.Ceiling((double)bar * Math.Min(slots.InUse, slots.Limit) / slots.Limit);
            Look look = slots.InUse >= slots.Limit ? Look.Bad : Look.Bar;
            lines.Add(Label(ReferenceEquals(pool, pools[0]) ? "slots" : string.Empty).Add($"{Words.Pad(Words.Fit(pool.Name, name), name)} [")
                .Add(new string('|', full), look).Add(new string(' ', bar - full)).Add($"] {Words.Count(slots.InUse)} of {Words.Count(slots.Limit)}")
                .Add(slots.Waiting > 0 ? $", {Words.Count(slots.Waiting)} waiting" : string.Empty, Look.Bad));
        }

        if (pools.Count > MostPools)
        {
            lines.Add(Label(string.Empty).Add($"… and {Words.Some(pools.Count - MostPools, "more pool")}", Look.Faint));
        }
    }

    private static void AddAlarms(TopRuntime shown, List<ScreenLine> lines, int width)
    {
        if (shown.Alarms is not { } alarms)
        {
            lines.Add(Label("alarms").Add("not asked for (TaskRuntimeOptions.Alarms)", Look.Faint));
            return;
        }

        lines.Add(Label("alarms").Add(alarms.Count == 0 ? "none" : Words.Count(alarms.Count), alarms.Count == 0 ? Look.Good : Look.Bad));
        foreach (AlarmRow alarm in alarms.TakeLast(MostAlarms))
        {
            lines.Add(Label(string.Empty).Add(Words.Fit(alarm.Text, Math.Max(10, width - 8)), Look.Bad));
        }

        if (alarms.Count > MostAlarms)
        {
            lines.Add(Label(string.Empty).Add($"… and {Words.Count(alarms.Count - MostAlarms)} older", Look.Faint));
        }
    }

    // What was found lately, and what became of it; the newest first.
    private static void AddEvents(TopRuntime shown, List<ScreenLine> lines, int width, int most)
    {
        foreach (EventRow one in shown.Events.Take(most))
        {
            Look look = one.Kind switch
            {
                nameof(RuntimeEventKind.AlarmCleared) => Look.Plain,
                nameof(RuntimeEventKind.Deadlock) or nameof(RuntimeEventKind.Leaked) => Look.Bad,
                _ => Look.Strong,
            };
            string time = $"{one.At.UtcDateTime:HH:mm:ss}Z  ";
            lines.Add(Label(ReferenceEquals(one, shown.Events[0]) ? "found" : string.Empty).Add(time, Look.Faint).Add($"{one.Title}: ", look)
                .Add(Words.Fit(one.Text, Math.Max(10, width - 8 - time.Length - one.Title.Length - 2))));
        }
    }

    private static void AddTasks(TopModel model, TopRuntime shown, List<ScreenLine> lines, int width, int room)
    {
        List<TopTask> busiest = [.. shown.Tasks.Where(static one => one.Busy > 0 || one.Polls > 0 || one.Task.State == TaskState.Running)
            .OrderByDescending(static one => one.Busy ?? 0).ThenByDescending(static one => one.Polls ?? 0)];
        List<TopTask> waiting = [.. shown.Tasks.Where(static one => one.Task.Waited is not null).OrderByDescending(static one => one.Task.Waited).ThenBy(static one => one.Task.Id)];
        switch (model.Order)
        {
            case TopOrder.Both:
                int half = Math.Min(Math.Max(1, busiest.Count), Math.Max(FewestRows, (room - 4) / 2));
                AddBusiest(shown, busiest, lines, width, half);
                AddWaiting(waiting, lines, width, Math.Max(FewestRows, room - half - 4));
                break;
            case TopOrder.Busy:
                AddBusiest(shown, busiest, lines, width, room - 2);
                break;
            case TopOrder.Waited:
                AddWaiting(waiting, lines, width, room - 2);
                break;
            default:
                AddBusiest(shown, [.. shown.Tasks.OrderBy(static one => one.Task.Name, StringComparer.Ordinal).ThenBy(static one => one.Task.Id)], lines, width, room - 2, "by name");
                break;
        }
    }

    private static void AddBusiest(TopRuntime shown, List<TopTask> tasks, List<ScreenLine> lines, int width, int rows, string head = "busiest")
    {
        int first = TitleWidth(tasks.Take(rows), width);
        lines.Add(new ScreenLine());
        lines.Add(new ScreenLine().Add(head.PadRight(first + Indent), Look.Head).Add("   busy    polls/s  state    at", Look.Head));
        if (tasks.Count == 0)
        {
            lines.Add(new ScreenLine().Add(shown.Accounting == nameof(AccountingLevel.None) ? "  not accounted for (TaskRuntimeOptions.Accounting)" : "  none ran lately", Look.Faint));
        }

        foreach (TopTask one in tasks.Take(rows))
        {
            TaskState state = one.Task.State;
            lines.Add(new ScreenLine().Add(Titled(one, first)).Add($"{(one.Busy is { } busy ? $"{Math.Min(busy, 99.99):0.0%}" : "-"),7}").Add($"{(one.Polls is { } polls ? Words.Count(polls) : "-"),11}")
                .Add($"  {state.ToString().ToLowerInvariant(),-7}", state == TaskState.Running ? Look.Good : Look.Plain).Add($"  {one.Task.AwaitSite}"));
        }
    }

    private static void AddWaiting(List<TopTask> tasks, List<ScreenLine> lines, int width, int rows)
    {
        int first = TitleWidth(tasks.Take(rows), width);
        int site = Math.Max(2, Math.Min(width / 4, tasks.Take(rows).Select(static one => one.Task.AwaitSite?.Length ?? 0).DefaultIfEmpty().Max()));
        lines.Add(new ScreenLine());
        lines.Add(new ScreenLine().Add("longest blocked".PadRight(first + Indent), Look.Head).Add($"  {"waited",7}  {"at".PadRight(site)}  on", Look.Head));
        if (tasks.Count == 0)
        {
            lines.Add(new ScreenLine().Add("  none waits", Look.Faint));
        }

        foreach (TopTask one in tasks.Take(rows))
        {
            TimeSpan waited = one.Task.Waited!.Value;
            lines.Add(new ScreenLine().Add(Titled(one, first)).Add($"  {(waited.TotalSeconds < 1 ? "< 1 s" : Words.Time(waited)),7}")
                .Add($"  {Words.Pad(Words.Fit(one.Task.AwaitSite ?? string.Empty, site), site)}").Add($"  {one.Task.Wait}"));
        }
    }

    private static int TitleWidth(IEnumerable<TopTask> tasks, int width) =>
        Math.Clamp(tasks.Select(static one => Words.Columns(Words.Plain($"{one.Task.Id} {one.Task.Name}"))).DefaultIfEmpty().Max(), 16, Math.Max(16, width / 3));

    private static string Titled(TopTask one, int width) => $"{new string(' ', Indent)}{Words.Pad(Words.Fit($"{one.Task.Id} {one.Task.Name}", width), width)}";

    private static ScreenLine Label(string label) => new ScreenLine().Add(label.PadRight(8), Look.Faint);

    private static ScreenLine Keys(TopModel model)
    {
        if (model.Typed is { } typed)
        {
            return new ScreenLine().Add("names with: ", Look.Head).Add($"{typed}_").Add("   Enter: show them   Esc: back", Look.Faint);
        }

        var line = new ScreenLine().Add("s", Look.Strong).Add($" sort: {Word(model.Order)}  ", Look.Faint).Add("/", Look.Strong)
            .Add(model.Filter.Length == 0 ? " filter  " : $" filter: {Words.Fit(model.Filter, 20)}  ", model.Filter.Length == 0 ? Look.Faint : Look.Strong)
            .Add("p", Look.Strong).Add(model.IsPaused ? " go on  " : " pause  ", Look.Faint);
        if (model.Runtimes.Count > 1)
        {
            line.Add("r", Look.Strong).Add(" next runtime  ", Look.Faint);
        }

        return line.Add("q", Look.Strong).Add(" quit", Look.Faint);
    }

    private static string Word(TopOrder order) => order switch
    {
        TopOrder.Both => "both",
        TopOrder.Busy => "busiest",
        TopOrder.Waited => "longest blocked",
        _ => "name",
    };
}
