using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>What <see cref="AsyncMutex.LockAsync()"/> returns: await it, once.</summary>
public readonly struct MutexAwaitable
{
    private readonly AsyncMutex _mutex;
    private readonly CancellationToken _token;
    private readonly bool _isOwned;

    internal MutexAwaitable(AsyncMutex mutex, bool isOwned, CancellationToken token)
    {
        _mutex = mutex;
        _token = token;
        _isOwned = isOwned;
    }

    /// <summary>Called by the compiler.</summary>
    public Awaiter GetAwaiter() => new(_mutex, _isOwned, _token);

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future<MutexLease> AsFuture() => FutureOf(this);

    private static async Future<MutexLease> FutureOf(MutexAwaitable awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        // What IsCompleted found.
        private const long MustWait = 0;
        private const long IsRefused = -1;

        private readonly AsyncMutex _mutex;
        private readonly bool _isOwned;
        private PrimitiveWait _wait;

        // The ticket, or one of the above.
        private long _found;

        internal Awaiter(AsyncMutex mutex, bool isOwned, CancellationToken token)
        {
            _mutex = mutex;
            _isOwned = isOwned;
            _wait = new PrimitiveWait(mutex, 0, token);
        }

        /// <summary>Takes the mutex if it is free. Now and then false also if it is, so that a task that is always lucky gives way.</summary>
        public bool IsCompleted
        {
            get
            {
                if (_wait.IsAbandoned)
                {
                    _found = IsRefused;
                    return true;
                }

                if (StepContext.MayGoOn() && _mutex.TryTake(out _found))
                {
                    return true;
                }

                _wait.Prepare();
                return false;
            }
        }

        /// <summary>The right to release the mutex.</summary>
        /// <exception cref="LockRecursionException">The current task holds it.</exception>
        /// <exception cref="BrokenSynchronizationException">A holder has ended without releasing.</exception>
        /// <exception cref="ObjectDisposedException">It was disposed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public MutexLease GetResult()
        {
            long ticket = _found;
            if (ticket > MustWait)
            {
                if (_isOwned)
                {
                    _mutex.PutDown(StepContext.Existing, ticket);
                }

                return new MutexLease(_mutex, ticket);
            }

            return GetAwaited();
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => _wait.Register(continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => _wait.Register(continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame)
        {
            if (_isOwned && _mutex.IsHeldBy(frame.Owner!))
            {
                // Told at the await, where the body can catch it.
                frame.Signal = WaitSignal.Closed;
                frame.Owner!.Stepping.Next = frame;
                return;
            }

            _wait.Suspend(frame);
        }

        private readonly MutexLease GetAwaited()
        {
            if (_found == IsRefused)
            {
                _wait.ThrowAbandoned();
            }

            WaitSignal signal = _wait.End();
            if (_mutex.IsClosed)
            {
                throw _mutex.ClosedError();
            }

            if (signal == WaitSignal.Closed)
            {
                throw _mutex.RecursionError(ManagedTask.Current!);
            }

            long ticket = _mutex.Ticket;
            if (_isOwned)
            {
                _mutex.PutDown(StepContext.Existing, ticket);
            }

            return new MutexLease(_mutex, ticket);
        }
    }
}

/// <summary>The right to release a mutex, once. Disposing it again, or a copy of it, does nothing.</summary>
/// <remarks>Whoever has the lease may release, in any task and on any thread; <c>default</c> releases nothing. The task that took the mutex answers for it until then.</remarks>
public readonly struct MutexLease : IDisposable, IEquatable<MutexLease>
{
    private readonly AsyncMutex? _mutex;
    private readonly long _ticket;

    internal MutexLease(AsyncMutex mutex, long ticket)
    {
        _mutex = mutex;
        _ticket = ticket;
    }

    /// <summary>Releases the mutex.</summary>
    public void Dispose() => _mutex?.Release(_ticket);

    /// <summary>Whether both are the same right.</summary>
    public bool Equals(MutexLease other) => ReferenceEquals(_mutex, other._mutex) && _ticket == other._ticket;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MutexLease other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_mutex, _ticket);

    /// <summary>Whether both are the same right.</summary>
    public static bool operator ==(MutexLease left, MutexLease right) => left.Equals(right);

    /// <summary>Whether they are different rights.</summary>
    public static bool operator !=(MutexLease left, MutexLease right) => !left.Equals(right);
}
