using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>A place at which a number of parties wait for each other: when the last has come, all go on.</summary>
/// <remarks>
/// One of them, the one that came last, is the leader of its generation: its wait gives true, and it did not have to wait. Then the barrier serves the next generation; it may be used any number of times.
/// A barrier of one party, or of none, keeps nobody: each that comes is the leader of its own generation.
/// <para><b>Cancellation.</b> A party whose wait is canceled has not come: it leaves at once, and another has to come in its place. A party that is canceled after the last one came goes on, and its
/// next wait throws.</para>
/// </remarks>
public sealed class AsyncBarrier : SynchronizationPrimitive, IAwaited<bool>
{
    // In WaitNode.Slot: the waiter was the last to come.
    private const short Leader = 1;

    /// <summary>Makes a barrier at which nobody waits.</summary>
    /// <param name="parties">How many have to come, from 0.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than none.</exception>
    public AsyncBarrier(int parties, string name = "barrier")
        : base(name)
    {
        Parties = parties >= 0
            ? parties
            : throw new ArgumentOutOfRangeException(nameof(parties), parties, $"Barrier '{name}' was to wait for {parties} parties. Give the number of those that meet here: 0 and 1 keep nobody.");
    }

    /// <summary>How many have to come for all to go on.</summary>
    public int Parties { get; }

    internal override string Kind => "barrier";

    internal override ManagedTask? Holder => null;

    /// <summary>Comes to the barrier and waits for the others. A cancellation point of the waiting task. Gives true to one party of each generation, the leader.</summary>
    /// <exception cref="ObjectDisposedException">At the await: it was disposed.</exception>
    public PrimitiveAwaitable<bool> WaitAsync() => WaitAsync(default);

    /// <summary>As <see cref="WaitAsync()"/>, for plain code that runs for no task.</summary>
    /// <param name="cancellationToken">Ends the wait with an <see cref="OperationCanceledException"/>: this party has not come.</param>
    /// <inheritdoc cref="WaitAsync()"/>
    public PrimitiveAwaitable<bool> WaitAsync(CancellationToken cancellationToken) => new(this, 0, cancellationToken);

    /// <summary>Name and state.</summary>
    public override string ToString() => Describe();

    internal override void Seat(WaitNode node, int armed)
    {
        Gate.Enter();
        if (!node.IsArmed(armed))
        {
            Gate.Exit();
            return;
        }

        WaitNode? others = null;
        bool complete = !IsClosed && TryCompleteLocked(out others);
        if (!complete && !IsClosed)
        {
            Queue.Append(node);
            Gate.Exit();
            WakeAll(others, WaitSignal.Invited);
            return;
        }

        bool claimed = node.TryClaim();
        if (!claimed)
        {
            // Canceled in the moment of coming: it has not come, and the others come anew.
            Gate.Exit();
            WakeAll(others, WaitSignal.Invited);
            return;
        }

        node.Signal = complete ? WaitSignal.Done : WaitSignal.Closed;
        node.Slot = Leader;
        Gate.Exit();
        WakeAll(others, WaitSignal.Done);
        node.GoOn();
    }

    internal override string Describe() => $"{Title} of {Parties} parties{(IsClosed ? ", closed" : string.Empty)} ({Waiting} waiting)";

    private protected override bool TryCloseLocked(long ticket) => true;

    bool IAwaited<bool>.TryTake(long request, out bool result)
    {
        WaitNode? others = null;
        Gate.Enter();
        result = !IsClosed && TryCompleteLocked(out others);
        Gate.Exit();
        WakeAll(others, result ? WaitSignal.Done : WaitSignal.Invited);
        return result;
    }

    bool IAwaited<bool>.Take(WaitNode node, WaitSignal signal, CancellationToken token) =>
        signal == WaitSignal.Closed ? throw ClosedError() : node.Slot == Leader;

    /// <summary>Whether the one that comes now is the last; then the others are claimed. Under the gate.</summary>
    /// <remarks>One that waits may be canceled and not have left yet, which shows when it is claimed. Then the generation is not complete, and those that were
    /// claimed before that showed are sent back to their seats.</remarks>
    private bool TryCompleteLocked(out WaitNode? others)
    {
        others = null;
        if (Queue.Count + 1 < Parties)
        {
            return false;
        }

        others = ClaimLocked(out int claimed);
        return claimed + 1 >= Parties;
    }
}
