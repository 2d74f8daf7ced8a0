using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Ground;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>Waits for news about what a mutex guards: a condition variable that is awaited.</summary>
/// <remarks>
/// Who has the mutex waits in a loop, <c>while (queue.Count == 0) await notEmpty.WaitAsync();</c>, and whoever changes what is waited for has the mutex too and calls <see cref="Notify"/>. The
/// wait gives the mutex up and has it again when it ends; the lease of the caller is good afterwards as before. A loop, because others may have had the mutex in between.
/// <para><b>Order.</b> Waiters are woken first come first served, and ask for the mutex in the order in which they come to run. A notification wakes who waits at that moment, and is not kept.</para>
/// <para><b>Every way out has the mutex.</b> Also a wait that was canceled, timed out, or whose condition was disposed takes the mutex first and then throws. A waiter that was notified and is canceled on
/// its way has been notified: the wait returns, and the next one throws. Only when the mutex is disposed or broken nobody gets it any more; then those who wait here are told that.</para>
/// <para><b>Plain code inside tasks.</b> The wait belongs to the task that awaits it. An <c>async Task</c> method that runs inside a managed task cannot wait here: it gets a
/// <see cref="SynchronizationLockException"/>. Make it an <c>async Future</c>.</para>
/// </remarks>
public sealed class AsyncCondition : SynchronizationPrimitive, ILinked<AsyncCondition>
{
    // Its gate comes before the mutex's.
    private readonly AsyncMutex _mutex;

    /// <summary>Makes a condition for which nobody waits.</summary>
    /// <param name="mutex">Guards what is waited for.</param>
    /// <param name="name">What messages call it.</param>
    public AsyncCondition(AsyncMutex mutex, string name = "condition")
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(mutex);
        _mutex = mutex;
    }

    AsyncCondition? ILinked<AsyncCondition>.Next { get; set; }

    AsyncCondition? ILinked<AsyncCondition>.Previous { get; set; }

    internal override string Kind => "condition";

    internal override ManagedTask? Holder => null;

    /// <summary>Gives the mutex up, waits to be notified, and takes the mutex again. A cancellation point of the waiting task.</summary>
    /// <param name="cancellationToken">Ends this one wait: it throws an <see cref="OperationCanceledException"/>, with the mutex.</param>
    /// <exception cref="SynchronizationLockException">The current task does not hold the mutex. In plain code, which has no identity: no plain code does; thrown by the call.</exception>
    /// <exception cref="BrokenSynchronizationException">A holder of the mutex has ended without releasing it.</exception>
    /// <exception cref="ObjectDisposedException">The condition was disposed, or the mutex.</exception>
    public Future WaitAsync(CancellationToken cancellationToken = default)
    {
        bool isTask = ManagedTask.Stepped is not null;
        return WaitAsync(isTask ? 0 : TicketOfCaller("wait for"), isTask, cancellationToken);
    }

    /// <summary>Wakes the first waiters, in the order in which they came. They go on when they get the mutex.</summary>
    /// <param name="count">How many; at least 1.</param>
    /// <returns>How many there were to wake.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one.</exception>
    /// <exception cref="SynchronizationLockException">The caller does not hold the mutex. Nobody is woken.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public int Notify(int count = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _ = TicketOfCaller("notify");
        if (IsClosed)
        {
            throw ClosedError();
        }

        Gate.Enter();
        WaitNode? first = ClaimLocked(out int woken, count);
        LeftLocked();
        Gate.Exit();
        WakeAll(first, WaitSignal.Done);
        return woken;
    }

    /// <summary>Wakes all who wait now, in the order in which they came.</summary>
    /// <inheritdoc cref="Notify"/>
    public int NotifyAll() => Notify(int.MaxValue);

    /// <summary>Name and state.</summary>
    public override string ToString() => Describe();

    /// <summary>The mutex was disposed or has been broken: nobody can notify any more.</summary>
    internal void MutexClosed()
    {
        Gate.Enter();
        WaitNode? first = ClaimLocked(out _);
        Gate.Exit();
        WakeAll(first, WaitSignal.Closed);
    }

    /// <summary>The error of a wait that ended with <see cref="WaitSignal.Closed"/>.</summary>
    internal Exception WaitClosedError() => IsClosed ? ClosedError() : _mutex.ClosedError();

    /// <summary>Seats who waits, and releases the mutex for it. Both under the gate, which whoever cancels the wait has to pass before the waiter goes on: so it never asks for a mutex that
    /// it is about to release.</summary>
    internal override void Seat(WaitNode node, int armed)
    {
        Gate.Enter();
        if (!node.IsArmed(armed))
        {
            Gate.Exit();
            return;
        }

        if (!IsClosed && _mutex.TryWatch(this))
        {
            long ticket = node.Due;
            Queue.Append(node);
            WaitNode? next = _mutex.ReleaseWithoutWaking(ticket);
            Gate.Exit();
            AsyncMutex.WakeInvited(next);
            return;
        }

        bool claimed = node.TryClaim();
        Gate.Exit();
        if (claimed)
        {
            node.Signal = WaitSignal.Closed;
            node.GoOn();
        }
    }

    internal override string Describe() => $"{Title}{(IsClosed ? ", closed," : string.Empty)} under {_mutex.Describe()} ({Waiting} waiting for news)";

    private protected override bool TryCloseLocked(long ticket)
    {
        _mutex.Unwatch(this);
        return true;
    }

    private protected override WaitNode? LeftLocked()
    {
        if (Queue.Count == 0)
        {
            _mutex.Unwatch(this);
        }

        return null;
    }

    private async Future WaitAsync(long ticket, bool isTask, CancellationToken cancellationToken)
    {
        if (isTask)
        {
            ticket = TicketOfCaller("wait for");
        }
        else if (!_mutex.IsHeld(ticket))
        {
            throw NotHeldError("wait for");
        }

        if (cancellationToken.IsCancellationRequested)
        {
            throw PrimitiveWait.AbandonedError(this, cancellationToken);
        }

        long first = _mutex.FirstTicketOf(ticket);
        (string File, int Line) takenAt = _mutex.TakenAt;
        try
        {
            await new ConditionAwaitable(this, ticket, cancellationToken);
        }
        finally
        {
            if (!_mutex.IsHeld(ticket)) // else the wait never began
            {
                using (ManagedTask.Shield())
                {
                    MutexLease again = await _mutex.TakeAgainAsync(isTask, takenAt);
                    _mutex.TakenAgain(first, again.Ticket);
                }
            }
        }
    }

    private long TicketOfCaller(string toDo) => _mutex.IsHeldByCaller(out long ticket) ? ticket : throw NotHeldError(toDo);

    private SynchronizationLockException NotHeldError(string toDo) => new(
        $"{AsyncMutex.CallerTitle} wants to {toDo} {Title}, and does not hold {_mutex.Describe()}. Take the mutex first, in the same task, and keep it around the check, the wait and the change.");
}

/// <summary>The wait inside <see cref="AsyncCondition.WaitAsync(CancellationToken)"/>. Ends without the mutex.</summary>
internal readonly struct ConditionAwaitable(AsyncCondition condition, long ticket, CancellationToken token) : ICriticalNotifyCompletion, IFrameAwaiter
{
    public bool IsCompleted => false;

    public ConditionAwaitable GetAwaiter() => this;

    public void GetResult()
    {
        if (PrimitiveWait.End(null, condition, token) == WaitSignal.Closed)
        {
            throw condition.WaitClosedError();
        }
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException("Conditions are awaited inside futures only; AsyncCondition.WaitAsync serves plain code.");

    public void Suspend(Frame frame) => PrimitiveWait.Suspend(frame, condition, ticket, token);
}
