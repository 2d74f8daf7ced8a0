using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>A wait in a synchronization primitive that gives nothing and has to end in time: await it, once. Made by <see cref="PrimitiveAwaitable.WithTimeout"/>. See <see cref="TimedWait{T}"/>.</summary>
public readonly struct TimedWait
{
    private readonly TimedWait<bool> _wait;

    internal TimedWait(TimedWait<bool> wait) => _wait = wait;

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_wait.GetAwaiter());

    /// <summary>The wait as a future, to be spawned, timed or collected.</summary>
    public Future AsFuture() => _wait.AsFuture();

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        private TimedWait<bool>.Awaiter _wait;

        internal Awaiter(TimedWait<bool>.Awaiter wait) => _wait = wait;

        /// <inheritdoc cref="TimedWait{T}.Awaiter.IsCompleted"/>
        public bool IsCompleted => _wait.IsCompleted;

        /// <inheritdoc cref="TimedWait{T}.Awaiter.GetResult"/>
        public void GetResult() => _wait.GetResult();

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => _wait.OnCompleted(continuation);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => _wait.UnsafeOnCompleted(continuation);

        void IFrameAwaiter.Suspend(Frame frame) => _wait.Suspend(frame);
    }
}

/// <summary>A wait in a synchronization primitive that has to end in time: await it, once. Made by <see cref="PrimitiveAwaitable{T}.WithTimeout"/>.</summary>
/// <remarks>
/// When the time is over first, the await throws <see cref="TaskTimeoutException"/>, nothing was taken, and <see cref="TaskRuntimeOptions.OnEvent"/> is told; a wait that ends before leaves nothing in the timer queue. A time of zero or less looks once, and tells also of a primitive that is closed;
/// <see cref="Timeout.InfiniteTimeSpan"/> never ends. Waiting allocates one small object when it has to suspend, where the wait as a future under a timeout takes two frames and a region; plain code pays a task that waits in its place.
/// <para>A cancellation point of the waiting task.</para>
/// </remarks>
/// <typeparam name="T">What it gives.</typeparam>
public readonly struct TimedWait<T>
{
    private readonly IAwaited<T> _source;
    private readonly long _request;
    private readonly TimeSpan _within;
    private readonly CancellationToken _token;

    internal TimedWait(IAwaited<T> source, long request, TimeSpan within, CancellationToken token)
    {
        _source = source;
        _request = request;
        _within = within;
        _token = token;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_source ?? throw FutureErrors.IsDefault("TimedWait", "WithTimeout, called on what the primitive's method gives"), _request, _within, _token);

    /// <summary>The wait as a future, to be spawned, timed or collected.</summary>
    public Future<T> AsFuture() => FutureOf(this);

    private static async Future<T> FutureOf(TimedWait<T> wait) => await wait;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        private readonly IAwaited<T> _source;
        private readonly long _request;
        private readonly TimeSpan _within;
        private readonly CancellationToken _token;
        private TimeWatch? _watch;
        private T _result = default!;
        private Answer _answer;

        internal Awaiter(IAwaited<T> source, long request, TimeSpan within, CancellationToken token)
        {
            _source = source;
            _request = request;
            _within = within;
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

                _watch = new TimeWatch(Primitive);
                return false;
            }
        }

        private readonly SynchronizationPrimitive Primitive => (SynchronizationPrimitive)_source;

        /// <summary>What was waited for.</summary>
        /// <exception cref="TaskTimeoutException">It did not come in time.</exception>
        /// <exception cref="ObjectDisposedException">The primitive was disposed.</exception>
        /// <exception cref="BrokenSynchronizationException">The primitive is broken.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public readonly T GetResult() => _answer switch
        {
            Answer.There => _result,
            Answer.Refused => throw PrimitiveWait.AbandonedError(Primitive, _token),
            _ => EndWait(),
        };

        /// <inheritdoc/>
        public readonly void OnCompleted(Action continuation) => Detach(continuation, flowContext: true);

        /// <inheritdoc/>
        public readonly void UnsafeOnCompleted(Action continuation) => Detach(continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame) => Suspend(frame);

        internal readonly void Suspend(Frame frame) => _watch!.Suspend(frame, _request, _within, _token);

        private readonly T EndWait()
        {
            if (_watch is not { } watch)
            {
                throw new InvalidOperationException($"The timed wait for {Primitive.Title} has not begun. Await it; do not call GetResult.");
            }

            if (watch.Deputy is { } deputy)
            {
                Joining.TakeOutcome(deputy);
                return ((ManagedTask<T>)deputy).ResultUnchecked;
            }

            WaitSignal signal = watch.End(out WaitNode node);
            return signal switch
            {
                WaitSignal.Late => ThrowLate(),
                WaitSignal.Abandoned => throw PrimitiveWait.AbandonedError(Primitive, _token),
                _ => _source.Take(node, signal, _token),
            };
        }

        // Plain code awaits: a detached task waits in its place.
        private readonly void Detach(Action continuation, bool flowContext)
        {
            ArgumentNullException.ThrowIfNull(continuation);
            ManagedTask deputy = FutureAwait.SpawnDetached(new TimedWait<T>(_source, _request, _within, _token).AsFuture().Frame);
            _watch?.Follow(deputy);
            Joining.RegisterFirm(deputy, continuation, flowContext);
        }

        [DoesNotReturn]
        private readonly T ThrowLate() =>
            throw Timeouts.Tell(StepContext.Current.Frame!.Owner!, $"the wait for {Primitive.Title}", _within, Primitive.Describe(), inner: null);
    }
}
