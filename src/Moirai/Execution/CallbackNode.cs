using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The seat of a waiter that is no managed task: plain <c>async</c> code, which gives a continuation.</summary>
/// <remarks>The continuation runs on the captured synchronization context if there is one, else on the thread pool; never inside whoever woke it.</remarks>
internal abstract class CallbackSeat : WaitNode, IThreadPoolWorkItem
{
    private readonly SynchronizationContext? _synchronization;

    // Written before the node is seated.
    private Action? _continuation;
    private ExecutionContext? _execution;

    // 1 once the wait was claimed. Atomics.
    private int _claimed;

    private protected CallbackSeat(bool captureSynchronization)
    {
        SynchronizationContext? synchronization = captureSynchronization ? SynchronizationContext.Current : null;
        _synchronization = synchronization is not null && synchronization.GetType() != typeof(SynchronizationContext) ? synchronization : null;
    }

    internal sealed override bool IsArmed(int armed) => Atomics.Read(ref _claimed) == 0;

    internal sealed override bool TryClaim() => Atomics.Exchange(ref _claimed, 1) == 0;

    internal sealed override bool Rearm(out int armed)
    {
        armed = 0;
        Atomics.Exchange(ref _claimed, 0);
        return true;
    }

    internal sealed override void Resume(ref WakeBatch batch) => Post();

    internal sealed override void GoOn() => Post();

    /// <summary>Whether it is the seat of a suspended plain method.</summary>
    /// <param name="method">The object in which the platform keeps the method's machine.</param>
    internal bool Continues(object method) => ReferenceEquals(_continuation?.Target, method);

    /// <summary>Called by the thread pool or the synchronization context.</summary>
    public virtual void Execute() => ExecuteContinuation();

    private void ExecuteContinuation()
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

    /// <summary>Runs the continuation with the seat at hand for its awaiter, which may not know it: see <see cref="TakeDelivery"/>.</summary>
    private protected void Deliver()
    {
        StepContext context = StepContext.Current;
        WaitNode? outer = context.Delivered;
        context.Delivered = this;
        try
        {
            ExecuteContinuation();
        }
        finally
        {
            context.Delivered = outer;
        }
    }

    /// <summary>The awaiter has found the seat.</summary>
    private protected void TakeDelivery(StepContext? context)
    {
        if (ReferenceEquals(context?.Delivered, this))
        {
            context.Delivered = null;
        }
    }

    private protected void SetContinuation(Action continuation, bool flowContext)
    {
        _continuation = continuation;
        _execution = flowContext ? ExecutionContext.Capture() : null;
    }

    private protected virtual void Post()
    {
        if (_synchronization is null)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
        else
        {
            _synchronization.Post(static state => ((CallbackSeat)state!).Execute(), this);
        }
    }
}

/// <summary>A place where plain code waits, too. Declared here, implemented by the synchronization primitives.</summary>
internal interface IPlainSeats
{
    /// <summary>The seat in which a suspended plain method waits here; null when it has none.</summary>
    /// <param name="method">The object in which the platform keeps the method's machine.</param>
    CallbackSeat? FindSeat(object method);
}

/// <summary>A seat whose continuation is known when it is made.</summary>
internal sealed class CallbackNode : CallbackSeat
{
    // Where the signal is left for the awaiter's GetResult, which cannot see this node; null when nobody asks.
    private readonly WaitNode? _answer;

    internal CallbackNode(Action continuation, bool flowContext, WaitNode? answer = null, bool captureSynchronization = true)
        : base(captureSynchronization)
    {
        _answer = answer;
        SetContinuation(continuation, flowContext);
    }

    private protected override void Post()
    {
        if (_answer is not null)
        {
            _answer.Signal = Signal;
        }

        base.Post();
    }
}
