using Moirai.Load.Harness;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Load.Benches;

/// <summary>The timer queue alone, without tasks: N deadlines in, and out again in another order before they come.</summary>
/// <remarks>Another order costs half as much again, ours and theirs: who sets a peer's program beside it sets one that cancels in the order of its inserts beside <c>ordered</c>.</remarks>
internal sealed class TimerChurn() : Workload(
    "timers",
    "N timers with random deadlines in 1..60 s, all inserted, then all canceled in another order (ordered: in the same); fire: within one second, all wait for theirs",
    new Variant("random", 1_000_000),
    new Variant("ordered", 1_000_000),
    new Variant("fire", 100_000))
{
    private const int NoPeriod = Timeout.Infinite;

    public override Future RunByMoiraiAsync(Pass pass)
    {
        if (pass.Variant == "fire")
        {
            Lateness.OfMoirai(pass);
        }
        else
        {
            Run(pass);
        }

        return Future.Completed();
    }

    public override Task RunByHandAsync(Pass pass)
    {
        if (pass.Variant == "fire")
        {
            Lateness.ByHand(pass);
            return Task.CompletedTask;
        }

        (int[] delays, int[] order) = Plan(pass);
        var timers = new Timer[pass.N];
        TimerCallback nothing = static _ => { };
        long before = Timer.ActiveCount;
        pass.Begin();
        for (int i = 0; i < timers.Length; i++)
        {
#pragma warning disable RS0030 // the timer that people use: by way of TimeProvider it would carry a wrapper
            timers[i] = new Timer(nothing, null, delays[i], NoPeriod);
#pragma warning restore RS0030
        }

        pass.Phase("insert");
        foreach (int i in order)
        {
            timers[i].Dispose();
        }

        pass.Phase("cancel");
        pass.Count(pass.N);
        long left = Timer.ActiveCount - before;
        Pass.Check(left <= 0, $"{left} timers are left");
        pass.Extra("timer_entries_left", left);
        return Task.CompletedTask;
    }

    private static void Run(Pass pass)
    {
        (int[] delays, int[] order) = Plan(pass);
        var nodes = new TimerNode[pass.N];
        using var queue = new TimerQueue(TimeProvider.System);
        pass.Begin();
        for (int i = 0; i < nodes.Length; i++)
        {
            var node = new TimerNode { Queue = queue };
            nodes[i] = node;
            queue.Arm(node, queue.DueIn(TimeSpan.FromMilliseconds(delays[i])), TimerNode.Armed);
        }

        pass.Phase("insert");
        long canceled = 0;
        foreach (int i in order)
        {
            // As whoever wins a wait does it: claim, then unlink.
            if (nodes[i].TryClaim())
            {
                queue.Remove(nodes[i]);
                canceled++;
            }
        }

        pass.Phase("cancel");
        pass.Count(pass.N);
        Pass.Check(queue.Count == 0, $"{queue.Count} entries are left in the queue");
        Pass.Check(canceled + queue.Fired == pass.N, $"{canceled} canceled and {queue.Fired} fired of {pass.N}");
        pass.Extra("timer_entries_left", queue.Count);
        pass.Extra("fired", queue.Fired);
    }

    // The same deadlines and the same shuffle in every run.
    private static (int[] Delays, int[] Order) Plan(Pass pass)
    {
        var random = new XorShift(88172645463325252);
        var delays = new int[pass.N];
        var order = new int[pass.N];
        bool shuffles = pass.Variant == "random";
        for (int i = 0; i < delays.Length; i++)
        {
            delays[i] = 1_000 + random.Below(59_000);
            int swap = shuffles ? random.Below(i + 1) : i;
            order[i] = order[swap];
            order[swap] = i;
        }

        return (delays, order);
    }

    private sealed class TimerNode : WaitNode
    {
        public const int Armed = 1;
        private const int Claimed = 2;

        private int _state = Armed;

        internal override bool IsArmed(int armed) => Volatile.Read(ref _state) == armed;

        internal override bool TryClaim() => Interlocked.CompareExchange(ref _state, Claimed, Armed) == Armed;

        internal override void GoOn() => throw new NotSupportedException("Nothing waits here.");

        internal override void Resume(ref WakeBatch batch)
        {
            // Nobody waits: a timer that fires has only to be counted, and the queue does.
        }
    }
}
