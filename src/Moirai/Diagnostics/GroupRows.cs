namespace Moirai.Diagnostics;

/// <summary>Counts tasks of one name that stand at one place in one state and wait for one thing, however many tasks there are.</summary>
/// <param name="most">How many rows are told apart by name; those that come after are told without, and when there are twice as many without anything.</param>
internal sealed class GroupRows(int most)
{
    private readonly Dictionary<RowKey, GroupRow> _rows = [];

    /// <summary>Counts a task.</summary>
    internal void Add(in SeenTask task)
    {
        var key = new RowKey(task.Name, task.State, task.Chain, task.Target?.Words);
        GroupRow? last = task.Chain.LastRow;
        if (last is null || !key.IsSame(last.Asked))
        {
            task.Chain.LastRow = last = RowOf(key, task);
            last.Asked = key;
        }

        last.Add(task);
    }

    /// <summary>The largest first.</summary>
    internal List<GroupSnapshot> Largest(int count, PrimitiveTable primitives) =>
        [.. _rows.Values.OrderByDescending(static row => row.Count).ThenBy(static row => row.Oldest).Take(count).Select(row => row.ToSnapshot(primitives))];

    internal int Count => _rows.Count;

    private GroupRow RowOf(RowKey key, in SeenTask task)
    {
        if (_rows.TryGetValue(key, out GroupRow? row))
        {
            return row;
        }

        if (_rows.Count >= most)
        {
            key = _rows.Count < most * 2 ? key with { Name = null } : new RowKey(null, key.State, null, null);
            if (_rows.TryGetValue(key, out row))
            {
                return row;
            }
        }

        return _rows[key] = new GroupRow(key, task);
    }
}

/// <summary>What tells groups apart.</summary>
internal readonly record struct RowKey(string? Name, TaskState State, ChainNode? Chain, string? Words)
{
    internal bool IsSame(in RowKey other) =>
        ReferenceEquals(Name, other.Name) && State == other.State && ReferenceEquals(Chain, other.Chain) && ReferenceEquals(Words, other.Words);
}

/// <summary>One group, while it is counted.</summary>
internal sealed class GroupRow(RowKey key, in SeenTask first)
{
    private readonly KnownTarget? _target = key.Words is null ? null : first.Target;
    private bool _isMixed;
    private TimeSpan? _waited;
    private TimeSpan? _due;

    /// <summary>What was asked for when the row was found last: another name, perhaps, when there are too many.</summary>
    internal RowKey Asked { get; set; }

    internal long Count { get; private set; }

    internal TaskId Oldest { get; private set; }

    internal void Add(in SeenTask task)
    {
        _isMixed |= !ReferenceEquals(task.Target, _target);
        if (Count++ == 0 || (task.Waited is { } waited && !(waited <= _waited))) // one that went on while it was read has no time
        {
            Oldest = task.Id;
            _waited = task.Waited;
        }

        if (task.Due is { } due && (_due is null || due < _due))
        {
            _due = due;
        }
    }

    internal GroupSnapshot ToSnapshot(PrimitiveTable primitives)
    {
        WaitSnapshot? wait = _target is null ? null
            : _isMixed ? new WaitSnapshot(_target.Target.Kind, _target.Words) { DueIn = _due }
            : _target.Snapshot(primitives, _due);
        return new GroupSnapshot
        {
            Count = Count,
            Name = key.Name,
            State = key.State,
            AwaitSite = key.Chain?.Site,
            Chain = key.Chain?.Frames ?? [],
            Wait = wait,
            Oldest = Oldest,
            Waited = _waited,
        };
    }
}

/// <summary>What was seen of a task at one moment.</summary>
internal readonly struct SeenTask
{
    internal required TaskId Id { get; init; }

    internal required string Name { get; init; }

    internal required TaskState State { get; init; }

    internal required ChainNode Chain { get; init; }

    internal KnownTarget? Target { get; init; }

    internal TimeSpan? Waited { get; init; }

    internal TimeSpan? Due { get; init; }
}
