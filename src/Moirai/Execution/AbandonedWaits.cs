using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>A foreign <see cref="Task"/> that somebody has given up waiting for and that goes on: what is known of it until it ends.</summary>
/// <remarks>Words only. It keeps neither the <see cref="Task"/> nor the waiter alive.</remarks>
internal sealed class AbandonedWait(string operation, string waiter, string group) : ILinked<AbandonedWait>
{
    /// <inheritdoc/>
    public AbandonedWait? Next { get; set; }

    /// <inheritdoc/>
    public AbandonedWait? Previous { get; set; }

    /// <summary>What was timed, as the code says it: <c>FetchAsync(url)</c>.</summary>
    internal string Operation => operation;

    /// <summary>The task that gave it up.</summary>
    internal string Waiter => waiter;

    /// <summary>The scope or pool in which that task lived.</summary>
    internal string Group => group;

    /// <summary>Whether the register has it: the first entry of its <see cref="Task"/>, which goes on. Written under the register's gate.</summary>
    internal bool IsListed { get; set; }
}

/// <summary>The register of foreign <see cref="Task"/>s that were given up and go on. One for each runtime.</summary>
/// <remarks>
/// An entry comes when a wait times out or is canceled while its <see cref="Task"/> goes on, one for each <see cref="Task"/>; it goes when the <see cref="Task"/> ends, or when the
/// collector proves that it never will (nobody can reach it any more). Entries hold words, so the register keeps nothing alive, and whoever is kept by a foreign <see cref="Task"/> is kept by it alone.
/// </remarks>
internal sealed class AbandonedWaits(Engine engine)
{
    // Weak: a foreign Task that lives for ever must not keep a runtime.
    private readonly WeakReference<Engine> _engine = new(engine);
    private readonly ConditionalWeakTable<Task, TaskRelay> _relays = [];

    // Under it: the list and its count.
    private SpinGate _gate;
    private IntrusiveList<AbandonedWait> _entries;
    private int _count;

    /// <summary>How many are listed. Read by anyone.</summary>
    internal int Count => Atomics.Read(ref _count);

    /// <summary>The relay on a <see cref="Task"/> that was given up before. Costs a look at a number as long as there is none at all.</summary>
    internal bool TryFind(Task task, [NotNullWhen(true)] out TaskRelay? relay)
    {
        relay = null;
        return Count > 0 && _relays.TryGetValue(task, out relay);
    }

    /// <summary>The relay on a <see cref="Task"/>, made and listed if there is none.</summary>
    /// <returns>Whether it was made now: then the caller hangs it on the <see cref="Task"/>, or ends it.</returns>
    internal bool Add(Task task, AbandonedWait entry, out TaskRelay relay)
    {
        var made = new TaskRelay(this, entry, task);
        relay = _relays.GetValue(task, _ => made);
        if (!ReferenceEquals(relay, made))
        {
            made.Settle();
            return false;
        }

        _gate.Enter();
        entry.IsListed = true;
        _entries.Push(entry);
        _count++;
        _gate.Exit();
        return true;
    }

    /// <summary>Takes an entry out, in O(1). Harmless when it is not there.</summary>
    internal void Remove(AbandonedWait entry)
    {
        _gate.Enter();
        if (entry.IsListed)
        {
            _entries.Remove(entry);
            entry.IsListed = false;
            _count--;
        }

        _gate.Exit();
    }

    internal List<AbandonedWait> ToList()
    {
        List<AbandonedWait> all = [];
        _gate.Enter();
        for (AbandonedWait? entry = _entries.First; entry is not null; entry = entry.Next)
        {
            all.Add(entry);
        }

        _gate.Exit();
        return all;
    }

    /// <summary>A <see cref="Task"/> that nobody waited for any more has failed.</summary>
    internal void TellFailure(AbandonedWait entry, Exception error)
    {
        if (_engine.TryGetTarget(out Engine? engine))
        {
            engine.Publish(new RuntimeEvent(
                RuntimeEventKind.UnobservedFailure,
                $"The Task {entry.Operation}, which {entry.Waiter} in '{entry.Group}' had given up waiting for, failed: {error.GetType().Name}: {error.Message}",
                default,
                error));
        }
    }
}
