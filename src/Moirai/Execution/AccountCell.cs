using System.Runtime.CompilerServices;
using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>The account of one task: how often a thread took it up outside its own steps, and where its time went.</summary>
/// <remarks>
/// Also what flows with the execution context of plain code, so whatever captures that keeps it: it leads neither to frames nor to what the task waits for, and to the task only where <see cref="TaskIdentity"/> does.
/// <para>At every moment the task is in one of four conditions: its own step runs (or has lent its thread to another task), it is ready, it waits, it has ended; and some threads, mostly none, run plain code for it. It is busy while
/// a step or any thread runs. The time since the last change is booked under what the task was.</para>
/// <para>Who changes the condition owns the task; the threads of plain code come and go as they like. Until the cell flows with plain code only the owner writes, and needs no gate; from then on everybody writes under it. Who reads
/// takes no gate: the version is odd while something is being written. Who has made it odd is the one who writes.</para>
/// </remarks>
internal sealed partial class AccountCell : TaskIdentity
{
    private const int ConditionMask = 0b0011;
    private const int Blocked = 0;
    private const int Ready = 1;
    private const int Running = 2;
    private const int Ended = 3;
    private const int LentBit = 0b0100;
    private const int OneThread = 0b1000;
    private const int ThreadShift = 3;
    private const long OneChange = 1L << 32;

    /// <summary>No look at the clock.</summary>
    internal const long Unread = long.MinValue;

    private readonly TimeProvider? _clock;
    private readonly long _created;

    // When the condition changed last. Where only polls are counted: when a thread was last seen to leave; under the system clock by the coarse one.
    private long _since = Unread;

    // Where only polls are counted: what the thread counted that counts by itself.
    private long _busy;
    private long _ready;

    // What the last await that had to wait was on: the type of queue or awaiter, which keeps nothing alive.
    private Type? _lastAwait;

    // Where times are kept written like these; else interlocked.
    private long _polls;

    // Low half: condition, whether the step's thread is lent, and the number of threads in plain code. High half: the version, which grows by two with each change. Even: nobody writes. Made odd by who does: while the cell flows
    // interlocked, and that is the gate.
    private long _state;

    // Written by the task's own thread and by its end; read by whoever spawns in the context.
    private ExecutionContext? _with;
    private ExecutionContext? _without;

    // Where only polls are counted: the number of the thread that counts by itself, since it was the first to come. Interlocked, once.
    private int _countsAlone;

    // The thread that has come to plain code last, while it is there. Written by threads that come and by that one when it leaves, without a gate; read by the watch. Set only while somebody follows threads.
    private StepContext? _threadInside;

    private readonly bool _isExact;

    // Whether the cell flows with plain code. Written once by the owner, before it does.
    private bool _flows;

    // The clock has thrown: nothing is known of times any more. Written once.
    private bool _broken;

    // Whether a step was counted that was not the task's. Written once, by the task's own thread.
    private bool _hasOwnPoll;

    /// <param name="label">Name and spawn site.</param>
    /// <param name="clock">That of the runtime; null when it is not to be looked at.</param>
    /// <param name="born">When the task was, if that is known.</param>
    /// <param name="isExact">Whether times are kept; else polls are counted, and no more.</param>
    internal AccountCell(TaskLabel label, TimeProvider? clock, long born = Unread, bool isExact = true)
    {
        Label = label;
        _clock = clock;
        _created = born;
        _isExact = isExact && clock is not null;
        if (_isExact)
        {
            _created = _since = Read();
            _state = Ready;
        }
    }

    internal TaskLabel Label { get; }

    internal bool IsExact => _isExact;

    /// <summary>When the task was born; <see cref="Unread"/> when that is not known.</summary>
    internal long Born => _created;

    /// <summary>How often plain code was taken up.</summary>
    internal long Polls => Atomics.Read(ref _polls) + (_isExact ? 0 : Atomics.Read(ref _busy)) - (Atomics.Read(ref _hasOwnPoll) ? 1 : 0);

    /// <summary>The plain body has ended; by the frame that had called it. If that had to wait, the step which fetches the outcome is ours and not the task's.</summary>
    internal void CloseBody(ManagedTask task)
    {
        if (task.Word.Starts != 1)
        {
            Atomics.Write(ref _hasOwnPoll, true);
        }
    }

    /// <summary>Remembers two contexts that differ in this cell alone. By the task's own thread.</summary>
    internal void Flows(ExecutionContext? without, ExecutionContext? with)
    {
        Atomics.Write(ref _without, without);
        Atomics.Write(ref _with, with);
    }

    /// <summary>The context that is like another but for this cell; null when it is not known.</summary>
    internal ExecutionContext? ContextWithout(ExecutionContext? context) => context is not null && ReferenceEquals(Atomics.Read(ref _with), context) ? Atomics.Read(ref _without) : null;

    /// <summary>Lets go of the contexts: what they lead to is kept by what runs in them, and by nobody who only knows of the task. By anybody.</summary>
    internal void ForgetContexts()
    {
        Atomics.Write(ref _with, null);
        Atomics.Write(ref _without, null);
    }

    /// <summary>The task is ready, if it was not before. By its owner.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void BecomeReady()
    {
        if (((int)Atomics.Read(ref _state) & (LentBit | ConditionMask)) != Ready)
        {
            Turn(Ready, Unread);
        }
    }

    /// <summary>A thread begins to run the ready task.</summary>
    /// <param name="now">What the clock has just shown; else it is read.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Run(long now)
    {
        long state = Atomics.Read(ref _state);
        if (now == Atomics.ReadOwn(in _since) && (int)state == Ready && !_flows)
        {
            Atomics.Write(ref _state, state + (2 * OneChange) + (Running - Ready)); // it gave way, and its turn has come at once
        }
        else
        {
            Turn(Running, now);
        }
    }

    /// <summary>The task gives way.</summary>
    /// <returns>What the clock shows.</returns>
    internal long GiveWay() => Stop(Ready);

    /// <summary>The task begins to wait.</summary>
    /// <returns>What the clock shows.</returns>
    internal long Wait(Type what)
    {
        _lastAwait = what;
        return Stop(Blocked);
    }

    internal void End()
    {
        ForgetContexts(); // no ambient values are kept
        if (IsExact)
        {
            Stop(Ended);
        }
    }

    /// <summary>The thread of the step runs something else for a while.</summary>
    /// <param name="now">What the clock has just shown; else it is read.</param>
    internal void Lend(long now = Unread)
    {
        if (((int)Atomics.Read(ref _state) & (LentBit | ConditionMask)) == Running)
        {
            ChangeBits(~0, LentBit, now);
        }
    }

    /// <summary>Undoes <see cref="Lend"/>.</summary>
    /// <param name="now">What the clock has just shown; else it is read.</param>
    internal void TakeBack(long now = Unread)
    {
        if (((int)Atomics.Read(ref _state) & LentBit) != 0)
        {
            ChangeBits(~LentBit, 0, now);
        }
    }

    /// <summary>Whether a time that another cell was told is one of the clock of this one.</summary>
    internal bool GoesBy(AccountCell? other) => other is not null && ReferenceEquals(_clock, other._clock);

    /// <summary>From here on the cell flows with plain code. By the owner.</summary>
    internal void BeginToFlow() => _flows = true;

    /// <summary>The thread that has come to plain code last, if it is there still, and threads are followed.</summary>
    internal StepContext? ThreadInside => Atomics.Read(ref _threadInside);

    /// <summary>A thread comes to plain code, and is watched.</summary>
    internal void SeeInside(StepContext thread) => Atomics.Write(ref _threadInside, thread);

    /// <summary>A thread comes to plain code.</summary>
    /// <param name="takesUp">Whether that is a poll.</param>
    /// <param name="thread">Which, if it is known.</param>
    /// <param name="now">What the clock has just shown; else it is read.</param>
    /// <returns>What the clock showed, if that is known.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long ThreadEnters(bool takesUp, StepContext? thread, long now = Unread)
    {
        if (_isExact)
        {
            return BookEntry(takesUp ? 1 : 0, now);
        }

        if (takesUp)
        {
            CountPoll(thread);
        }

        return Unread;
    }

    /// <summary>And leaves it.</summary>
    /// <param name="thread">Which, if it is known.</param>
    /// <returns>What the clock showed, if that is known.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long ThreadLeaves(StepContext? thread)
    {
        if (Atomics.Read(ref _threadInside) is { } inside && ReferenceEquals(inside, thread))
        {
            Atomics.Write(ref _threadInside, null); // one that came in between may go unseen until it comes again
        }

        if (_isExact)
        {
            return BookLeave();
        }

        if (_clock is not null)
        {
            Atomics.Write(ref _since, ReferenceEquals(_clock, TimeProvider.System) ? Clock.CoarseMilliseconds : Read());
        }

        return Unread;
    }

    // No two threads write the same word here, but for those that come late. A thread that comes to a cell which another one has written just before waits much longer for its cache line than for what is interlocked: so it is the one that
    // comes again and again which is spared that.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountPoll(StepContext? thread)
    {
        if (thread is not null && Atomics.Read(ref _countsAlone) == thread.Number)
        {
            Atomics.Write(ref _busy, Atomics.ReadOwn(in _busy) + 1);
        }
        else
        {
            CountPollBesideIt(thread ?? StepContext.Current);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CountPollBesideIt(StepContext thread)
    {
        if (Atomics.Read(ref _countsAlone) == 0 && Atomics.CompareExchange(ref _countsAlone, thread.Number, 0) == 0)
        {
            Atomics.Write(ref _busy, 1);
        }
        else
        {
            Atomics.Add(ref _polls, 1);
        }
    }
}
