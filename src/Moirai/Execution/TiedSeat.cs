using System.Runtime.ExceptionServices;
using Moirai.Ground;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The seat of plain code in a wait of ours that may end before what is waited for has come: with the task for which the code runs, or because it was proved that nobody can end it. Then the await throws.</summary>
/// <remarks>
/// What ends it early claims the wait like any other party, takes the seat out of its queue and lets the code go on. The task is known by the execution context (<see cref="TaskIdentity"/>), and has its plain waits in a list. Not its
/// token: whoever has that would keep the frames of a task that has leaked. Under a shield, and where code runs for no task, there is no tie.
/// </remarks>
internal abstract class TiedSeat : CallbackSeat, ILinked<TiedSeat>
{
    // The task whose cancellation ends the wait; null when there is none, and when that has ended. Written before the seat is taken, and by the end of the task.
    private ManagedTask? _caller;

    // What the await throws. Written by who has claimed the wait, before the continuation runs.
    private Exception? _error;

    private protected TiedSeat(bool captureSynchronization)
        : base(captureSynchronization)
    {
    }

    /// <summary>The task for which the code runs, if it was canceled and nothing keeps that away.</summary>
    internal ManagedTask? CanceledCaller => _caller is { IsCancelRequested: true } task ? task : null;

    /// <summary>What the await throws in place of giving what was waited for; null when that has come.</summary>
    private protected Exception? Error => _error;

    /// <summary>From here on the wait ends with the task for which the code of this thread runs. Before the seat is taken; it may be over when this returns.</summary>
    private protected void Tie()
    {
        if (CallerToHeed() is { } task)
        {
            _caller = task;
            if (!task.TryTie(this))
            {
                InterruptIfCanceled();
            }
        }
    }

    /// <summary>The continuation is about to run: nobody has to be told any more.</summary>
    private protected void Untie() => _caller?.Untie(this);

    TiedSeat? ILinked<TiedSeat>.Next { get; set; }

    TiedSeat? ILinked<TiedSeat>.Previous { get; set; }

    /// <summary>By the awaiter, first thing in the continuation.</summary>
    private protected void ThrowIfInError(StepContext? context)
    {
        TakeDelivery(context);
        if (_error is { } error)
        {
            ExceptionDispatchInfo.Throw(error);
        }
    }

    /// <summary>Ends the wait early.</summary>
    /// <param name="how">Told to the primitive.</param>
    /// <param name="error">What the await throws.</param>
    /// <returns>False when the wait is over.</returns>
    internal bool TryEnd(WaitSignal how, Exception? error)
    {
        if (!TryClaim())
        {
            return false;
        }

        (Queue as IWaitQueue)?.Remove(this);
        _error = error;
        Signal = how;
        GoOn();
        return true;
    }

    /// <summary>Ends a wait that nobody can end any more.</summary>
    /// <returns>False when the wait is over.</returns>
    internal bool TrySetException(Exception leak) => TryEnd(WaitSignal.Leaked, leak);

    /// <summary>Ends the wait if the task was canceled. For a seat that was taken anew: what called meanwhile found nothing to claim.</summary>
    private protected void InterruptIfCanceled()
    {
        if (CanceledCaller is { } task)
        {
            Interrupt(task);
        }
    }

    /// <summary>As <see cref="Tie"/> and <see cref="InterruptIfCanceled"/>, for who does not wait and has only to be told what has come.</summary>
    /// <returns>Whether it had.</returns>
    private protected bool InterruptAtOnce()
    {
        ManagedTask? task = CallerToHeed();
        if (task is not { IsCancelRequested: true })
        {
            return false;
        }

        Interrupt(task);
        return true;
    }

    /// <summary>The task for which the code of this thread runs, if its cancellation reaches that code.</summary>
    private protected static ManagedTask? CallerToHeed() => TaskIdentity.Task is { } task && !PlainShield.Covers(task) ? task : null;

    /// <summary>The task was canceled. Harmless when the wait is over.</summary>
    internal void Interrupt(ManagedTask task) => TryEnd(WaitSignal.Canceled, Cancellation.ErrorInPlainCode(task));

    /// <summary>The task has ended, and nobody waits for this code: it keeps nothing of the task. Under the task's gate.</summary>
    internal void LetGo() => _caller = null;
}

/// <summary>A <see cref="TiedSeat"/> whose continuation is known when it is made, in a place that gives nothing but its end: a time, the end of a task, a slot.</summary>
internal sealed class TiedNode : TiedSeat
{
    // What is waited for, by which the awaiter recognises the seat; null for a time.
    private readonly object? _awaited;

    // Where the signal is left for the awaiter's GetResult; null when nobody asks.
    private readonly WaitNode? _answer;

    /// <param name="awaited">What is waited for; null for a time.</param>
    /// <param name="place">The queue in which the seat will be.</param>
    /// <param name="continuation">What goes on.</param>
    /// <param name="flowContext">Whether in the execution context of now.</param>
    /// <param name="isTied">Whether the wait ends with the task for which the code runs. False for a wait that others may share.</param>
    /// <param name="answer">Where the signal is left.</param>
    internal TiedNode(object? awaited, IWaitQueue place, Action continuation, bool flowContext, bool isTied = true, WaitNode? answer = null)
        : base(captureSynchronization: isTied)
    {
        _awaited = awaited;
        _answer = answer;
        Queue = place;
        SetContinuation(continuation, flowContext);
        if (isTied)
        {
            Tie();
        }
    }

    private TiedNode(Action continuation, bool flowContext)
        : base(captureSynchronization: true) => SetContinuation(continuation, flowContext);

    /// <summary>Lets plain code go on when others had their turn. A cancellation point, like a wait for no time.</summary>
    internal static void GiveWay(Action continuation, bool flowContext)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        var seat = new TiedNode(continuation, flowContext);
        if (!seat.InterruptAtOnce())
        {
            seat.GoOn();
        }
    }

    /// <summary>By the awaiter, first thing in the continuation: throws if the wait for <paramref name="awaited"/> was ended early.</summary>
    internal static void ThrowIfEndedEarly(object? awaited)
    {
        if (StepContext.Existing is { Delivered: TiedNode node } context && ReferenceEquals(node._awaited, awaited))
        {
            node.ThrowIfInError(context);
        }
    }

    public override void Execute()
    {
        Untie();
        if (Error is null)
        {
            base.Execute(); // the awaiter need not know
        }
        else
        {
            Deliver();
        }
    }

    private protected override void Post()
    {
        if (_answer is not null && Error is null)
        {
            _answer.Signal = Signal;
        }

        base.Post();
    }
}
