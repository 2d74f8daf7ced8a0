using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The seat of a waiter that is no managed task: plain <c>async</c> code, which gave a continuation.</summary>
/// <remarks>The continuation runs on the captured synchronization context if there is one, else on the thread pool; never inside whoever woke it.</remarks>
internal sealed class CallbackNode : WaitNode, IThreadPoolWorkItem
{
    private readonly Action _continuation;
    private readonly SynchronizationContext? _synchronization;
    private readonly ExecutionContext? _execution;

    // Where the signal is left for the awaiter's GetResult, which cannot see this node; null when nobody asks.
    private readonly WaitNode? _answer;

    // 1 once the wait was claimed. Interlocked.
    private int _claimed;

    internal CallbackNode(Action continuation, bool flowContext, WaitNode? answer = null, bool captureSynchronization = true)
    {
        _continuation = continuation;
        _answer = answer;
        SynchronizationContext? synchronization = captureSynchronization ? SynchronizationContext.Current : null;
        _synchronization = synchronization is not null && synchronization.GetType() != typeof(SynchronizationContext) ? synchronization : null;
        _execution = flowContext ? ExecutionContext.Capture() : null;
    }

    internal override bool IsArmed(int armed) => Atomics.Read(ref _claimed) == 0;

    internal override bool TryClaim() => Atomics.Exchange(ref _claimed, 1) == 0;

    internal override void Resume(ref WakeBatch batch) => Post();

    internal override void GoOn() => Post();

    public void Execute()
    {
        if (_execution is null)
        {
            _continuation();
        }
        else
        {
            ExecutionContext.Run(_execution, static state => ((Action)state!)(), _continuation);
        }
    }

    private void Post()
    {
        if (_answer is not null)
        {
            _answer.Signal = Signal;
        }

        if (_synchronization is null)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
        else
        {
            _synchronization.Post(static state => ((CallbackNode)state!).Execute(), this);
        }
    }
}
