using Moirai.Execution;
using Moirai.Futures;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Stories;

/// <summary>What a task waits for, as far as it is the same for all who wait for it.</summary>
/// <param name="kind">Of which kind it is.</param>
/// <param name="what">What it is, in words.</param>
internal sealed class WaitTarget(WaitKind kind, string what)
{
    internal WaitKind Kind => kind;

    internal string What { get; } = what;

    /// <summary>What it is without its number, for groups of waits on many of its like.</summary>
    internal string Merged { get; init; } = what;

    /// <summary>The task whose end is awaited.</summary>
    internal ManagedTask? Task { get; init; }

    /// <summary>The primitive that is waited in.</summary>
    internal SynchronizationPrimitive? Primitive { get; init; }

    /// <summary>What tells this target from others: an object, or words.</summary>
    /// <param name="leaf">The frame that waits.</param>
    /// <param name="chain">The chain of the task, as it was read last.</param>
    /// <param name="aspect">Tells waits of different kinds on one object apart.</param>
    internal static object KeyOf(Frame leaf, AwaitChain chain, out int aspect)
    {
        aspect = 0;
        switch (leaf.Queue)
        {
            case SynchronizationPrimitive primitive:
                aspect = primitive.WaitAspect(leaf);
                return primitive;
            case Sync.IWatchedWait watch:
                aspect = watch.Primitive.WaitAspect(leaf);
                return watch.Primitive;
            case MovableWait wait:
                return wait.Name;
            case TaskWait wait:
                return wait.Operation;
            case IWaitQueue queue when ReferenceEquals(queue, leaf):
                return queue.DescribeWait(leaf);
            case IWaitQueue queue:
                return queue;
            default:
                return chain.Foreign as ManagedTask as object ?? chain.ForeignMethod ?? chain.ForeignWords;
        }
    }

    /// <summary>Describes what <see cref="KeyOf"/> has found.</summary>
    internal static WaitTarget Of(object key, Frame leaf) => key switch
    {
        SynchronizationPrimitive primitive => new(WaitKind.Primitive, primitive.WaitTitle(leaf)) { Primitive = primitive },
        TimerQueue => new(WaitKind.Timer, "a timer"),
        ManagedTask task => new(WaitKind.Task, $"the end of {task.Title}") { Task = task, Merged = $"the end of '{task.Name}'" },
        TaskGroup group => new(WaitKind.Scope, $"the end of the tasks of '{group.Name}'"),
        TaskSlotManager slots => new(WaitKind.Slot, $"a slot of '{slots.Name}'"),
        IWaitQueue queue => new(WaitKind.Other, queue.DescribeWait(leaf)),
        _ => leaf.Queue switch
        {
            MovableWait => new(WaitKind.Timer, (string)key),
            TaskWait => new(WaitKind.Foreign, $"a foreign task ({key})"),
            IWaitQueue => new(WaitKind.Poll, (string)key),
            _ => new(WaitKind.Foreign, (string)key),
        },
    };

    /// <summary>When time ends the wait, by the timer queue's clock; null when it does not.</summary>
    internal static long? DueOf(Frame leaf)
    {
        WaitNode? entry = leaf.Queue is Sync.TimeWatch watch ? watch : leaf.Queue is TimerQueue or MovableWait or TaskWait ? leaf : null;
        return entry is { IsLinked: true } && entry.Due is var due && due != TimerWheel.Never ? due : null;
    }
}
