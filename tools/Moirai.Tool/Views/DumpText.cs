namespace Moirai.Tool.Views;

/// <summary>A snapshot as text, whole: every group with its chain, then what is waited in, then scopes, alarms, and tasks where they were asked for.</summary>
internal static class DumpText
{
    public static void Write(RuntimeSnapshot snapshot, IReadOnlyList<AlarmRow>? alarms, IReadOnlyList<EventRow> events, TextWriter to, int width)
    {
        foreach (string line in Head(snapshot).Concat(Groups(snapshot)).Concat(Primitives(snapshot)).Concat(Scopes(snapshot)).Concat(Alarms(alarms)).Concat(Events(events)).Concat(Tasks(snapshot)))
        {
            to.WriteLine(Words.Wrap(line, width));
        }
    }

    /// <summary>The first lines: name, tasks by state, counts, timers.</summary>
    private static IEnumerable<string> Head(RuntimeSnapshot snapshot)
    {
        StateCounts states = snapshot.States;
        Census census = snapshot.Census;
        TimerGauges timers = snapshot.Timers;
        yield return $"runtime '{snapshot.Runtime}' at {snapshot.TakenAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z, taken in {Words.Time(snapshot.Duration)}";
        yield return $"tasks   {Words.Count(states.Live)} live: {Words.Count(states.Blocked)} blocked, {Words.Count(states.Ready)} ready, {Words.Count(states.Running)} running"
            + (states.Created > 0 ? $", {Words.Count(states.Created)} not begun" : string.Empty)
            + (census.Abandoned > 0 ? $"; {Words.Count(census.Abandoned)} abandoned" : string.Empty);
        yield return $"ever    {Words.Count(census.Created)} created, {Words.Count(census.Completed)} completed, {Words.Count(census.Failed)} failed, {Words.Count(census.Canceled)} canceled"
            + (census.Deadlocks > 0 ? $"; {Words.Some(census.Deadlocks, "deadlock")}" : string.Empty);
        yield return $"timers  {Words.Count(timers.Depth)}"
            + (timers.OldestOverdue > TimeSpan.Zero ? $", the oldest overdue by {Words.Time(timers.OldestOverdue)}" : timers.NextIn is { } next ? $", next due in {Words.Time(next)}" : string.Empty)
            + (timers.Fired > 0 ? $"; {Words.Count(timers.Fired)} fired, late by {Words.Time(timers.MeanLag)} on average, {Words.Time(timers.MaxLag)} at most" : string.Empty);
        foreach (string note in snapshot.Notes)
        {
            yield return $"note    {note}";
        }
    }

    private static IEnumerable<string> Groups(RuntimeSnapshot snapshot)
    {
        if (snapshot.Groups.Count == 0)
        {
            yield break;
        }

        yield return string.Empty;
        yield return "what they do";
        foreach (GroupSnapshot group in snapshot.Groups)
        {
            yield return $"  {(group.Count == 1 ? group.ToString().Replace("× 1 ", $"{group.Oldest} ", StringComparison.Ordinal) : group.ToString())}";
            foreach (string frame in Chain(group.Chain, group.AwaitSite))
            {
                yield return $"      {frame}";
            }
        }

        if (snapshot.GroupsNotListed > 0)
        {
            yield return $"  … and {Words.Some(snapshot.GroupsNotListed, "more kind")}";
        }
    }

    // Not where it would only say again what the line above says.
    private static IEnumerable<string> Chain(IReadOnlyList<FrameSnapshot> chain, string? site) => chain is [{ Site: null }] || (chain is [var only] && only.ToString() == site)
        ? [] : chain.Where(static frame => !frame.IsInfrastructure).Select(static frame => $"at {frame}");

    private static IEnumerable<string> Primitives(RuntimeSnapshot snapshot)
    {
        List<PrimitiveSnapshot> waited = [.. snapshot.Primitives.Where(static one => one.Waiting > 0)];
        if (waited.Count == 0)
        {
            yield break;
        }

        yield return string.Empty;
        yield return "what they wait in";
        foreach (PrimitiveSnapshot one in waited)
        {
            yield return $"  {one.Description}{(one.LongestWait is { TotalSeconds: >= 1 } wait ? $", the longest for {Words.Time(wait)}" : string.Empty)}";
        }

        if (snapshot.PrimitivesNotListed > 0)
        {
            yield return $"  … and {Words.Count(snapshot.PrimitivesNotListed)} more";
        }
    }

    private static IEnumerable<string> Scopes(RuntimeSnapshot snapshot)
    {
        if (snapshot.Scopes.Count <= 1)
        {
            yield break;
        }

        yield return string.Empty;
        yield return "scopes";
        foreach (ScopeSnapshot scope in snapshot.Scopes.Skip(1))
        {
            yield return $"{new string(' ', Math.Min(scope.Depth, 20) * 2)}{ScopeWords.Of(scope)}";
        }

        if (snapshot.ScopesNotListed > 0)
        {
            yield return $"  … and {Words.Count(snapshot.ScopesNotListed)} more";
        }
    }

    private static IEnumerable<string> Alarms(IReadOnlyList<AlarmRow>? alarms) => alarms is not { Count: > 0 } ? [] : [string.Empty, "alarms", .. alarms.Select(static alarm => $"  {alarm.Text}")];

    private static IEnumerable<string> Events(IReadOnlyList<EventRow> events) => events.Count == 0 ? [] : [string.Empty, "found lately", .. events.Select(static one => $"  {one}")];

    private static IEnumerable<string> Tasks(RuntimeSnapshot snapshot)
    {
        if (snapshot.Tasks.Count == 0)
        {
            yield break;
        }

        yield return string.Empty;
        yield return "tasks";
        foreach (TaskSnapshot task in snapshot.Tasks)
        {
            yield return $"  {task}";
            yield return $"      spawned at {task.SpawnSite}{(task.Scope is { } scope and > 0 ? $" in {ScopeWords.Name(snapshot.Scopes[scope])}" : string.Empty)}{(task.Polls is { } polls ? $"; taken up {Words.Some(polls, "time")}" : string.Empty)}{(task.Busy is { } busy ? $", busy {Words.Time(busy)}" : string.Empty)}{(task.CancelCause is { } cause ? $"; {cause}" : string.Empty)}";
            foreach (string frame in Chain(task.Chain, task.AwaitSite))
            {
                yield return $"      {frame}";
            }
        }

        if (snapshot.TasksNotListed > 0)
        {
            yield return $"  … and {Words.Count(snapshot.TasksNotListed)} more (--tasks)";
        }
    }
}

/// <summary>Scopes and pools in words.</summary>
internal static class ScopeWords
{
    public static string Name(ScopeSnapshot scope) => $"{scope.Kind.ToString().ToLowerInvariant()} '{scope.Name}'";

    public static string Of(ScopeSnapshot scope) =>
        $"{Name(scope)}  {Words.Count(scope.States.Live)} live"
        + (scope.Slots is { } slots ? $", {Words.Count(slots.InUse)} of {Words.Some(slots.Limit, "slot")}{(slots.Waiting > 0 ? $", {Words.Count(slots.Waiting)} waiting for one" : string.Empty)}" : string.Empty)
        + (scope.Failed > 0 ? $", {Words.Count(scope.Failed)} failed" : string.Empty)
        + (scope.Opener is { } opener ? $", opened by {opener}" : string.Empty)
        + (scope.CancelCause is { } cause ? $", {cause}" : string.Empty);
}
