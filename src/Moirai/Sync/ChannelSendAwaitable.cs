using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>What <see cref="ChannelSender{T}.SendAsync(T)"/> returns: await it, once. Nothing is sent before.</summary>
/// <typeparam name="T">What is sent.</typeparam>
public readonly struct ChannelSendAwaitable<T>
{
    private readonly ChannelSender<T> _sender;
    private readonly T _element;
    private readonly CancellationToken _token;

    internal ChannelSendAwaitable(ChannelSender<T> sender, T element, CancellationToken token)
    {
        _sender = sender;
        _element = element;
        _token = token;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_sender ?? throw FutureErrors.IsDefault("ChannelSendAwaitable", "ChannelSender.SendAsync"), _element, _token);

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future AsFuture() => FutureOf(this);

    private static async Future FutureOf(ChannelSendAwaitable<T> awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        // Kept while the wait goes on, so that an end at which somebody waits is not lost.
        private readonly ChannelSender<T> _sender;
        private readonly T _element;
        private readonly CancellationToken _token;
        private PlainSeat? _seat;
        private int _slot;
        private ChannelAnswer _answer;

        internal Awaiter(ChannelSender<T> sender, T element, CancellationToken token)
        {
            _sender = sender;
            _element = element;
            _token = token;
        }

        /// <summary>Sends if there is room. Now and then false also if there is, so that a task that is always lucky gives way. When false, the element stands in the channel until
        /// the wait ends.</summary>
        public bool IsCompleted
        {
            get
            {
                StepContext? context = StepContext.Existing;
                if (_token.IsCancellationRequested)
                {
                    _answer = ChannelAnswer.Refused;
                    return true;
                }

                _answer = _sender.Core.SendOrPark(_element, StepContext.MayGoOn(context), out _slot);
                if (_answer != ChannelAnswer.Later)
                {
                    return true;
                }

                _seat = PrimitiveWait.Prepare(context, _sender.Core, _slot, _token);
                return false;
            }
        }

        /// <summary>Ends the wait.</summary>
        /// <exception cref="ChannelClosedException">The channel is closed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public readonly void GetResult()
        {
            if (_answer != ChannelAnswer.Done)
            {
                EndWait();
            }

            GC.KeepAlive(_sender);
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: true, _sender.Core, _slot, _token);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: false, _sender.Core, _slot, _token);

        readonly void IFrameAwaiter.Suspend(Frame frame) => PrimitiveWait.Suspend(frame, _sender.Core, _slot, _token);

        private readonly void EndWait()
        {
            ChannelCore<T> core = _sender.Core;
            Exception closed;
            switch (_answer)
            {
                case ChannelAnswer.Closed:
                    closed = core.SendError();
                    break;
                case ChannelAnswer.Refused:
                    closed = PrimitiveWait.AbandonedError(core, _token);
                    break;
                default:
                    try
                    {
                        if (PrimitiveWait.End(_seat, core, _token) == WaitSignal.Done)
                        {
                            return; // whoever claimed the wait has taken the element out of its slot
                        }
                    }
                    catch (Exception error) when (error is OperationCanceledException or LeakedTaskException or DeadlockException)
                    {
                        core.Forget(_slot);
                        core.TellUndelivered(_element);
                        throw;
                    }

                    core.Forget(_slot);
                    closed = core.SendError();
                    break;
            }

            core.TellUndelivered(_element);
            throw closed;
        }
    }
}

/// <summary>What <see cref="ChannelSender{T}.ReserveAsync()"/> returns: await it, once.</summary>
/// <typeparam name="T">What is sent.</typeparam>
public readonly struct ChannelReserveAwaitable<T>
{
    private readonly ChannelSender<T> _sender;
    private readonly CancellationToken _token;

    internal ChannelReserveAwaitable(ChannelSender<T> sender, CancellationToken token)
    {
        _sender = sender;
        _token = token;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_sender ?? throw FutureErrors.IsDefault("ChannelReserveAwaitable", "ChannelSender.ReserveAsync"), _token);

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future<ChannelPermit<T>> AsFuture() => FutureOf(this);

    private static async Future<ChannelPermit<T>> FutureOf(ChannelReserveAwaitable<T> awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        private readonly ChannelSender<T> _sender;
        private readonly CancellationToken _token;
        private PlainSeat? _seat;
        private ChannelAnswer _answer;

        internal Awaiter(ChannelSender<T> sender, CancellationToken token)
        {
            _sender = sender;
            _token = token;
        }

        /// <summary>Reserves if there is room. Now and then false also if there is, so that a task that is always lucky gives way.</summary>
        public bool IsCompleted
        {
            get
            {
                StepContext? context = StepContext.Existing;
                _answer = _token.IsCancellationRequested ? ChannelAnswer.Refused
                    : StepContext.MayGoOn(context) ? _sender.Core.TryReserve()
                    : ChannelAnswer.Later;
                if (_answer != ChannelAnswer.Later)
                {
                    return true;
                }

                _seat = PrimitiveWait.Prepare(context, _sender.Core, ChannelCore<T>.ToReserve, _token);
                return false;
            }
        }

        /// <summary>The permit.</summary>
        /// <exception cref="ChannelClosedException">The channel is closed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public readonly ChannelPermit<T> GetResult() => _answer switch
        {
            ChannelAnswer.Done => new ChannelPermit<T>(_sender),
            ChannelAnswer.Refused => throw PrimitiveWait.AbandonedError(_sender.Core, _token),
            ChannelAnswer.Later when PrimitiveWait.End(_seat, _sender.Core, _token) == WaitSignal.Done => new ChannelPermit<T>(_sender),
            _ => throw _sender.Core.SendError(),
        };

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) =>
            PrimitiveWait.Register(_seat, continuation, flowContext: true, _sender.Core, ChannelCore<T>.ToReserve, _token);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) =>
            PrimitiveWait.Register(_seat, continuation, flowContext: false, _sender.Core, ChannelCore<T>.ToReserve, _token);

        readonly void IFrameAwaiter.Suspend(Frame frame) => PrimitiveWait.Suspend(frame, _sender.Core, ChannelCore<T>.ToReserve, _token);
    }
}
