using System.Runtime.InteropServices;
using Moirai.Execution;
using Moirai.Stories;

namespace Moirai.Diagnostics;

/// <summary>Writes down what is told of tasks one by one. Of one snapshot; knows the program's objects, which what it writes does not.</summary>
/// <param name="engine">The engine.</param>
/// <param name="now">What the timer queue's clock showed when the snapshot was begun.</param>
/// <param name="chains">Whether chains are told, and how long each method of them has stood there.</param>
/// <param name="primitives">Where primitives are listed.</param>
internal sealed class TaskTeller(Engine engine, long now, bool chains, PrimitiveTable primitives)
{
    private readonly List<Hold> _holds = [];
    private readonly List<TaskGroup> _opened = [];
    private readonly Dictionary<(string File, int Line), string> _sites = [];

    // Neighbours in the register mostly have the same.
    private TaskGroup? _lastPool;
    private string[] _lastSlot = [];
    private int _lastSlotBurden = ToldTasks.None;
    private CancelCause? _lastCause;
    private string? _lastCauseWords;

    internal ToldTasks Told { get; } = new(engine.Accounting);

    /// <summary>Tells of a task.</summary>
    /// <param name="task">The task, which was just read.</param>
    /// <param name="seen">What was seen of it.</param>
    /// <param name="since">Since when each method of its chain has stood there.</param>
    /// <param name="scope">The place of its scope in the list.</param>
    internal void Tell(ManagedTask task, in SeenTask seen, List<int> since, int? scope)
    {
        ChainNode chain = seen.Chain;
        if (chain.Told == ToldTasks.None)
        {
            chain.Told = Told.Chains.Add(new ToldChain(chain.Frames, chain.Site));
        }

        var told = new ToldTask
        {
            Id = seen.Id.Value,
            Due = seen.Due?.Ticks ?? ToldTask.NeverDue,
            Name = NameOf(task, seen),
            Scope = scope ?? ToldTasks.None,
            Chain = chain.Told,
            Stands = StandsOf(chain, CollectionsMarshal.AsSpan(since)),
            Wait = seen.Target is { } target ? WaitOf(target) : ToldTasks.None,
            Waited = seen.Waited is { } waited ? (int)(waited.Ticks / TimeSpan.TicksPerSecond) : ToldTasks.None,
            Burden = BurdenOf(task),
            State = seen.State,
        };
        told.Mark(task.IsResident, task.IsAbandoned);
        Told.Add(told);
        if (engine.Accounting != AccountingLevel.None)
        {
            TaskAccount account = task.Account(withAwait: false);
            Told.Add(account.Polls);
            Told.Add(account.Busy, account.Ready, account.Blocked, account.Age);
        }
    }

    // Those who stand at one place were mostly spawned at one place, under one name.
    private int NameOf(ManagedTask task, in SeenTask seen)
    {
        ChainNode chain = seen.Chain;
        TaskLabel label = task.Label;
        if (!ReferenceEquals(chain.LastLabel, label) || !ReferenceEquals(chain.LastName, seen.Name))
        {
            if (chain.LastName != seen.Name || chain.LastLabel?.Place != label.Place) // labels are not always shared
            {
                chain.LastNamed = Told.Names.Add(new ToldName(seen.Name, SiteOf(label)));
            }

            (chain.LastLabel, chain.LastName) = (label, seen.Name);
        }

        return chain.LastNamed;
    }

    private string SiteOf(TaskLabel label)
    {
        if (!_sites.TryGetValue(label.Place, out string? site))
        {
            _sites[label.Place] = site = label.Site;
        }

        return site;
    }

    private int StandsOf(ChainNode chain, ReadOnlySpan<int> since)
    {
        if (!chains || since.IsEmpty)
        {
            return ToldTasks.None;
        }

        if (since.SequenceEqual(chain.LastSince))
        {
            return chain.LastStands; // many of a crowd have come in the same second
        }

        chain.LastStands = Told.Stands.Add(since.Length, out Span<int> row);
        for (int i = 0; i < since.Length; i++)
        {
            row[i] = since[i] == AwaitChain.Unknown ? ToldTasks.None : (int)(SnapshotTaker.Waited(since[i], now).Ticks / TimeSpan.TicksPerSecond);
        }

        if (chain.LastSince.Length != since.Length)
        {
            chain.LastSince = new int[since.Length];
        }

        since.CopyTo(chain.LastSince);
        return chain.LastStands;
    }

    private int WaitOf(KnownTarget target)
    {
        if (target.Told == ToldTasks.None)
        {
            target.Told = Told.Waits.Add(target.Snapshot(primitives, due: null));
        }

        return target.Told;
    }

    private int BurdenOf(ManagedTask task)
    {
        _holds.Clear();
        _opened.Clear();
        task.LookAtHoldings(_holds, _opened);
        string? cause = WordsOf(task.LookAtCause());
        bool hasSlot = task.Group.PeekSlots() is not null;
        if (hasSlot && !ReferenceEquals(_lastPool, task.Group))
        {
            _lastPool = task.Group;
            _lastSlot = [$"a slot of '{task.Group.Name}'"];
            _lastSlotBurden = ToldTasks.None;
        }

        if (_holds.Count == 0 && _opened.Count == 0 && cause is null)
        {
            return !hasSlot ? ToldTasks.None
                : _lastSlotBurden != ToldTasks.None ? _lastSlotBurden
                : _lastSlotBurden = Told.Burdens.Add(new ToldBurden(_lastSlot, null));
        }

        return Told.Burdens.Add(new ToldBurden(Words(hasSlot ? _lastSlot : []), cause));
    }

    private IReadOnlyList<string> Words(string[] slot)
    {
        if (_holds.Count == 0 && _opened.Count == 0)
        {
            return slot;
        }

        List<string> words = [.. slot];
        foreach (Hold hold in _holds)
        {
            if (hold.What is SynchronizationPrimitive primitive)
            {
                primitives.Met(primitive, waited: null);
                words.Add(primitive.Title);
            }
        }

        foreach (TaskGroup scope in _opened)
        {
            words.Add($"scope '{scope.Name}'");
        }

        _holds.Clear();
        _opened.Clear();
        return words;
    }

    private string? WordsOf(CancelCause? cause)
    {
        if (cause is not null && !ReferenceEquals(cause, _lastCause))
        {
            (_lastCause, _lastCauseWords) = (cause, SnapshotTaker.Words(cause));
        }

        return cause is null ? null : _lastCauseWords;
    }
}
