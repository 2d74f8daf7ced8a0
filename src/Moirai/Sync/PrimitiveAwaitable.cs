using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>A wait in a synchronization primitive that gives nothing: await it, once.</summary>
/// <remarks>A cancellation point of the waiting task. Waiting in an <c>async Future</c> method allocates nothing; plain code pays a seat for each wait that has to suspend. A wait with a <see cref="CancellationToken"/> that can
/// be canceled allocates a small object that watches the token, and the token's registration, when it has to suspend: inside tasks leave the token away, since a task's cancellation and timeouts reach its waits without one.</remarks>
public readonly struct PrimitiveAwaitable
{
    private readonly PrimitiveAwaitable<bool> _wait;

    internal PrimitiveAwaitable(PrimitiveAwaitable<bool> wait) => _wait = wait;

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_wait.GetAwaiter());

    /// <summary>The wait as a future, to be spawned, raced or collected.</summary>
    public Future AsFuture() => _wait.AsFuture();

    /// <inheritdoc cref="PrimitiveAwaitable{T}.WithTimeout"/>
    public TimedWait WithTimeout(TimeSpan within) => new(_wait.WithTimeout(within));

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        private PrimitiveAwaitable<bool>.Awaiter _wait;

        internal Awaiter(PrimitiveAwaitable<bool>.Awaiter wait) => _wait = wait;

        /// <inheritdoc cref="PrimitiveAwaitable{T}.Awaiter.IsCompleted"/>
        public bool IsCompleted => _wait.IsCompleted;

        /// <summary>Returns when what was waited for has come.</summary>
        /// <exception cref="ObjectDisposedException">The primitive was disposed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public void GetResult() => _wait.GetResult();

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => _wait.OnCompleted(continuation);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => _wait.UnsafeOnCompleted(continuation);

        void IFrameAwaiter.Suspend(Frame frame) => _wait.Suspend(frame);
    }
}

/// <summary>A wait in a synchronization primitive that gives a value: await it, once. See <see cref="PrimitiveAwaitable"/>.</summary>
/// <typeparam name="T">What it gives.</typeparam>
public readonly struct PrimitiveAwaitable<T>
{
    private readonly IAwaited<T> _source;
    private readonly long _request;
    private readonly CancellationToken _token;

    internal PrimitiveAwaitable(IAwaited<T> source, long request, CancellationToken token)
    {
        _source = source;
        _request = request;
        _token = token;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_source ?? throw FutureErrors.IsDefault("PrimitiveAwaitable", "the method of the primitive that waits, such as Notify.WaitAsync"), _request, _token);

    /// <summary>The wait as a future, to be spawned, raced or collected.</summary>
    public Future<T> AsFuture() => FutureOf(this);

    /// <summary>The wait, which has to end in time.</summary>
    /// <param name="within">The time allowed; zero or less looks once, <see cref="Timeout.InfiniteTimeSpan"/> never ends.</param>
    public TimedWait<T> WithTimeout(TimeSpan within) => new(_source, _request, within, _token);

    private static async Future<T> FutureOf(PrimitiveAwaitable<T> awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        private readonly IAwaited<T> _source;
        private readonly long _request;
        private readonly CancellationToken _token;
        private PlainSeat? _seat;
        private T _result = default!;
        private Answer _answer;

        internal Awaiter(IAwaited<T> source, long request, CancellationToken token)
        {
            _source = source;
            _request = request;
            _token = token;
        }

        // How the question IsCompleted was answered.
        private enum Answer : byte
        {
            Wait,
            There,
            Refused,
        }

        /// <summary>Takes what is waited for if it is there. Now and then false also if it is, so that a task that is always lucky gives way.</summary>
        public bool IsCompleted
        {
            get
            {
                StepContext? context = StepContext.Existing;
                if (_token.IsCancellationRequested)
                {
                    _answer = Answer.Refused;
                    return true;
                }

                if (StepContext.MayGoOn(context) && _source.TryTake(_request, out _result))
                {
                    _answer = Answer.There;
                    return true;
                }

                _seat = PrimitiveWait.Prepare(context, Primitive, _request, _token);
                return false;
            }
        }

        private readonly SynchronizationPrimitive Primitive => (SynchronizationPrimitive)_source;

        /// <summary>What was waited for.</summary>
        /// <exception cref="ObjectDisposedException">The primitive was disposed.</exception>
        /// <exception cref="BrokenSynchronizationException">The primitive is broken.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public readonly T GetResult()
        {
            switch (_answer)
            {
                case Answer.There:
                    return _result;
                case Answer.Refused:
                    throw PrimitiveWait.AbandonedError(Primitive, _token);
                default:
                    WaitSignal signal = PrimitiveWait.End(_seat, Primitive, _token, out WaitNode node);
                    return _source.Take(node, signal, _token);
            }
        }

        /// <inheritdoc/>
        public readonly void OnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: true, Primitive, _request, _token);

        /// <inheritdoc/>
        public readonly void UnsafeOnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: false, Primitive, _request, _token);

        void IFrameAwaiter.Suspend(Frame frame) => Suspend(frame);

        internal readonly void Suspend(Frame frame) => PrimitiveWait.Suspend(frame, Primitive, _request, _token);
    }
}
