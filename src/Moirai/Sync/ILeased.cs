using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>A primitive that gives leases: what <see cref="LeaseAwaitable{TLease}"/> asks of it when it has to wait.</summary>
internal interface ILeased
{
    /// <summary>In a request, which is also what <see cref="WaitNode.Due"/> tells the primitive: the task that asks answers for the lease.</summary>
    internal const long Owned = 1;

    /// <summary>A future waits, in its own frame. The last thing that the frame's thread does.</summary>
    void Suspend(Frame frame, long request, CancellationToken token);

    /// <summary>A wait has ended, and not by cancellation: notes who answers for what it got.</summary>
    /// <param name="node">The seat of the wait.</param>
    /// <param name="signal">How it ended.</param>
    /// <param name="request">What was asked for.</param>
    /// <param name="file">Where, as the compiler wrote it down.</param>
    /// <param name="line">Where.</param>
    /// <returns>The ticket of the lease.</returns>
    /// <exception cref="Exception">It got nothing.</exception>
    long EndWait(WaitNode node, WaitSignal signal, long request, string file, int line);
}
