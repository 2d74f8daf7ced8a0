using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>The last value of a watch, its version, and who waits for a newer one. Everything is written under the gate.</summary>
internal sealed class WatchCore<T> : SynchronizationPrimitive
{
    private T _value;

    // Grows with every value. A receiver that has seen an older version has something to see.
    private long _version = 1;

    // Null while the watch is open. Written once.
    private ChannelEnd? _end;

    internal WatchCore(string name, T first)
        : base(name) => _value = first;

    internal override string Kind => "watch";

    internal override ManagedTask? Holder => null;

    internal ChannelEnd? End => Atomics.Read(ref _end);

    internal T Read(out long version)
    {
        Gate.Enter();
        T value = _value;
        version = _version;
        Gate.Exit();
        return value;
    }

    internal long Version => Atomics.Read(ref _version);

    /// <summary>Sets the value and wakes all who wait.</summary>
    /// <param name="value">The value.</param>
    /// <param name="after">0, or the version that must still be the last.</param>
    internal ChannelAnswer Set(T value, long after)
    {
        var told = default(ClaimedChain);
        Gate.Enter();
        ChannelAnswer answer = _end is not null ? ChannelAnswer.Closed : after != 0 && after != _version ? ChannelAnswer.Later : ChannelAnswer.Done;
        if (answer == ChannelAnswer.Done)
        {
            _value = value;
            Atomics.Write(ref _version, _version + 1);
            told.AddAll(ref Queue);
        }

        Gate.Exit();
        WakeAll(told.First, WaitSignal.Done);
        return answer;
    }

    /// <returns>False when it was closed before.</returns>
    internal bool Close(ChannelEnd end)
    {
        var told = default(ClaimedChain);
        Gate.Enter();
        bool isFirst = _end is null;
        if (isFirst)
        {
            Atomics.Write(ref _end, end);
            told.AddAll(ref Queue);
        }

        Gate.Exit();
        WakeAll(told.First, WaitSignal.Closed);
        return isFirst;
    }

    internal override void Seat(WaitNode node, int armed)
    {
        Gate.Enter();
        bool isNewer = _version != node.Due;
        if (!node.IsArmed(armed))
        {
            Gate.Exit();
            return;
        }

        if (!isNewer && _end is null)
        {
            Queue.Append(node);
            Gate.Exit();
            return;
        }

        bool claimed = node.TryClaim();
        Gate.Exit();
        if (claimed)
        {
            node.Signal = isNewer ? WaitSignal.Done : WaitSignal.Closed;
            node.GoOn();
        }
    }

    internal override string Describe() => $"{Title}, {(End is null ? "open" : "closed")} ({Waiting} waiting)";

    private protected override bool TryCloseLocked(long ticket) => false; // it is closed by its sender
}
