using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>What one gets from a primitive that is taken and given back: dispose it to give back. Not for implementation outside Moirai.</summary>
/// <typeparam name="TLease">The lease itself.</typeparam>
public interface ILease<TLease> : IDisposable
    where TLease : struct, ILease<TLease>
{
    /// <summary>Takes what is asked for if it is free, and notes with the task that <paramref name="context"/> steps that it answers for it.</summary>
    /// <param name="from">The primitive, which is of the kind that gives such leases.</param>
    /// <param name="context">The context of the current thread, if it has one.</param>
    /// <param name="request">What is asked for, and for whom.</param>
    /// <param name="file">Where, as the compiler wrote it down.</param>
    /// <param name="line">Where.</param>
    /// <param name="ticket">Names the lease; greater than 0.</param>
    internal static abstract bool TryTake(SynchronizationPrimitive from, StepContext? context, long request, string file, int line, out long ticket);

    internal static abstract TLease Of(SynchronizationPrimitive from, long ticket);
}

/// <summary>A wait for something that is given back later, such as <see cref="AsyncMutex.LockAsync(string, int)"/> or <see cref="AsyncSemaphore.AcquireAsync(string, int)"/>: await it, once.</summary>
/// <remarks>A cancellation point of the waiting task. Taking what is free allocates nothing; neither does waiting in an <c>async Future</c> method. Plain code pays a seat for each wait that has to suspend, and a wait with a
/// <see cref="CancellationToken"/> a small object that watches the token.</remarks>
/// <typeparam name="TLease">What it gives.</typeparam>
public readonly struct LeaseAwaitable<TLease>
    where TLease : struct, ILease<TLease>
{
    private readonly SynchronizationPrimitive _from;
    private readonly long _request;
    private readonly CancellationToken _token;
    private readonly string _file;
    private readonly int _line;

    internal LeaseAwaitable(SynchronizationPrimitive from, long request, CancellationToken token, string file = "", int line = 0)
    {
        _from = from;
        _request = request;
        _token = token;
        _file = file;
        _line = line;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_from ?? throw FutureErrors.IsDefault("LeaseAwaitable", "AsyncMutex.LockAsync, AsyncSemaphore.AcquireAsync, or whatever gives leases"), _request, _file, _line, _token);

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future<TLease> AsFuture() => FutureOf(this);

    private static async Future<TLease> FutureOf(LeaseAwaitable<TLease> awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        // What IsCompleted found, beside tickets.
        private const long MustWait = 0;
        private const long IsAbandoned = -1;
        private const long IsClosed = -2;

        private readonly SynchronizationPrimitive _from;
        private readonly long _request;
        private readonly CancellationToken _token;
        private readonly string _file;
        private readonly int _line;
        private PlainSeat? _seat;

        // The ticket, or one of the above.
        private long _found;

        internal Awaiter(SynchronizationPrimitive from, long request, string file, int line, CancellationToken token)
        {
            _from = from;
            _request = request;
            _token = token;
            _file = file;
            _line = line;
        }

        /// <summary>Takes what is asked for if it is free. Now and then false also if it is, so that a task that is always lucky gives way.</summary>
        public bool IsCompleted
        {
            get
            {
                if (_token.IsCancellationRequested)
                {
                    _found = IsAbandoned;
                    return true;
                }

                StepContext? context = StepContext.Existing;
                if (StepContext.MayGoOn(context))
                {
                    if (TLease.TryTake(_from, context, _request, _file, _line, out _found))
                    {
                        return true;
                    }

                    if (_from.IsClosed)
                    {
                        _found = IsClosed; // told also where there is no time to wait
                        return true;
                    }
                }

                _seat = PrimitiveWait.Prepare(context, _from, _request, _token);
                return false;
            }
        }

        /// <summary>What was asked for: dispose it to give it back.</summary>
        /// <exception cref="WaitQueueFullException">As many wait as may.</exception>
        /// <exception cref="LockRecursionException">The current task would wait for itself.</exception>
        /// <exception cref="BrokenSynchronizationException">A holder has ended without releasing.</exception>
        /// <exception cref="ObjectDisposedException">It was disposed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public TLease GetResult() => TLease.Of(_from, _found > MustWait ? _found : EndWait());

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: true, _from, _request, _token);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: false, _from, _request, _token);

        void IFrameAwaiter.Suspend(Frame frame) => ((ILeased)_from).Suspend(frame, _request, _token);

        private readonly long EndWait()
        {
            if (_found == IsAbandoned)
            {
                throw PrimitiveWait.AbandonedError(_from, _token);
            }

            if (_found == IsClosed)
            {
                throw _from.ClosedError();
            }

            WaitSignal signal = PrimitiveWait.End(_seat, _from, _token, out WaitNode node);
            return ((ILeased)_from).EndWait(node, signal, _request, _file, _line);
        }
    }
}
