using System.Diagnostics.CodeAnalysis;
using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>What stays behind on a <see cref="Task"/> that was given up: serves later waits on it, and takes its entry out of the register at its end.</summary>
/// <remarks>It hangs on the <see cref="Task"/> and on nothing else. So when the collector takes it before the <see cref="Task"/> has ended, nobody can end the <see cref="Task"/> any more, and the entry goes.</remarks>
internal sealed class TaskRelay
{
    private readonly AbandonedWaits _register;
    private readonly AbandonedWait _entry;
    private readonly Task _task;

    // Under it: the list of waits, and whether the Task has ended.
    private SpinGate _gate;
    private IntrusiveList<RelayedWait> _waits;
    private bool _ended;

    internal TaskRelay(AbandonedWaits register, AbandonedWait entry, Task task)
    {
        _register = register;
        _entry = entry;
        _task = task;
    }

    ~TaskRelay() => _register.Remove(_entry);

    /// <summary>There is nothing left for the collector to prove.</summary>
    [SuppressMessage("Usage", "CA1816:Dispose methods should call SuppressFinalize", Justification = "The finalizer is a proof that nobody can end the Task, not a way of disposal.")]
    internal void Settle() => GC.SuppressFinalize(this);

    /// <summary>Takes a wait in.</summary>
    /// <returns>False when the <see cref="Task"/> has ended.</returns>
    internal bool TryJoin(RelayedWait wait)
    {
        _gate.Enter();
        bool joined = !_ended;
        if (joined)
        {
            _waits.Push(wait);
        }

        _gate.Exit();
        return joined;
    }

    /// <summary>Takes a wait out, in O(1). Harmless when it is not there.</summary>
    internal void Leave(RelayedWait wait)
    {
        _gate.Enter();
        if (_waits.Contains(wait))
        {
            _waits.Remove(wait);
        }

        _gate.Exit();
    }

    /// <summary>The <see cref="Task"/> has ended: lets those who wait go on, and takes the entry out.</summary>
    internal void End()
    {
        Settle();
        _register.Remove(_entry);
        RelayedWait? first = null;
        bool isHeard = false;
        _gate.Enter();
        _ended = true;
        while (_waits.First is { } last)
        {
            _waits.Remove(last);
            last.Next = first;
            first = last; // who came first is first
            isHeard |= last.Hears;
        }

        _gate.Exit();
        if (!isHeard && _task is { IsFaulted: true, Exception: { } error })
        {
            _register.TellFailure(_entry, error.InnerException ?? error);
        }

        while (first is not null)
        {
            RelayedWait wait = first;
            first = wait.Next;
            wait.Next = null;
            wait.Wake();
        }
    }
}

/// <summary>A wait on a <see cref="Task"/> that was given up before, by way of what was left behind on it.</summary>
/// <param name="frame">Who waits.</param>
/// <param name="relay">What was left behind.</param>
/// <param name="hears">Whether who waits is thrown the failure of the <see cref="Task"/>.</param>
internal sealed class RelayedWait(Frame frame, TaskRelay relay, bool hears) : ILinked<RelayedWait>
{
    /// <inheritdoc/>
    public RelayedWait? Next { get; set; }

    /// <inheritdoc/>
    public RelayedWait? Previous { get; set; }

    internal bool Hears => hears;

    private int _armed;

    internal void Begin(int armed)
    {
        _armed = armed;
        if (!relay.TryJoin(this))
        {
            Wake();
        }
    }

    internal void Leave() => relay.Leave(this);

    internal void Wake() => TaskWait.TryWake(frame, _armed, hasOwnWorkItem: false);
}
