using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>What the current thread is stepping. One per thread; read and written by that thread alone.</summary>
internal sealed class StepContext
{
    private const int IdBlock = 32;

    // As many as keep the cost of giving way, some sixty nanoseconds, out of sight.
    private const int TurnsPerStep = 64;

    [ThreadStatic]
    private static StepContext? t_current;

    private static long s_nextIds = 1;

    // The task and the frame whose code runs now; null outside managed tasks.
    internal ManagedTask? Task;
    internal Frame? Frame;

    // What the stepper runs after the current frame has unwound: a callee, a caller, or the same frame again.
    internal Frame? Next;

    // The root frame of the task has returned or thrown.
    internal bool RootEnded;

    // The exception of the frame that has just thrown, on its way to its caller.
    internal Exception? Error;

    // The ready queue that this thread drains, if it drains one.
    internal object? Shard;

    // What the current task has taken in this step and not given back. Empty between steps.
    private Hold[] _holds = new Hold[8];
    private int _holdCount;

    // The seat of the plain code that is being continued on this thread, for its awaiter to find.
    internal WaitNode? Delivered;

    // How many more waits of this step may end at once, without suspending.
    private int _turns;

    private long _id;
    private long _idsLeft;

    internal static StepContext Current => t_current ??= new StepContext();

    /// <summary>The current thread's context if it ever stepped a task; for questions that must not allocate.</summary>
    internal static StepContext? Existing => t_current;

    /// <summary>Begins a step.</summary>
    internal void ResetTurns() => _turns = TurnsPerStep;

    /// <summary>Whether the current task may go on at once although it could wait. Now and then it may not, so that one whose waits never have to
    /// suspend gives way to others: a spawner that always finds a slot, a reader of outcomes that are all there. Always, outside managed tasks.</summary>
    internal static bool MayGoOn() => t_current is not { Frame: not null } context || --context._turns > 0;

    /// <summary>Whether the current task has used up its turns and has to give way.</summary>
    internal bool HasToGiveWay => _turns <= 0;

    internal ReadOnlySpan<Hold> Holds => _holds.AsSpan(0, _holdCount);

    /// <summary>Notes what the current task has taken.</summary>
    internal void AddHold(IHeld what, long ticket)
    {
        if (_holdCount == _holds.Length)
        {
            Array.Resize(ref _holds, _holds.Length * 2);
        }

        ref Hold hold = ref _holds[_holdCount++];
        hold.What = what;
        hold.Ticket = ticket;
    }

    /// <summary>The current task gives back what it has taken, in this step.</summary>
    /// <returns>False when it was not taken in this step.</returns>
    internal bool TryRemoveHold(IHeld what, long ticket)
    {
        Hold[] holds = _holds;
        for (int i = _holdCount - 1; i >= 0; i--)
        {
            if (ReferenceEquals(holds[i].What, what) && holds[i].Ticket == ticket)
            {
                int last = --_holdCount;
                if (i != last)
                {
                    Array.Copy(holds, i + 1, holds, i, last - i);
                }

                holds[last].What = null;
                return true;
            }
        }

        return false;
    }

    internal void ClearHolds()
    {
        Array.Clear(_holds, 0, _holdCount);
        _holdCount = 0;
    }

    internal TaskId NextId()
    {
        if (_idsLeft == 0)
        {
            _id = Interlocked.Add(ref s_nextIds, IdBlock) - IdBlock;
            _idsLeft = IdBlock;
        }

        _idsLeft--;
        return new TaskId(_id++);
    }

    internal Exception TakeError()
    {
        Exception error = Error ?? new InvalidOperationException("A Moirai future failed without an error. Please report this.");
        Error = null;
        return error;
    }
}
