using Moirai.Execution;
using Moirai.Sync;
using Moirai.Wakers;

namespace Moirai;

/// <content>How a wait for permits begins and ends, and with whom the lease is noted.</content>
public abstract partial class PermitPrimitive : ILeased
{
    // A lease that somebody has to answer for is noted with the task that runs.
    private void NoteHold(StepContext? context, long request, long ticket)
    {
        if ((request & ILeased.Owned) != 0 && context?.Task is not null)
        {
            context.AddSharedHold(this, ticket);
        }
    }

    // What the request has to say about what the task holds.
    void ILeased.Suspend(Frame frame, long request, CancellationToken token)
    {
        bool holdsSome = (request & ILeased.Owned) != 0 && RefusesHolders && Holdings.Has(frame.Owner!, this);
        PrimitiveWait.Suspend(frame, this, holdsSome ? request | HoldsSome : request, token);
    }

    long ILeased.EndWait(WaitNode node, WaitSignal signal, long request, string file, int line)
    {
        if (signal != WaitSignal.Done)
        {
            throw signal == WaitSignal.Closed ? ClosedError() : RefusedError();
        }

        long ticket = node.Due;
        if (node is Frame)
        {
            _leases.NoteSite(ticket, file, line); // whoever granted it did not know
            NoteHold(StepContext.Existing, request, ticket);
        }

        return ticket;
    }
}
