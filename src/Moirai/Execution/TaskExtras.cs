using Moirai.Ground;
using Moirai.Lifecycle;

namespace Moirai.Execution;

/// <summary>What is known of a task beside its state. Written under the task's gate.</summary>
[Flags]
internal enum TaskFlags : byte
{
    None = 0,

    /// <summary>Somebody asked it to stop. Never cleared.</summary>
    CancelRequested = 1,

    /// <summary>A cancel region of the task has expired. Cleared when the last such region is left.</summary>
    RegionExpired = 2,

    /// <summary>Somebody has looked at the outcome, or was told of it.</summary>
    Observed = 4,

    /// <summary>It has failed, and the end is about to be published.</summary>
    Ending = 8,

    /// <summary>It has let go of its frames, to see who else holds them. See <see cref="ManagedTask.TrySuspect"/>.</summary>
    Suspected = 16,

    /// <summary>It may wait for ever, and nobody is to find that odd.</summary>
    Resident = 32,

    /// <summary>It is an operation that whoever called it has given up. Never cleared.</summary>
    Abandoned = 64,

    /// <summary>It has failed, and somebody has looked at that, not only passed it on into a <see cref="Task"/>.</summary>
    LookedAt = 128,
}

/// <summary>The small fields of a task, packed: as fields of their own each would take eight bytes.</summary>
internal struct TaskCore
{
    // State and ticket; see LifecycleWord for who moves it.
    internal LifecycleWord Word;

    internal SpinGate Gate;

    // Written once, before the task is published.
    internal byte Seat;

    // Written under the gate; read by anyone.
    private byte _flags;

    internal TaskFlags Flags
    {
        readonly get => (TaskFlags)Atomics.Read(in _flags);
        set => Atomics.Write(ref _flags, (byte)value);
    }
}

/// <summary>What few tasks need: made when the first of it is needed. Every field is written under the task's gate.</summary>
internal sealed class TaskExtras
{
    // The source of the token that the body sees.
    internal CancellationTokenSource? Cts;

    // The cause of a cancellation that concerned this task alone; a task canceled with its group finds it there.
    internal CancelCause? Cause;

    // The target of the task's wakers, once it has polled.
    internal TaskWakeTarget? Waking;

    // The innermost cancel region that the task is in.
    internal CancelRegion? Regions;

    // Where plain code waits that runs for the task: its cancellation ends these waits, too.
    internal IntrusiveList<TiedSeat> PlainWaits;

    // How many of the regions are shields.
    internal ushort Shields;

    // The clean-up that the end waits for, the youngest first; each until it has run.
    internal IntrusiveList<TaskGuard> Guards;

    // What the body gave; set when clean-up runs after it.
    internal Epilogue? Epilogue;

    // What the task's wait throws since it was proved to be one for ever: leaked, or a part of a ring. Taken by the task's next step.
    internal Exception? Leak;

    // How long it may wait before an alarm is raised; in ticks; 0: as long as its scope allows. (A TimeSpan? would take eight bytes more.)
    private long _blockedLimit;

    // Links to tokens from outside.
    internal TokenLink? Links;

    // The scopes that the task has opened and that are not closed.
    internal TaskGroup? Groups;

    // What the task has held across a wait; some of it was given back since. See Holdings.
    internal List<Hold>? Holds;

    // The ticket of the wait that was told of as a part of a ring; see WaitEdge.
    internal int ToldWait;

    // The task that called this one as an operation, and waits for it. Cleared when it gives it up.
    internal ManagedTask? Caller;

    // How often the ticket of the task has begun again at zero.
    internal ushort Rounds;

    // The task's span, where somebody listens. Written once, before the task can run.
    internal System.Diagnostics.Activity? Span;

    /// <inheritdoc cref="_blockedLimit"/>
    internal TimeSpan? BlockedLimit
    {
        get => _blockedLimit == 0 ? null : new TimeSpan(_blockedLimit);
        set => _blockedLimit = value?.Ticks ?? 0;
    }

    /// <summary>Whether anything of this is asked for after the end.</summary>
    internal bool OutlivesEnd => Cause is not null || Rounds != 0;

    /// <summary>What is left of this after the end.</summary>
    internal TaskExtras AfterEnd() =>
        Cts is null && Waking is null && Regions is null && Groups is null && Links is null && Holds is null && Caller is null && Span is null && PlainWaits.First is null ? this : new TaskExtras { Cause = Cause, Rounds = Rounds };
}
