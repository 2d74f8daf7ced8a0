using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Futures;

/// <summary>The frame of a leaf future that is asked, and asked again after a wake, until it is ready.</summary>
internal abstract class PollFrame<T>(string? waitingFor) : Frame<T>, IWaitQueue
{
    // Whether it has had its turn. Written by the task's thread.
    private bool _begun;

    internal sealed override string Method => waitingFor is null ? "a polled future" : $"a future that waits for {waitingFor}";

    /// <summary>What it waits for, for messages.</summary>
    private protected string WaitingFor => waitingFor ?? "a polled operation to wake it";

    internal sealed override void MoveNext()
    {
        if (!_begun)
        {
            _begun = true;
            if (!StepContext.MayGoOn())
            {
                Park.Yield(this); // a task whose operations are always ready gives way now and then
                return;
            }
        }

        TaskWakeTarget waking = Owner!.Waking;
        try
        {
            if (Signal == WaitSignal.Done)
            {
                waking.Reset();
                Poll<T> answer = Ask(new Waker(waking));
                if (answer.IsReady)
                {
                    Result = answer.ValueUnchecked;
                    Return();
                    return;
                }
            }
            else if (TryLeave(out Poll<T> last))
            {
                // The cancellation is what the next wait throws.
                Result = last.ValueUnchecked;
                Return();
                return;
            }
            else
            {
                Park.TakeSignal(out ManagedTaskCanceledException? canceled);
                if (canceled is not null)
                {
                    Throw(canceled); // not thrown: nobody would see it before the caller
                    return;
                }
            }
        }
        catch (Exception error) // it is the body's error, and goes where a body's errors go
        {
            Throw(error);
            return;
        }

        Context = ExecutionContext.Capture();
        waking.Wait(this);
    }

    void IWaitQueue.Remove(WaitNode node)
    {
        // The frame waits nowhere but in itself: there is nothing to unlink.
    }

    string IWaitQueue.DescribeWait(WaitNode node) => WaitingFor;

    /// <summary>Asks whether the operation is done. May run user code, and throw what that throws.</summary>
    private protected abstract Poll<T> Ask(Waker waker);

    /// <summary>The task was canceled while it waited.</summary>
    /// <returns>True when the operation was done all the same, a moment before.</returns>
    private protected virtual bool TryLeave(out Poll<T> last)
    {
        last = default;
        return false;
    }
}

/// <summary>The frame of a future made by <see cref="Future.FromPoll{TState, T}"/>.</summary>
internal sealed class FunctionFrame<TState, T>(TState state, Func<TState, Waker, Poll<T>> poll, string? waitingFor) : PollFrame<T>(waitingFor)
{
    private TState _state = state;
    private Func<TState, Waker, Poll<T>>? _poll = poll;

    internal override void Release()
    {
        _state = default!;
        _poll = null;
    }

    private protected override Poll<T> Ask(Waker waker) => _poll!(_state, waker);
}
