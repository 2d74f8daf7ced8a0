using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>How those who have to wait are seated, how they leave, and who goes on when something has changed.</summary>
internal sealed partial class ChannelCore<T>
{
    internal override void Seat(WaitNode node, int armed)
    {
        Gate.Enter();
        if (!node.IsArmed(armed))
        {
            Gate.Exit();
            return;
        }

        bool receives = node.Due == ToReceive;
        if (!(receives ? CanEndReceiveLocked() : CanEndSendLocked()))
        {
            (receives ? ref Queue : ref _senders).Append(node);
            Gate.Exit();
            return;
        }

        if (!node.TryClaim())
        {
            Gate.Exit();
            return;
        }

        WaitSignal signal = receives ? EndReceiveLocked(out WaitNode? other) : EndSendLocked(node, out other);
        Gate.Exit();
        WakeAll(other, WaitSignal.Done);
        if (signal == WaitSignal.Invited)
        {
            Wake(node, signal); // by way of the ready queue: whether it was invited is asked at the begin of a step
            return;
        }

        node.Signal = signal;
        node.GoOn();
    }

    void IWaitQueue.Remove(WaitNode node)
    {
        Gate.Enter();
        (node.Due == ToReceive ? ref Queue : ref _senders).Remove(node);
        Gate.Exit();
    }

    string IWaitQueue.DescribeWait(WaitNode node) => node.Due switch
    {
        ToReceive => $"an element of {Describe()}",
        ToReserve => $"a permit of {Describe()}",
        _ => $"room in {Describe()}",
    };

    internal override string WaitTitle(WaitNode node) => node.Due switch
    {
        ToReceive => $"an element of {Title}",
        ToReserve => $"a permit of {Title}",
        _ => $"room in {Title}",
    };

    internal override int WaitAspect(WaitNode node) => node.Due is ToReceive or ToReserve ? (int)node.Due : 0;

    private bool CanEndReceiveLocked() => _elements.Count > _promised || (Capacity == 0 && _senders.Count > 0) || IsOverLocked;

    // The receiver is claimed.
    private WaitSignal EndReceiveLocked(out WaitNode? other)
    {
        if (_elements.Count > _promised)
        {
            _promised++;
            other = _senders.Count > 0 ? SettleLocked() : null;
            return WaitSignal.Done;
        }

        other = Capacity == 0 ? _senders.ClaimFirst() : null;
        if (other is not null)
        {
            _elements.Append(_parked.Take((int)other.Due));
            _promised++;
            return WaitSignal.Done;
        }

        return IsOverLocked ? WaitSignal.Closed : WaitSignal.Invited; // those who were there have just left: look again
    }

    private bool CanEndSendLocked() => _end is not null || (Capacity > 0 ? HasRoomLocked : Queue.Count > 0);

    // The sender is claimed.
    private WaitSignal EndSendLocked(WaitNode node, out WaitNode? other)
    {
        other = null;
        if (_end is not null)
        {
            return WaitSignal.Closed;
        }

        if (node.Due == ToReserve)
        {
            _reserved++;
            return WaitSignal.Done;
        }

        other = Queue.ClaimFirst();
        if (other is not null)
        {
            _promised++;
        }
        else if (Capacity == 0)
        {
            return WaitSignal.Invited;
        }

        _elements.Append(_parked.Take((int)node.Due));
        return WaitSignal.Done;
    }

    /// <summary>Lets those in who have room now, and wakes receivers for what there is now.</summary>
    /// <returns>Who goes on, claimed.</returns>
    private WaitNode? SettleLocked()
    {
        var done = default(ClaimedChain);
        while (true)
        {
            if (_end is null && HasRoomLocked && _senders.ClaimFirst() is { } sender)
            {
                if (sender.Due == ToReserve)
                {
                    _reserved++;
                }
                else
                {
                    _elements.Append(_parked.Take((int)sender.Due));
                }

                done.Add(sender);
            }
            else if (_elements.Count > _promised && Queue.ClaimFirst() is { } receiver)
            {
                _promised++;
                done.Add(receiver);
            }
            else
            {
                return done.First;
            }
        }
    }

    // After a permit: its use may serve a receiver, its return a sender, and either may be the last thing that receivers of a closed channel wait for.
    private void SettleAndExit()
    {
        WaitNode? done = SettleLocked();
        var told = default(ClaimedChain);
        if (IsOverLocked)
        {
            told.AddAll(ref Queue);
        }

        Gate.Exit();
        WakeAll(done, WaitSignal.Done);
        WakeAll(told.First, WaitSignal.Closed);
    }
}
