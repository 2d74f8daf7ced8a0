using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Moirai.Ground;
using Moirai.Wakers;

namespace Moirai;

/// <summary>What a callback is given by <see cref="Future.FromCallback{TState, T}"/>: the way to end the wait, once, from any thread.</summary>
/// <remarks>
/// The first <c>TrySet…</c> ends the wait and wakes the task once; every other one returns false and changes nothing, and so do all of them once the task was canceled and has given up
/// the wait. A value that is refused is still the caller's: if it has to be disposed of, the caller does. A source that is kept keeps nothing of the task alive once
/// the wait is over, not even the value that it was given.
/// </remarks>
/// <typeparam name="T">What the callback brings.</typeparam>
public sealed class CallbackSource<T>
{
    private SpinGate _gate;

    // Who waits; null once the outcome has come or nobody wants it any more. Written under the gate; read by anyone.
    private WakeTarget? _waiter;

    // All below: under the gate. Whether the outcome is here and has not been taken, and what it is.
    private bool _isSettled;
    private T? _result;
    private Exception? _error;

    internal CallbackSource(WakeTarget waiter) => _waiter = waiter;

    /// <summary>Whether somebody still waits for the outcome. A moment later it may not be so: only <c>TrySet…</c> tells for certain.</summary>
    public bool IsPending => Atomics.Read(ref _waiter) is not null;

    /// <summary>The await gives <paramref name="result"/>.</summary>
    /// <returns>False when an outcome was set before, or nobody waits any more; the result is not kept then.</returns>
    public bool TrySetResult(T result) => TrySettle(result, error: null);

    /// <summary>The await throws <paramref name="error"/>.</summary>
    /// <returns>False when an outcome was set before, or nobody waits any more.</returns>
    public bool TrySetException(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return TrySettle(default, error);
    }

    /// <summary>The operation was canceled by the other side: the await throws an <see cref="OperationCanceledException"/>.</summary>
    /// <param name="token">The token that the other side followed, for the exception.</param>
    /// <remarks>It does not cancel the task: a cancellation that comes from elsewhere is a failure, unless the task catches it.</remarks>
    /// <returns>False when an outcome was set before, or nobody waits any more.</returns>
    public bool TrySetCanceled(CancellationToken token = default) =>
        TrySettle(default, new OperationCanceledException("The operation that was waited for by way of a callback was canceled by its own side.", token));

    /// <summary>Takes the outcome, if it has come. Called by the waiter.</summary>
    internal bool TryTake([MaybeNullWhen(false)] out T result)
    {
        _gate.Enter();
        bool settled = _isSettled;
        result = _result;
        Exception? error = _error;
        ClearLocked();
        _gate.Exit();
        if (error is not null)
        {
            ExceptionDispatchInfo.Throw(error);
        }

        return settled;
    }

    /// <summary>Gives up the wait. Called by the waiter.</summary>
    /// <returns>False when the outcome has come before and waits to be taken.</returns>
    internal bool TryClose()
    {
        _gate.Enter();
        bool pending = Atomics.Read(ref _waiter) is not null;
        Atomics.Write(ref _waiter, null);
        _gate.Exit();
        return pending;
    }

    /// <summary>Drops an outcome that nobody will take. Called by the waiter, after <see cref="TryClose"/>.</summary>
    internal void Drop()
    {
        _gate.Enter();
        ClearLocked();
        _gate.Exit();
    }

    private bool TrySettle(T? result, Exception? error)
    {
        _gate.Enter();
        WakeTarget? waiter = Atomics.Read(ref _waiter);
        if (waiter is not null)
        {
            Atomics.Write(ref _waiter, null);
            _isSettled = true;
            _result = result;
            _error = error;
        }

        _gate.Exit();
        waiter?.Wake();
        return waiter is not null;
    }

    private void ClearLocked()
    {
        _isSettled = false;
        _result = default;
        _error = null;
    }
}
