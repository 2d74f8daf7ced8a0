using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;

namespace Moirai;

/// <summary>What <see cref="ChannelReceiver{T}.ReceiveAsync()"/> returns: await it, once.</summary>
/// <typeparam name="T">What is received.</typeparam>
public readonly struct ChannelReceiveAwaitable<T>
{
    private readonly ChannelReceiver<T> _receiver;
    private readonly CancellationToken _token;

    internal ChannelReceiveAwaitable(ChannelReceiver<T> receiver, CancellationToken token)
    {
        _receiver = receiver;
        _token = token;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_receiver ?? throw FutureErrors.IsDefault("ChannelReceiveAwaitable", "ChannelReceiver.ReceiveAsync"), _token);

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future<T> AsFuture() => FutureOf(this);

    private static async Future<T> FutureOf(ChannelReceiveAwaitable<T> awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        private ReceiveWait<T> _wait;

        internal Awaiter(ChannelReceiver<T> receiver, CancellationToken token) => _wait = new ReceiveWait<T>(receiver, token);

        /// <summary>Receives if there is something. Now and then false also if there is, so that a task that is always lucky gives way.</summary>
        public bool IsCompleted => _wait.IsCompleted();

        /// <summary>The element.</summary>
        /// <exception cref="ChannelClosedException">The channel is closed and nothing is left.</exception>
        /// <exception cref="ObjectDisposedException">The receiver was disposed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public readonly T GetResult() => _wait.End(out T element) ? element : throw _wait.Core.ReceiveError();

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => _wait.Register(continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => _wait.Register(continuation, flowContext: false);

        readonly void IFrameAwaiter.Suspend(Frame frame) => _wait.Suspend(frame);
    }
}

/// <summary>The elements of a channel, to the end. Made for <c>await foreach</c>.</summary>
/// <typeparam name="T">What is received.</typeparam>
public readonly struct ChannelElements<T>
{
    private readonly ChannelReceiver<T> _receiver;
    private readonly CancellationToken _token;

    internal ChannelElements(ChannelReceiver<T> receiver, CancellationToken token)
    {
        _receiver = receiver;
        _token = token;
    }

    /// <summary>Called by the compiler.</summary>
    public ChannelEnumerator<T> GetAsyncEnumerator() => new(_receiver, _token);
}

/// <summary>Receives until the end of a channel. Made for <c>await foreach</c>; used by one flow of control at a time.</summary>
/// <typeparam name="T">What is received.</typeparam>
public sealed class ChannelEnumerator<T>
{
    private readonly ChannelReceiver<T> _receiver;
    private readonly CancellationToken _token;

    internal ChannelEnumerator(ChannelReceiver<T> receiver, CancellationToken token)
    {
        _receiver = receiver;
        _token = token;
    }

    /// <summary>What was received last.</summary>
    public T Current { get; private set; } = default!;

    /// <summary>Receives the next element when there is one. A cancellation point of the waiting task.</summary>
    public Step MoveNextAsync() => new(this);

    /// <summary>One step of the enumeration: await it, once.</summary>
    public readonly struct Step
    {
        private readonly ChannelEnumerator<T> _enumerator;

        internal Step(ChannelEnumerator<T> enumerator) => _enumerator = enumerator;

        /// <summary>Called by the compiler.</summary>
        public Awaiter GetAwaiter() => new(_enumerator);
    }

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        private readonly ChannelEnumerator<T> _enumerator;
        private ReceiveWait<T> _wait;

        internal Awaiter(ChannelEnumerator<T> enumerator)
        {
            _enumerator = enumerator;
            _wait = new ReceiveWait<T>(enumerator._receiver, enumerator._token);
        }

        /// <summary>Receives if there is something. Now and then false also if there is, so that a task that is always lucky gives way.</summary>
        public bool IsCompleted => _wait.IsCompleted();

        /// <summary>False at the end of the channel.</summary>
        /// <exception cref="ChannelClosedException">The channel was completed with an error, or its sender was lost; nothing is left.</exception>
        /// <exception cref="ObjectDisposedException">The receiver was disposed.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public readonly bool GetResult()
        {
            bool there = _wait.End(out T element);
            _enumerator.Current = element;
            return there || (_wait.Core.HasEndedWell ? false : throw _wait.Core.ReceiveError());
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => _wait.Register(continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => _wait.Register(continuation, flowContext: false);

        readonly void IFrameAwaiter.Suspend(Frame frame) => _wait.Suspend(frame);
    }
}
