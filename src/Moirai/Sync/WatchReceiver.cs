using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <summary>An end that watches a value. It remembers what it has seen, so each who watches has one of its own (<see cref="WatchSender{T}.NewReceiver"/>).</summary>
/// <remarks>All members are safe from any thread.</remarks>
/// <typeparam name="T">What is watched.</typeparam>
public sealed class WatchReceiver<T>
{
    // The version that was seen last. Written by whoever uses this end; a change that two of them see at once is seen by both.
    private long _seen;

    internal WatchReceiver(WatchCore<T> core)
    {
        Core = core;
        _seen = core.Version;
    }

    /// <summary>The last value, seen or not. Does not count as seeing it. Stays after the end.</summary>
    public T Value => Core.Read(out _);

    /// <summary>Whether there is a value that was not seen.</summary>
    public bool HasChanged => Core.Version != Seen;

    internal WatchCore<T> Core { get; }

    internal long Seen => Atomics.Read(ref _seen);

    /// <summary>The last value, when it was not seen; else the next one, when it comes: await the result. It counts as seen then. A cancellation point of the waiting task.</summary>
    /// <exception cref="ChannelClosedException">At the await: the last value was seen, and there will not be another.</exception>
    public WatchAwaitable<T> ChangedAsync() => new(this, default);

    /// <inheritdoc cref="ChangedAsync()"/>
    /// <param name="cancellationToken">Ends this wait: the await throws an <see cref="OperationCanceledException"/>. For plain code that runs for no task.</param>
    public WatchAwaitable<T> ChangedAsync(CancellationToken cancellationToken) => new(this, cancellationToken);

    /// <summary>Lets the value that is there now count as not seen: the next wait ends at once. Waits that go on are not woken.</summary>
    public void MarkChanged() => Atomics.Write(ref _seen, 0);

    /// <summary>Lets the value that is there now count as seen.</summary>
    public void MarkUnchanged() => Atomics.Write(ref _seen, Core.Version);

    /// <summary>Name and state.</summary>
    public override string ToString() => Core.Describe();

    internal T See()
    {
        T value = Core.Read(out long version);
        Atomics.Write(ref _seen, version);
        return value;
    }
}

/// <summary>What <see cref="WatchReceiver{T}.ChangedAsync()"/> returns: await it, once.</summary>
/// <typeparam name="T">What is watched.</typeparam>
public readonly struct WatchAwaitable<T>
{
    private readonly WatchReceiver<T> _receiver;
    private readonly CancellationToken _token;

    internal WatchAwaitable(WatchReceiver<T> receiver, CancellationToken token)
    {
        _receiver = receiver;
        _token = token;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => new(_receiver ?? throw FutureErrors.IsDefault("WatchAwaitable", "WatchReceiver.ChangedAsync"), _token);

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future<T> AsFuture() => FutureOf(this);

    private static async Future<T> FutureOf(WatchAwaitable<T> awaitable) => await awaitable;

    /// <summary>Made for the compiler.</summary>
    public struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        private readonly WatchReceiver<T> _receiver;
        private readonly CancellationToken _token;
        private PlainSeat? _seat;

        // What the wait is for: a version other than this.
        private long _seen;
        private ChannelAnswer _answer;

        internal Awaiter(WatchReceiver<T> receiver, CancellationToken token)
        {
            _receiver = receiver;
            _token = token;
        }

        /// <summary>Whether there is something to see, or never will be. Now and then false also if there is, so that a task that is always lucky gives way.</summary>
        public bool IsCompleted
        {
            get
            {
                StepContext? context = StepContext.Existing;
                WatchCore<T> core = _receiver.Core;
                bool isClosed = core.End is not null; // before the look at the version: the last value is seen before the end
                _seen = _receiver.Seen;
                _answer = _token.IsCancellationRequested ? ChannelAnswer.Refused
                    : !StepContext.MayGoOn(context) ? ChannelAnswer.Later
                    : core.Version != _seen ? ChannelAnswer.Done
                    : isClosed ? ChannelAnswer.Closed : ChannelAnswer.Later;
                if (_answer != ChannelAnswer.Later)
                {
                    return true;
                }

                _seat = PrimitiveWait.Prepare(context, core, _seen, _token);
                return false;
            }
        }

        /// <summary>The last value.</summary>
        /// <exception cref="ChannelClosedException">It was seen, and there will not be another.</exception>
        /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
        public readonly T GetResult() => _answer switch
        {
            ChannelAnswer.Done => _receiver.See(),
            ChannelAnswer.Refused => throw PrimitiveWait.AbandonedError(_receiver.Core, _token),
            ChannelAnswer.Later when PrimitiveWait.End(_seat, _receiver.Core, _token) == WaitSignal.Done => _receiver.See(),
            _ => throw ChannelClosedException.ToReceiver(_receiver.Core, _receiver.Core.End!),
        };

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: true, _receiver.Core, _seen, _token);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => PrimitiveWait.Register(_seat, continuation, flowContext: false, _receiver.Core, _seen, _token);

        readonly void IFrameAwaiter.Suspend(Frame frame) => PrimitiveWait.Suspend(frame, _receiver.Core, _seen, _token);
    }
}
