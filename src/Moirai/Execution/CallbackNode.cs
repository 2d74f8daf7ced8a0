using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The seat of a waiter that is no managed task: plain <c>async</c> code, which gave a continuation.</summary>
/// <remarks>The continuation runs on the captured synchronization context if there is one, else on the thread pool; never inside whoever woke it.</remarks>
internal class CallbackNode : WaitNode, IThreadPoolWorkItem
{
    private readonly SynchronizationContext? _synchronization;

    // Where the signal is left for the awaiter's GetResult, which cannot see this node; null when nobody asks.
    private readonly WaitNode? _answer;

    // Written before the node is seated.
    private Action? _continuation;
    private ExecutionContext? _execution;

    // 1 once the wait was claimed. Interlocked.
    private int _claimed;

    internal CallbackNode(Action continuation, bool flowContext, WaitNode? answer = null, bool captureSynchronization = true)
        : this(captureSynchronization)
    {
        _answer = answer;
        SetContinuation(continuation, flowContext);
    }

    /// <summary>For a seat that is made before its continuation is known.</summary>
    private protected CallbackNode(bool captureSynchronization)
    {
        SynchronizationContext? synchronization = captureSynchronization ? SynchronizationContext.Current : null;
        _synchronization = synchronization is not null && synchronization.GetType() != typeof(SynchronizationContext) ? synchronization : null;
    }

    internal sealed override bool IsArmed(int armed) => Volatile.Read(ref _claimed) == 0;

    internal sealed override bool TryClaim() => Interlocked.Exchange(ref _claimed, 1) == 0;

    internal sealed override bool Rearm(out int armed)
    {
        armed = 0;
        Interlocked.Exchange(ref _claimed, 0);
        return true;
    }

    internal sealed override void Resume(ref WakeBatch batch) => Post();

    internal sealed override void GoOn() => Post();

    /// <summary>Called by the thread pool or the synchronization context.</summary>
    public virtual void Execute()
    {
        if (_execution is null)
        {
            _continuation!();
        }
        else
        {
            ExecutionContext.Run(_execution, static state => ((Action)state!)(), _continuation);
        }
    }

    private protected void SetContinuation(Action continuation, bool flowContext)
    {
        _continuation = continuation;
        _execution = flowContext ? ExecutionContext.Capture() : null;
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
