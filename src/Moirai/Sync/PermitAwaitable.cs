using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>What one gets from a <see cref="PermitPrimitive"/>. Not for implementation outside Moirai.</summary>
/// <typeparam name="TLease">The lease itself.</typeparam>
public interface IPermitLease<TLease> : IDisposable
    where TLease : struct, IPermitLease<TLease>
{
    internal static abstract TLease Of(PermitPrimitive primitive, long ticket);
}

/// <summary>A wait for permits, such as <see cref="AsyncSemaphore.AcquireAsync(string, int)"/>: await it, once.</summary>
/// <typeparam name="TLease">What it gives.</typeparam>
public readonly struct PermitAwaitable<TLease>
    where TLease : struct, IPermitLease<TLease>
{
    private readonly PermitPrimitive _primitive;
    private readonly long _request;
    private readonly CancellationToken _token;
    private readonly string _file;
    private readonly int _line;

    internal PermitAwaitable(PermitPrimitive primitive, long request, CancellationToken token, string file = "", int line = 0)
    {
        _primitive = primitive;
        _request = request;
        _token = token;
        _file = file;
        _line = line;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_primitive ?? throw FutureErrors.IsDefault("PermitAwaitable", "AsyncSemaphore.AcquireAsync, or whatever gives permits"), _request, _token, _file, _line);

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future<TLease> AsFuture() => FutureOf(this);

    private static async Future<TLease> FutureOf(PermitAwaitable<TLease> awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        // What IsCompleted found, beside tickets.
        private const long MustWait = 0;
        private const long IsAbandoned = -1;

        private readonly PermitPrimitive _primitive;
        private readonly long _request;
        private readonly CancellationToken _token;
        private readonly string _file;
        private readonly int _line;
        private PlainSeat? _seat;

        // The ticket, or one of the above.
        private long _found;

        internal Awaiter(PermitPrimitive primitive, long request, CancellationToken token, string file, int line)
        {
            _primitive = primitive;
            _request = request;
            _token = token;
            _file = file;
            _line = line;
        }

        /// <summary>Takes what is asked for if it is free and nobody waits. Now and then false also if it is, so that a task that is always lucky gives way.</summary>
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
                if (StepContext.MayGoOn(context) && _primitive.TryTake(context, _request, _file, _line, out _found))
                {
                    return true;
                }

                _seat = PrimitiveWait.Prepare(context, _primitive, _request, _token);
                return false;
            }
        }

        /// <summary>What was asked for: dispose it to give it back.</summary>
        /// <exception cref="WaitQueueFullException">As many wait as may.</exception>
        /// <exception cref="LockRecursionException">The current task would wait for itself.</exception>
        /// <exception cref="BrokenSynchronizationException">A holder has ended without releasing.</exception>
        /// <exception cref="ObjectDisposedException">It was disposed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public TLease GetResult() => TLease.Of(_primitive, _found > MustWait ? _found : EndWait());

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: true, _primitive, _request, _token);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: false, _primitive, _request, _token);

        void IFrameAwaiter.Suspend(Frame frame) => PrimitiveWait.Suspend(frame, _primitive, _primitive.Asking(frame.Owner!, _request), _token);

        private readonly long EndWait()
        {
            if (_found == IsAbandoned)
            {
                throw PrimitiveWait.AbandonedError(_primitive, _token);
            }

            WaitSignal signal = PrimitiveWait.End(_seat, _primitive, _token, out WaitNode node);
            long ticket = node.Due;
            if (signal != WaitSignal.Done)
            {
                throw signal == WaitSignal.Closed ? _primitive.ClosedError() : _primitive.RefusedError();
            }

            if (node is Frame)
            {
                _primitive.TakenByWait(StepContext.Existing, _request, ticket, _file, _line);
            }

            return ticket;
        }
    }
}
