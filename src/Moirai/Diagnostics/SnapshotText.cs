using System.Buffers;
using System.Globalization;
using System.Text;

namespace Moirai.Diagnostics;

/// <summary>A snapshot for a human at night: what is stuck, where, since when and because of whom, on one screen.</summary>
/// <remarks>The widest first everywhere. What does not fit is counted, and said to be.</remarks>
internal static class SnapshotText
{
    private static readonly SearchValues<char> s_plain = SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(static code => (char)code), '×', '←', '…']);

    private const int Columns = 120;
    private const int Lines = 50;
    private const int MostScopes = 10;
    private const int MostPrimitives = 6;
    private const int MostNotes = 3;

    internal static string Of(RuntimeSnapshot snapshot)
    {
        List<string> lines = [];
        AddHead(snapshot, lines);
        List<string> scopes = Scopes(snapshot);
        List<string> primitives = Primitives(snapshot);
        AddGroups(snapshot, lines, Lines - lines.Count - scopes.Count - primitives.Count);
        lines.AddRange(primitives);
        lines.AddRange(scopes);
        return string.Join('\n', lines.Select(Fitted));
    }

    private static void AddHead(RuntimeSnapshot snapshot, List<string> lines)
    {
        StateCounts states = snapshot.States;
        lines.Add(Invariant($"runtime '{snapshot.Runtime}' at {snapshot.TakenAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z (taken in {Durations.Words(snapshot.Duration)})"));
        lines.Add(Invariant($"tasks   {states.Live:N0} live: {states.Blocked:N0} blocked, {states.Ready:N0} ready, {states.Running:N0} running{Some(states.Created, "not begun")}")
            + Some(snapshot.Census.Abandoned, "abandoned"));
        Census census = snapshot.Census;
        lines.Add(Invariant($"ever    {census.Created:N0} created, {census.Completed:N0} completed, {census.Failed:N0} failed, {census.Canceled:N0} canceled{Some(census.Unobserved, "failures unseen")}{Some(census.Zombies, "failures never seen")}"));
        TimerGauges timers = snapshot.Timers;
        lines.Add(Invariant($"timers  {timers.Depth:N0}")
            + (timers.NextIn is { } next ? $", next due in {Durations.Words(next)}" : string.Empty)
            + (timers.OldestOverdue > TimeSpan.Zero ? $", the oldest overdue by {Durations.Words(timers.OldestOverdue)}" : string.Empty)
            + (timers.Fired > 0 ? Invariant($"; {timers.Fired:N0} fired, late by {Durations.Words(timers.MeanLag)} on average, {Durations.Words(timers.MaxLag)} at most") : string.Empty));
        foreach (string note in snapshot.Notes.Take(MostNotes))
        {
            lines.Add($"note    {note}");
        }
    }

    private static void AddGroups(RuntimeSnapshot snapshot, List<string> lines, int most)
    {
        lines.Add(string.Empty);
        lines.Add(snapshot.Groups.Count == 0 ? "no tasks" : "what they do");
        int left = most - 3; // with the line that says what is missing
        long told = 0;
        int shown = 0;
        foreach (GroupSnapshot group in snapshot.Groups)
        {
            string? chain = Chain(group);
            if (left < (chain is null ? 1 : 2))
            {
                break;
            }

            lines.Add($"  {(group.Count == 1 ? One(group) : group.ToString())}");
            if (chain is not null)
            {
                lines.Add($"      {chain}");
            }

            left -= chain is null ? 1 : 2;
            told += group.Count;
            shown++;
        }

        int kinds = snapshot.Groups.Count + snapshot.GroupsNotListed - shown;
        if (kinds > 0)
        {
            lines.Add(Invariant($"  … and {snapshot.States.Live - told:N0} more, of {kinds:N0} kinds"));
        }
    }

    // One task has an id, by which it can be asked for.
    private static string One(GroupSnapshot group) => $"{group.Oldest} {group.ToString().AsSpan("× 1 ".Length)}";

    // The frames of the user's that are not in the line above already.
    private static string? Chain(GroupSnapshot group)
    {
        List<FrameSnapshot> frames = [.. group.Chain.Where(static frame => !frame.IsInfrastructure)];
        return frames.Count == 0 || (frames.Count == 1 && frames[0].Site is null)
            ? null
            : string.Join(" ← ", frames.Select(static frame => frame.Site is null ? frame.Method : $"{frame.Method} {frame.Site}"));
    }

    private static List<string> Primitives(RuntimeSnapshot snapshot)
    {
        List<PrimitiveSnapshot> waited = [.. snapshot.Primitives.Where(static one => one.Waiting > 0).OrderByDescending(static one => one.Waiting)];
        if (waited.Count == 0)
        {
            return [];
        }

        List<string> lines = [string.Empty, "what they wait in"];
        foreach (PrimitiveSnapshot one in waited.Take(MostPrimitives))
        {
            string longest = one.LongestWait is { TotalSeconds: >= 1 } wait ? $", the longest for {Durations.Words(wait)}" : string.Empty;
            lines.Add($"  {one.Description}{longest}");
        }

        int more = waited.Count - MostPrimitives + snapshot.PrimitivesNotListed;
        if (more > 0)
        {
            lines.Add(Invariant($"  … and {more:N0} more"));
        }

        return lines;
    }

    private static List<string> Scopes(RuntimeSnapshot snapshot)
    {
        if (snapshot.Scopes.Count <= 1)
        {
            return [];
        }

        // Those with the most tasks, in the order of the tree.
        HashSet<int> shown = [.. snapshot.Scopes.Skip(1).OrderByDescending(static scope => scope.States.Live).ThenBy(static scope => scope.Index).Take(MostScopes).Select(static scope => scope.Index)];
        List<string> lines = [string.Empty, "scopes"];
        foreach (ScopeSnapshot scope in snapshot.Scopes.Where(scope => shown.Contains(scope.Index)))
        {
            var line = new StringBuilder();
            line.Append(' ', Math.Min(scope.Depth, 12) * 2).Append(CultureInfo.InvariantCulture, $"{Word(scope.Kind)} '{scope.Name}'  {scope.States.Live:N0} live");
            if (scope.Slots is { } slots)
            {
                line.Append(CultureInfo.InvariantCulture, $", {slots.InUse:N0} of {slots.Limit:N0} slots{Some(slots.Waiting, "waiting for one")}");
            }

            line.Append(Some(scope.Failed, "failed")).Append(scope.CancelCause is null ? string.Empty : $", {scope.CancelCause}");
            lines.Add(line.ToString());
        }

        int more = snapshot.Scopes.Count - 1 - shown.Count + snapshot.ScopesNotListed;
        if (more > 0)
        {
            lines.Add(Invariant($"  … and {more:N0} more"));
        }

        return lines;
    }

    private static string Word(ScopeKind kind) => kind.ToString().ToLowerInvariant();

    private static string Some(long count, string what) => count == 0 ? string.Empty : Invariant($", {count:N0} {what}");

    private static string Fitted(string line)
    {
        string text = Printable(line);
        int end = Math.Min(text.Length, Columns - 1);
        return text.Length <= Columns ? text : $"{text.AsSpan(0, char.IsHighSurrogate(text[end - 1]) ? end - 1 : end)}…";
    }

    // Names are the program's, or come from outside: none ends a line, or tells a terminal what to do.
    private static string Printable(string line) => !line.AsSpan().ContainsAnyExcept(s_plain) ? line : string.Create(line.Length, line, static (text, line) =>
    {
        for (int i = 0; i < text.Length; i++)
        {
            text[i] = char.IsControl(line[i]) || char.GetUnicodeCategory(line[i]) is UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator ? '·' : line[i];
        }
    });

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
