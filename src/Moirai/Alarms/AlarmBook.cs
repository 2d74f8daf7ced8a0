namespace Moirai.Alarms;

/// <summary>Makes alarms of findings: one is raised once, repeated at growing intervals while it is there, and cleared. Not safe for two threads; knows no clock.</summary>
/// <param name="repeatAfter">The first pause between two tellings.</param>
internal sealed class AlarmBook(TimeSpan repeatAfter)
{
    private static readonly TimeSpan s_longestPause = TimeSpan.FromHours(1);

    // Unique in the process. Interlocked.
    private static long s_lastId;

    private readonly Dictionary<(AlarmKind Kind, object Key), Entry> _open = [];
    private readonly List<(AlarmKind Kind, object Key)> _over = [];

    /// <summary>The alarms that are there, as they were told or seen last.</summary>
    internal List<Alarm> Open => [.. _open.Values.Select(static entry => entry.Alarm).OrderBy(static alarm => alarm.Id)];

    internal int Count => _open.Count;

    /// <summary>Takes the findings of one look.</summary>
    /// <param name="findings">What is over its limit.</param>
    /// <param name="at">The time of day, for people. It can be set.</param>
    /// <param name="now">The time since some moment, which only grows: by it alarms are repeated.</param>
    /// <returns>What is to be told, in the order in which it should be: first what is over.</returns>
    internal List<Alarm> Take(List<AlarmFinding> findings, DateTimeOffset at, TimeSpan now)
    {
        List<Alarm> told = [];
        foreach (Entry entry in _open.Values)
        {
            entry.IsThere = false;
        }

        List<Alarm> news = [];
        foreach (AlarmFinding finding in findings)
        {
            var key = (finding.Kind, finding.Key);
            if (!_open.TryGetValue(key, out Entry? entry))
            {
                _open[key] = entry = new Entry(MakeAlarm(finding, Interlocked.Increment(ref s_lastId), at), repeatAfter, now + repeatAfter);
                news.Add(entry.Alarm);
            }
            else if (!entry.IsThere)
            {
                bool repeats = now >= entry.RepeatAt;
                entry.Alarm = MakeAlarm(finding, entry.Alarm.Id, entry.Alarm.RaisedAt) with
                {
                    Phase = repeats || entry.Alarm.Phase == AlarmPhase.Repeated ? AlarmPhase.Repeated : AlarmPhase.Raised,
                    Told = entry.Alarm.Told + (repeats ? 1 : 0),
                };
                if (repeats)
                {
                    entry.Pause = entry.Pause * 2 < s_longestPause ? entry.Pause * 2 : s_longestPause;
                    entry.RepeatAt = now + entry.Pause;
                    news.Add(entry.Alarm);
                }
            }

            entry.IsThere = true;
        }

        foreach (((AlarmKind Kind, object Key) key, Entry entry) in _open)
        {
            if (!entry.IsThere)
            {
                _over.Add(key);
                told.Add(entry.Alarm with { Phase = AlarmPhase.Cleared, Told = entry.Alarm.Told + 1 });
            }
        }

        _over.ForEach(key => _open.Remove(key));
        _over.Clear();
        told.AddRange(news);
        return told;
    }

    private static Alarm MakeAlarm(AlarmFinding finding, long id, DateTimeOffset raisedAt) => new()
    {
        Id = id,
        Kind = finding.Kind,
        Name = finding.Name,
        Count = finding.Count,
        Task = finding.Task,
        SpawnSite = finding.SpawnSite,
        AwaitSite = finding.AwaitSite,
        Lasted = finding.Lasted,
        Limit = finding.Limit,
        RaisedAt = raisedAt,
        Detail = finding.Detail,
    };

    private sealed class Entry(Alarm alarm, TimeSpan pause, TimeSpan repeatAt)
    {
        internal Alarm Alarm { get; set; } = alarm;

        internal TimeSpan Pause { get; set; } = pause;

        internal TimeSpan RepeatAt { get; set; } = repeatAt;

        internal bool IsThere { get; set; } = true;
    }
}
