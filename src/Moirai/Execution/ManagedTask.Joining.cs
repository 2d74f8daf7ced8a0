using Moirai.Execution;
using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai;

/// <content>Those who wait for the end, and the end itself.</content>
public partial class ManagedTask
{
    /// <summary>Somebody has looked at the outcome, or will.</summary>
    internal void MarkObserved()
    {
        MarkPassedOn();
        if (Word.State == TaskState.Failed && !IsLookedAt)
        {
            SetFlag(TaskFlags.LookedAt);
        }
    }

    /// <summary>Whether somebody has looked at the failure itself.</summary>
    internal bool IsLookedAt => (_core.Flags & TaskFlags.LookedAt) != 0;

    /// <summary>The outcome is known to somebody who passes it on: it is not the handle any more at which somebody ought to look.</summary>
    internal void MarkPassedOn()
    {
        if (IsEnded && _tail is not Unseen)
        {
            return; // it is only until the end that a flag is asked, and from then on only an outcome that somebody ought to see
        }

        if ((_core.Flags & TaskFlags.Observed) == 0)
        {
            _core.Gate.Enter();
            _core.Flags |= TaskFlags.Observed;
            var unseen = IsEnded ? _tail as Unseen : null;
            if (unseen is not null)
            {
                _tail = unseen.Error;
            }

            _core.Gate.Exit();
            unseen?.Seen();
        }
    }

    /// <summary>The task has failed and is about to say so: nobody can cancel it any more, and those who await it count as having seen it.</summary>
    internal void SettleFailure()
    {
        _core.Gate.Enter();
        _core.Flags |= _tail is WaitNode ? TaskFlags.Ending | TaskFlags.Observed : TaskFlags.Ending;
        _core.Gate.Exit();
    }

    /// <summary>Publishes the end: state and outcome. Joiners whose wait could be claimed come back as a chain.</summary>
    internal WaitNode? Finish(TaskEvent how, Exception? error, out TokenLink? links)
    {
        WaitNode? winners = null;
        Cell?.End();
        Unseen? unseen = OughtToBeSeen(how, error) ? new Unseen(this, error) : null; // not under the gate: it allocates
        _core.Gate.Enter();
        var first = _tail as WaitNode;
        if (unseen is not null && (first is not null || IsObserved))
        {
            _tail = error; // somebody has come who will look
        }
        else
        {
            _tail = (object?)unseen ?? error;
            unseen = null;
        }

        TaskGuard? late = null;
        links = null;
        if (_extras is TaskExtras extras)
        {
            links = extras.Links;
            late = TakeLateGuards(extras);
            while (extras.PlainWaits.First is { } seat)
            {
                extras.PlainWaits.Remove(seat);
                seat.LetGo();
            }
        }

        CutWakersLocked();
        _extras = _extras is TaskExtras { OutlivesEnd: true } kept ? kept.AfterEnd() : null;
        Place = null;
        Word.Move(how);
        if (first is not null)
        {
            WaitNode? last = null;
            WaitNode? node = first;
            first.Prev!.Next = null;
            while (node is not null)
            {
                WaitNode? next = node.Next;
                node.IsLinked = false;
                node.Next = node.Prev = null;
                if (node.TryClaim())
                {
                    if (last is null)
                    {
                        winners = node;
                    }
                    else
                    {
                        last.Next = node;
                    }

                    last = node;
                }

                node = next;
            }
        }

        _core.Gate.Exit();
        unseen?.Seen();
        RunLateGuards(late);
        return winners;
    }

    // Guards of plain code for which nobody waits, and which has made them when the end had run the others. As a chain.
    private static TaskGuard? TakeLateGuards(TaskExtras extras)
    {
        TaskGuard? chain = null;
        while (extras.Guards.First is { } guard)
        {
            extras.Guards.Remove(guard);
            guard.Next = chain;
            chain = guard;
        }

        return chain;
    }

    private static void RunLateGuards(TaskGuard? chain)
    {
        while (chain is { } guard)
        {
            chain = guard.Next;
            guard.Next = null;
            guard.RunAfterEnd();
        }
    }

    // A failure always, unless it was told as a leak already; a result, where the runtime is asked to watch over them.
    private bool OughtToBeSeen(TaskEvent how, Exception? error) =>
        !IsObserved && (error is not (null or LeakedTaskException) || (how == TaskEvent.Complete && Engine.Unseen.WithResults && HasResult)) && _tail is not WaitNode;

    /// <summary>Tells of a failure at which nobody has looked, for who knows that nobody will.</summary>
    internal void TellUnseen(string why)
    {
        _core.Gate.Enter();
        var unseen = IsEnded ? _tail as Unseen : null;
        _core.Gate.Exit();
        unseen?.Tell(why);
        MarkObserved();
    }

    /// <summary>The group's account has the end: the last thing that is done to a task.</summary>
    internal void MarkLeft() => Atomics.Write(ref Page, null);

    /// <summary>Seats a joiner, who has armed its wait.</summary>
    internal void Join(WaitNode node, int armed)
    {
        Lock();
        if (!node.IsArmed(armed))
        {
            _core.Gate.Exit();
            return;
        }

        if (IsEnded)
        {
            bool claimed = node.TryClaim();
            _core.Gate.Exit();
            WaitUntilLeft();
            if (claimed)
            {
                node.GoOn();
            }

            return;
        }

        node.IsLinked = true;
        if (_tail is WaitNode first)
        {
            node.Prev = first.Prev;
            node.Next = first;
            first.Prev!.Next = node;
            first.Prev = node;
        }
        else
        {
            node.Next = node.Prev = node;
            _tail = node;
        }

        _core.Gate.Exit();
    }

    /// <summary>Waits for the few instructions that the thread which ends the task needs between telling of the end, publishing it and booking it. Who is to see the end is given the
    /// world in which all are true.</summary>
    internal void WaitUntilLeft()
    {
        var spinner = default(SpinWait);
        while (!HasLeft)
        {
            Atomics.SpinOnce(ref spinner);
        }
    }

    /// <inheritdoc cref="IPlainSeats.FindSeat"/>
    internal CallbackSeat? FindSeat(object method)
    {
        Lock();
        CallbackSeat? found = null;
        if (!IsEnded && _tail is WaitNode first)
        {
            WaitNode node = first;
            do
            {
                found = node is TiedNode seat && seat.Continues(method) ? seat : null;
                node = node.Next!;
            }
            while (found is null && !ReferenceEquals(node, first));
        }

        Unlock();
        return found;
    }

    void IWaitQueue.Remove(WaitNode node)
    {
        Lock();
        if (node.IsLinked)
        {
            if (ReferenceEquals(node.Next, node))
            {
                _tail = null;
            }
            else
            {
                node.Prev!.Next = node.Next;
                node.Next!.Prev = node.Prev;
                if (ReferenceEquals(_tail, node))
                {
                    _tail = node.Next;
                }
            }

            node.IsLinked = false;
            node.Next = node.Prev = null;
        }

        _core.Gate.Exit();
    }
}
