using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>What both awaiters of a receiver do.</summary>
internal struct ReceiveWait<T>
{
    // Kept while the wait goes on, so that an end at which somebody waits is not lost.
    private readonly ChannelReceiver<T> _receiver;
    private readonly CancellationToken _token;
    private PlainSeat? _seat;
    private T _element;
    private ChannelAnswer _answer;

    internal ReceiveWait(ChannelReceiver<T> receiver, CancellationToken token)
    {
        _receiver = receiver;
        _token = token;
        _element = default!;
    }

    internal readonly ChannelCore<T> Core => _receiver.Core;

    internal bool IsCompleted()
    {
        StepContext? context = StepContext.Existing;
        ChannelCore<T> core = _receiver.Core;
        if (_token.IsCancellationRequested)
        {
            _answer = ChannelAnswer.Refused;
            return true;
        }

        if (core.IsWorthAsking && StepContext.MayGoOn(context))
        {
            _answer = core.TryReceive(out _element);
            if (_answer != ChannelAnswer.Later)
            {
                return true;
            }
        }

        _seat = PrimitiveWait.Prepare(context, core, ChannelCore<T>.ToReceive, _token);
        return false;
    }

    /// <summary>Ends the wait.</summary>
    /// <returns>False when there is nothing, and never will be.</returns>
    /// <exception cref="OperationCanceledException">The waiting task was canceled, or the token.</exception>
    internal readonly bool End(out T element)
    {
        element = _element;
        bool there = _answer switch
        {
            ChannelAnswer.Done => true,
            ChannelAnswer.Closed => false,
            ChannelAnswer.Refused => throw PrimitiveWait.AbandonedError(Core, _token),
            _ => PrimitiveWait.End(_seat, Core, _token) == WaitSignal.Done && Core.TryFetch(out element),
        };
        GC.KeepAlive(_receiver);
        return there;
    }

    internal readonly void Register(Action continuation, bool flowContext) =>
        PrimitiveWait.Register(_seat, continuation, flowContext, Core, ChannelCore<T>.ToReceive, _token);

    internal readonly void Suspend(Frame frame) => PrimitiveWait.Suspend(frame, Core, ChannelCore<T>.ToReceive, _token);
}
