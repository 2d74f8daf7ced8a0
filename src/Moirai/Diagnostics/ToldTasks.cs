using System.Collections;
using Moirai.Ground;

namespace Moirai.Diagnostics;

/// <summary>The tasks of a snapshot. Kept as numbers, and words that many share; each is made an object when somebody asks for it.</summary>
/// <remarks>
/// A hundred thousand objects with half a dozen references each are what the collector has to trace and to move, while the program stands still: it was most of what a snapshot took from the program. The numbers lie in
/// pages without a reference. Written by who takes the snapshot, then read by anyone; it holds strings, numbers and ids, and nothing of the program.
/// </remarks>
/// <param name="level">Of what the runtime keeps accounts.</param>
internal sealed class ToldTasks(AccountingLevel level) : IReadOnlyList<TaskSnapshot>
{
    internal const int None = -1;

    private readonly Pages<ToldTask> _tasks = new();
    private readonly Pages<long>? _polls = level == AccountingLevel.None ? null : new();
    private readonly Pages<ToldTimes>? _times = level == AccountingLevel.Exact ? new() : null;

    public int Count => _tasks.Count;

    internal Pages<ToldName> Names { get; } = new();

    internal Pages<ToldChain> Chains { get; } = new();

    internal Pages<WaitSnapshot> Waits { get; } = new();

    internal Pages<ToldBurden> Burdens { get; } = new();

    /// <summary>For how many seconds the methods of a chain have stood where they stand; <see cref="None"/> where that is not known.</summary>
    internal NumberRows Stands { get; } = new();

    public TaskSnapshot this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return Make(index);
        }
    }

    public IEnumerator<TaskSnapshot> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
        {
            yield return Make(i);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal void Add(in ToldTask task) => _tasks.Add(task);

    /// <summary>How often the task that was added last was taken up.</summary>
    internal void Add(long? polls) => _polls?.Add(polls ?? None);

    /// <summary>What the task that was added last has done with its time.</summary>
    internal void Add(TimeSpan? busy, TimeSpan? ready, TimeSpan? blocked, TimeSpan? age) => _times?.Add(busy is null || ready is null || blocked is null || age is null
        ? default
        : new ToldTimes { IsKnown = true, Busy = busy.Value, Ready = ready.Value, Blocked = blocked.Value, Age = age.Value });

    private TaskSnapshot Make(int index)
    {
        ref readonly ToldTask told = ref _tasks[index];
        long polls = _polls is null ? None : _polls[index];
        ToldTimes times = _times is null ? default : _times[index];
        ToldName name = Names[told.Name];
        ToldChain chain = Chains[told.Chain];
        ToldBurden burden = told.Burden == None ? default : Burdens[told.Burden];
        return new TaskSnapshot
        {
            Id = new TaskId(told.Id),
            Name = name.Name,
            Scope = told.Scope == None ? null : told.Scope,
            State = told.State,
            SpawnSite = name.Site,
            Chain = chain.Frames,
            ChainWaited = told.Stands == None ? [] : new StandingTimes(Stands.Row(told.Stands, chain.Frames.Count)),
            AwaitSite = chain.Site,
            Wait = told.Wait == None ? null
                : told.Due == ToldTask.NeverDue ? Waits[told.Wait]
                : Waits[told.Wait] with { DueIn = new TimeSpan(told.Due) },
            Waited = told.Waited == None ? null : TimeSpan.FromSeconds(told.Waited),
            Polls = polls == None ? null : polls,
            Busy = times.IsKnown ? times.Busy : null,
            Ready = times.IsKnown ? times.Ready : null,
            Blocked = times.IsKnown ? times.Blocked : null,
            Age = times.IsKnown ? times.Age : null,
            Holds = burden.Holds ?? [],
            CancelCause = burden.CancelCause,
            IsResident = told.IsResident,
            IsAbandoned = told.IsAbandoned,
        };
    }
}

/// <summary>What is told of one task. No reference: what is in words is the number of a row. <see cref="ToldTasks.None"/> is nothing.</summary>
internal struct ToldTask
{
    internal const long NeverDue = long.MinValue;

    internal long Id;

    // Ticks until time ends the wait.
    internal long Due;
    internal int Name;
    internal int Scope;
    internal int Chain;
    internal int Stands;
    internal int Wait;

    // Seconds.
    internal int Waited;
    internal int Burden;
    private byte _state;
    private byte _flags;

    internal TaskState State
    {
        readonly get => (TaskState)_state;
        set => _state = (byte)value;
    }

    internal readonly bool IsResident => (_flags & 1) != 0;

    internal readonly bool IsAbandoned => (_flags & 2) != 0;

    internal void Mark(bool isResident, bool isAbandoned) => _flags = (byte)((isResident ? 1 : 0) | (isAbandoned ? 2 : 0));
}

/// <summary>What a task has done with its time.</summary>
internal readonly struct ToldTimes
{
    internal bool IsKnown { get; init; }

    internal TimeSpan Busy { get; init; }

    internal TimeSpan Ready { get; init; }

    internal TimeSpan Blocked { get; init; }

    internal TimeSpan Age { get; init; }
}

/// <summary>What a task is called, and where it was spawned.</summary>
internal readonly record struct ToldName(string Name, string Site);

/// <summary>Where a task stands.</summary>
internal readonly record struct ToldChain(IReadOnlyList<FrameSnapshot> Frames, string? Site);

/// <summary>What few tasks have: something that they hold, somebody who asked them to stop.</summary>
internal readonly record struct ToldBurden(IReadOnlyList<string> Holds, string? CancelCause);

/// <summary>For how long each method of a chain has stood where it stands. Two of the same row are equal, as the same list is.</summary>
internal sealed class StandingTimes(ArraySegment<int> seconds) : IReadOnlyList<TimeSpan?>, IEquatable<StandingTimes>
{
    private readonly ArraySegment<int> _seconds = seconds;

    public int Count => _seconds.Count;

    public TimeSpan? this[int index] => Time(_seconds[index]);

    public IEnumerator<TimeSpan?> GetEnumerator()
    {
        foreach (int time in _seconds)
        {
            yield return Time(time);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public bool Equals(StandingTimes? other) => other is not null && _seconds == other._seconds;

    public override bool Equals(object? obj) => Equals(obj as StandingTimes);

    public override int GetHashCode() => _seconds.GetHashCode();

    private static TimeSpan? Time(int seconds) => seconds == ToldTasks.None ? null : TimeSpan.FromSeconds(seconds);
}
