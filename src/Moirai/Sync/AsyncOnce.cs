using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Lifecycle;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>A value that is made by the first who asks for it, and shared with all who ask.</summary>
/// <remarks>
/// The initialiser runs as a part of the task of whoever asks first (plain code gets a task for it); others who ask meanwhile wait. Asking for a value that is made does not wait, allocates nothing and takes no lock; asking for one that is not costs the frame
/// of a future, since whoever asks may have to make it.
/// <para><b>Failure and cancellation.</b> What the initialiser throws goes to the one whose task ran it, be it a failure or the cancellation of that task, and is not kept: the one that has waited longest tries anew, and
/// after it the next. So one bad moment spoils nothing, and a caller that gives up takes nobody along; an initialiser that always fails is run once for each who asks.</para>
/// </remarks>
/// <typeparam name="T">What is made.</typeparam>
public sealed class AsyncOnce<T> : SynchronizationPrimitive, IAwaited<bool>, IHeld
{
    // In WaitNode.Slot: the waiter is the one who makes it now.
    private const short HasTurn = 1;

    private readonly Func<CancellationToken, Future<T>> _initialize;

    // The value, from the moment in which it is made until it is disposed. Written under the gate, read by anyone.
    private Made? _made;

    // Somebody has the turn. Under the gate.
    private bool _isTaken;

    // Whose turn it is; null between two. Written by who has the turn.
    private ManagedTask? _maker;

    // The ticket of the turn, 0 between two, and the last one given out. Written by who has the turn.
    private long _turn;
    private long _turns;

    // Where the value was asked for by who makes it. Written by who has the turn, before it is put down as the maker.
    private string _file = string.Empty;
    private int _line;

    /// <summary>Makes one whose value is not made yet.</summary>
    /// <param name="initialize">Makes the value. Is given the token of the task that runs it.</param>
    /// <param name="name">What messages call it.</param>
    [OverloadResolutionPriority(1)]
    public AsyncOnce(Func<CancellationToken, Future<T>> initialize, string name = "once")
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(initialize);
        _initialize = initialize;
    }

    /// <inheritdoc cref="AsyncOnce{T}(Func{CancellationToken, Future{T}}, string)"/>
    public AsyncOnce(Func<CancellationToken, Task<T>> initialize, string name = "once")
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(initialize);
        _initialize = token => CallAsync(initialize, token);
    }

    /// <summary>Whether the value is made.</summary>
    public bool IsMade => Atomics.Read(ref _made) is not null;

    internal override string Kind => "once";

    internal override ManagedTask? Holder => Atomics.Read(ref _maker);

    internal override ManagedTask? Blocker => Holder;

    /// <summary>The value; makes it if nobody has. A cancellation point of the current task unless the value is made.</summary>
    /// <param name="file">Filled in by the compiler: where the value is asked for, for <see cref="DeadlockEdge.AcquiredAt"/>.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <exception cref="LockRecursionException">At the await: the initialiser asks for the value that it is to make.</exception>
    /// <exception cref="ObjectDisposedException">At the await: it was disposed.</exception>
    public OnceAwaitable<T> GetAsync([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => new(this, file, line);

    /// <summary>The value if it is made.</summary>
    public bool TryGet(out T value)
    {
        Made? made = Atomics.Read(ref _made);
        value = made is null ? default! : made.Value;
        return made is not null;
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Describe();

    /// <summary>Makes the value, or waits until somebody has.</summary>
    internal async Future<T> MakeAsync(string file, int line)
    {
        ManagedTask task = ManagedTask.Current!;
        while (true)
        {
            if (ReferenceEquals(Holder, task))
            {
                throw new LockRecursionException($"{task.Title} makes the value of {Title} and asks for it meanwhile: it would wait for itself for ever. Let the initialiser do without the value that it makes.");
            }

            if (await new PrimitiveAwaitable<bool>(this, 0, default))
            {
                break;
            }

            if (TryGet(out T shared))
            {
                return shared;
            }
        }

        T value;
        (_file, _line) = (file, line);
        Atomics.Write(ref _maker, task);
        Atomics.Write(ref _turn, ++_turns);
        task.Stepping.AddHold(this, _turns); // so that those who wait for it are found by way of the task
        try
        {
            value = await _initialize(ManagedTask.CurrentToken);
        }
        catch
        {
            EndTurn();
            PassTurnOn();
            throw;
        }

        EndTurn();
        Publish(value);
        return value;
    }

    internal override void Seat(WaitNode node, int armed)
    {
        Gate.Enter();
        if (!node.IsArmed(armed))
        {
            Gate.Exit();
            return;
        }

        bool free = !IsClosed && _made is null && !_isTaken;
        if (!free && !IsClosed && _made is null)
        {
            Queue.Append(node);
            Gate.Exit();
            return;
        }

        bool claimed = node.TryClaim();
        if (claimed)
        {
            _isTaken |= free;
            node.Slot = free ? HasTurn : (short)0;
            node.Signal = IsClosed ? WaitSignal.Closed : WaitSignal.Done;
        }

        Gate.Exit();
        if (claimed)
        {
            node.GoOn();
        }
    }

    internal override string Describe()
    {
        string state = IsClosed ? "closed" : IsMade ? "made" : Holder is { } maker ? $"being made by {maker.Title}" : "not made";
        return $"{Title}, {state} ({Waiting} waiting)";
    }

    private protected override string? AcquiredAt(ManagedTask holder) => ReferenceEquals(Holder, holder) ? CallerSite.Of(_file, _line) : null;

    private protected override bool TryCloseLocked(long ticket)
    {
        Atomics.Write(ref _made, null);
        return true;
    }

    /// <returns>True when the waiter has the turn; false when there is a value.</returns>
    bool IAwaited<bool>.Take(WaitNode node, WaitSignal signal, CancellationToken token)
    {
        if (signal == WaitSignal.Closed)
        {
            throw ClosedError();
        }

        if (node.Slot != HasTurn)
        {
            return false;
        }

        if (PrimitiveWait.IsGivenUp(node, token))
        {
            PassTurnOn();
            PrimitiveWait.ThrowGivenUp(node, this, token);
        }

        return true;
    }

    bool IAwaited<bool>.TryTake(long request, out bool result)
    {
        Gate.Enter();
        bool made = !IsClosed && _made is not null;
        result = !IsClosed && !made && !_isTaken;
        _isTaken |= result;
        Gate.Exit();
        return result || made;
    }

    private static async Future<T> CallAsync(Func<CancellationToken, Task<T>> initialize, CancellationToken token) => await initialize(token).ConfigureAwait(false);

    private void Publish(T value)
    {
        Gate.Enter();
        if (!IsClosed)
        {
            Atomics.Write(ref _made, new Made(value));
        }

        WaitNode? all = ClaimLocked(out _);
        Gate.Exit();
        WakeAll(all, WaitSignal.Done);
    }

    bool IHeld.IsHeld(long ticket) => Atomics.Read(in _turn) == ticket;

    // The initialiser has thrown or was never resumed to: the turn was passed on by who ran it.
    void IHeld.HolderEnded(ManagedTask task, long ticket, TaskEvent how)
    {
    }

    private void EndTurn()
    {
        Atomics.Write(ref _turn, 0);
        Atomics.Write(ref _maker, null);
    }

    private void PassTurnOn()
    {
        Gate.Enter();
        WaitNode? next = Queue.ClaimFirst();
        _isTaken = next is not null;
        Gate.Exit();
        if (next is not null)
        {
            next.Slot = HasTurn;
            Wake(next, WaitSignal.Done);
        }
    }

    /// <summary>The value, so that it can be read and let go of in one.</summary>
    private sealed record Made(T Value);
}
