using System.Globalization;
using System.Text;
using Moirai.Dashboard.Frames;

namespace Moirai.Dashboard.Watching;

/// <summary>The lives of a few tasks over the last while: what each was seen to do, look by look. Held weakly: being watched keeps no task alive, and delays no news of it.</summary>
/// <remarks>
/// The sample is half of those that have waited longest, one of each group, and half of the youngest. One that has ended stays a while, and then gives its place to another. Who ran between two looks is known by its
/// number of polls; one that was spawned and ended between two looks is not seen. Touched by one thread at a time.
/// </remarks>
internal sealed class Lives(TaskRuntime runtime, TimeProvider time)
{
    internal const int Most = 24;
    internal static readonly TimeSpan Window = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan s_afterlife = TimeSpan.FromSeconds(6);

    private readonly List<Life> _lives = [];

    internal IReadOnlyList<LifeRow> Rows()
    {
        long now = Now();
        return [.. _lives.Select(life => life.ToRow(now))];
    }

    /// <summary>Fills the places of those who are over.</summary>
    internal void Refill(RuntimeSnapshot snapshot)
    {
        long now = Now();
        bool isNew = _lives.Count == 0;
        List<TaskId> candidates = Candidates(snapshot);
        if (candidates.Count == 0)
        {
            return; // the ended ones stay until somebody wants their places
        }

        int room = Most - _lives.Count + _lives.Count(life => life.EndedAt is { } at && now - at > (long)s_afterlife.TotalMilliseconds);
        if (room == 0 || (!isNew && candidates.TrueForAll(id => _lives.Exists(life => life.Id == id))))
        {
            return;
        }

        _lives.RemoveAll(life => life.EndedAt is { } at && now - at > (long)s_afterlife.TotalMilliseconds);
        List<TaskId> wanted = [.. candidates.Where(id => !_lives.Exists(life => life.Id == id)).Take(Most - _lives.Count)];
        foreach (ManagedTask task in runtime.FindTasks(wanted).OrderBy(task => wanted.IndexOf(task.Id)))
        {
            _lives.Add(new Life(task, now, Waited(snapshot, task.Id)));
        }
    }

    internal void Look()
    {
        long now = Now();
        _lives.ForEach(life => life.Look(now));
    }

    private static List<TaskId> Candidates(RuntimeSnapshot snapshot)
    {
        IEnumerable<TaskId> old = snapshot.Groups.Where(static group => group.Oldest.Value > 0).OrderByDescending(static group => group.Waited ?? TimeSpan.Zero).Select(static group => group.Oldest).Take(Most / 2);
        IEnumerable<TaskId> young = snapshot.Tasks.OrderByDescending(static task => task.Id).Select(static task => task.Id).Take(Most);
        return [.. old.Concat(young).Distinct().Take(Most)];
    }

    private static TimeSpan Waited(RuntimeSnapshot snapshot, TaskId id) =>
        snapshot.Tasks.FirstOrDefault(task => task.Id == id)?.Waited ?? snapshot.Groups.FirstOrDefault(group => group.Oldest == id)?.Waited ?? TimeSpan.Zero;

    private long Now() => (long)time.GetElapsedTime(0).TotalMilliseconds;

    private sealed class Life
    {
        private readonly WeakReference<ManagedTask> _task;
        private readonly string _name;
        private readonly string _site;

        // What it did from when on, the oldest first; times in milliseconds.
        private readonly List<(char What, long From)> _spans = [];
        private readonly long? _bornAt;
        private long _lookedAt;
        private long? _polls;
        private TaskState? _outcome;

        internal Life(ManagedTask task, long now, TimeSpan waited)
        {
            _task = new WeakReference<ManagedTask>(task);
            (Id, _name, _site) = (task.Id, task.Name, task.SpawnSite);
            TaskAccount account = task.TakeAccount();
            _polls = account.Polls;
            _lookedAt = now;
            if (account.Age is { } age)
            {
                _bornAt = now - (long)age.TotalMilliseconds;
            }

            long waits = now - (long)waited.TotalMilliseconds;
            if (_bornAt is { } born && born < waits)
            {
                _spans.Add(('p', born)); // it lived; what it did then was not seen
            }

            _spans.Add((Letter(account.State), _bornAt is { } start ? Math.Max(start, waits) : waits));
        }

        internal TaskId Id { get; }

        internal long? EndedAt { get; private set; }

        internal void Look(long now)
        {
            if (EndedAt is not null)
            {
                return;
            }

            if (!_task.TryGetTarget(out ManagedTask? task) || task.IsEnded)
            {
                EndedAt = now;
                _outcome = task?.State;
                return;
            }

            TaskAccount account = task.TakeAccount();
            if (account.Polls != _polls)
            {
                Add('t', _lookedAt); // a thread had it in between
            }

            Add(Letter(account.State), now);
            (_polls, _lookedAt) = (account.Polls, now);
            long oldest = now - (long)Window.TotalMilliseconds;
            while (_spans.Count > 1 && _spans[1].From <= oldest)
            {
                _spans.RemoveAt(0);
            }
        }

        internal LifeRow ToRow(long now)
        {
            var spans = new StringBuilder();
            long end = EndedAt ?? now;
            for (int i = 0; i < _spans.Count; i++)
            {
                long until = i + 1 < _spans.Count ? _spans[i + 1].From : end;
                spans.Append(_spans[i].What).Append(CultureInfo.InvariantCulture, $"{Math.Max(0, until - _spans[i].From)}");
            }

            return new LifeRow(Id, _name, _site, now - _spans[0].From, spans.ToString())
            {
                BornAgo = _bornAt is { } born ? now - born : null,
                EndedAgo = EndedAt is { } at ? now - at : null,
                Outcome = _outcome,
            };
        }

        private void Add(char what, long from)
        {
            if (_spans[^1].What != what)
            {
                _spans.Add((what, Math.Max(from, _spans[^1].From)));
            }
        }

        private static char Letter(TaskState state) => state switch
        {
            TaskState.Running => 'x',
            TaskState.Ready => 'r',
            TaskState.Created => 'c',
            _ => 'b',
        };
    }
}
