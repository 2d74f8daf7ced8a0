using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>Lets a token end one wait of a frame in a primitive.</summary>
internal sealed class TokenWatch : IWatchedWait
{
    private readonly Frame _frame;
    private readonly CancellationToken _token;

    // Written before the frame parks.
    private CancellationTokenRegistration _registration;

    // Set by the frame's thread when the wait is over.
    private bool _ended;

    private TokenWatch(Frame frame, SynchronizationPrimitive primitive, CancellationToken token)
    {
        _frame = frame;
        Primitive = primitive;
        _token = token;
    }

    public SynchronizationPrimitive Primitive { get; }

    internal static void Suspend(Frame frame, SynchronizationPrimitive primitive, CancellationToken token)
    {
        ManagedTask task = frame.Owner!;
        var watch = new TokenWatch(frame, primitive, token);
        frame.MarkKnown(); // whoever cancels the token may have this a moment longer
        watch._registration = token.UnsafeRegister(static watch => ((TokenWatch)watch!).Fire(), watch);
        if (StepContext.Current.HasToGiveWay)
        {
            Park.YieldBefore(frame, watch);
        }
        else if (Park.Begin(frame, watch, out int armed))
        {
            primitive.Seat(frame, armed);
            watch.FireIfCanceled();
            DeadlockCheck.AfterSeat(task);
        }
    }

    public void EndWait()
    {
        Atomics.Write(ref _ended, true);
        _registration.Unregister();
    }

    public bool Accept(WaitNode node)
    {
        if (Primitive.Accept(node))
        {
            return true;
        }

        FireIfCanceled();
        return false;
    }

    private void FireIfCanceled()
    {
        if (_token.IsCancellationRequested)
        {
            Fire();
        }
    }

    private void Fire() => ((IWatchedWait)this).Fire(_frame, ref _ended, WaitSignal.Abandoned);
}
