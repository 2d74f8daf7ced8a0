using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>What <see cref="AsyncMutex.LockAsync(string, int)"/> returns: await it, once.</summary>
public readonly struct MutexAwaitable
{
    private readonly AsyncMutex _mutex;
    private readonly CancellationToken _token;
    private readonly string _file;
    private readonly int _line;
    private readonly bool _isOwned;

    internal MutexAwaitable(AsyncMutex mutex, bool isOwned, CancellationToken token, string file, int line)
    {
        _mutex = mutex;
        _token = token;
        _file = file;
        _line = line;
        _isOwned = isOwned;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_mutex ?? throw FutureErrors.IsDefault(nameof(MutexAwaitable), "AsyncMutex.LockAsync"), _isOwned, _token, _file, _line);

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future<MutexLease> AsFuture() => FutureOf(this);

    private static async Future<MutexLease> FutureOf(MutexAwaitable awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        // What IsCompleted found, beside tickets.
        private const long MustWait = 0;
        private const long IsRefused = -1;

        private readonly AsyncMutex _mutex;
        private readonly CancellationToken _token;
        private readonly string _file;
        private readonly int _line;
        private readonly bool _isOwned;
        private PlainSeat? _seat;

        // The ticket, or one of the above.
        private long _found;

        internal Awaiter(AsyncMutex mutex, bool isOwned, CancellationToken token, string file, int line)
        {
            _mutex = mutex;
            _isOwned = isOwned;
            _token = token;
            _file = file;
            _line = line;
        }

        /// <summary>Takes the mutex if it is free. Now and then false also if it is, so that a task that is always lucky gives way.</summary>
        public bool IsCompleted
        {
            get
            {
                StepContext? context = StepContext.Existing;
                if (_token.IsCancellationRequested)
                {
                    _found = IsRefused;
                    return true;
                }

                if (StepContext.MayGoOn(context) && _mutex.TryTake(_isOwned ? context : null, _file, _line, out _found))
                {
                    return true;
                }

                _seat = PrimitiveWait.Prepare(context, _mutex, 0, _token);
                return false;
            }
        }

        /// <summary>The right to release the mutex.</summary>
        /// <exception cref="LockRecursionException">The current task holds it.</exception>
        /// <exception cref="BrokenSynchronizationException">A holder has ended without releasing.</exception>
        /// <exception cref="ObjectDisposedException">It was disposed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public MutexLease GetResult() => new(_mutex, _found > MustWait ? _found : EndWait());

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: true, _mutex, 0, _token);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: false, _mutex, 0, _token);

        void IFrameAwaiter.Suspend(Frame frame)
        {
            ManagedTask task = frame.Owner!;
            if (_isOwned && ReferenceEquals(_mutex.Holder, task))
            {
                // Told at the await, where the body can catch it.
                frame.Queue = _mutex;
                frame.Signal = WaitSignal.Closed;
                task.Stepping.Next = frame;
                return;
            }

            PrimitiveWait.Suspend(frame, _mutex, 0, _token);
        }

        private readonly long EndWait()
        {
            if (_found == IsRefused)
            {
                throw PrimitiveWait.AbandonedError(_mutex, _token);
            }

            WaitSignal signal = PrimitiveWait.End(_seat, _mutex, _token);
            if (_mutex.IsClosed)
            {
                throw _mutex.ClosedError();
            }

            if (signal == WaitSignal.Closed)
            {
                throw _mutex.RecursionError(ManagedTask.Current!);
            }

            return _mutex.TakenByWait(_isOwned ? StepContext.Existing : null, _file, _line);
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

    internal long Ticket => _ticket;

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
