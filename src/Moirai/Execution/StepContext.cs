using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>What the current thread is stepping. One per thread; read and written by that thread alone.</summary>
internal sealed class StepContext : Ground.Isolated
{
    private const int IdBlock = 32;

    // As many as keep the cost of giving way, some sixty nanoseconds, out of sight.
    private const int TurnsPerStep = 64;

    private const int MostBeneath = 32;

    // The frames between the platform's change of context and us may be compiled anew between a call and its return; a call inside takes more.
    private const int SameDepth = 128;

    [ThreadStatic]
    private static StepContext? t_current;

    private static long s_nextIds = 1;

    // The thread, its number among those that live, and the system's number for it, for who watches how long it is kept. Written once.
    internal readonly Thread Thread = Thread.CurrentThread;
    internal readonly int Number = Environment.CurrentManagedThreadId;
    internal readonly int ThreadId = Ground.ThreadProbe.CurrentId();

    // The task and the frame whose code runs now; null outside managed tasks.
    internal ManagedTask? Task;
    internal Frame? Frame;

    // What the stepper runs after the current frame has unwound: a callee, a caller, or the same frame again.
    internal Frame? Next;

    // Which step this is: a number that no other step has, and no queue gives to a seat. Zero outside steps.
    internal long Step;
    private long _steps = (long)Environment.CurrentManagedThreadId << 40;

    // The root frame of the task has returned or thrown.
    internal bool RootEnded;

    // The exception of the frame that has just thrown, on its way to its caller.
    internal Exception? Error;

    // The ready queue that this thread drains, if it drains one.
    internal object? Shard;

    // What the current task has got in this step; some of it was given back since. Empty between steps. See Holdings.
    private Hold[] _holds = new Hold[16];
    private int _holdCount;

    // The seat of the plain code that is being continued on this thread, for its awaiter to find.
    internal WaitNode? Delivered;

    // About what time it is, in seconds since the timer queue of the engine began. Written by who drives an executor, every so many steps: waits note it, and may not cost a look at the clock.
    internal int Seconds;

    // How many more waits of this step may end at once, without suspending.
    private int _turns;

    // What the clock showed when the step that has just been run on this thread ended, where that is known: the next one begins then, and need not look. Only between two steps of one executor.
    internal long Stamp = AccountCell.Unread;

    private long _id;
    private long _idsLeft;

    // How many more lives are measured one and all, how many are passed over until the next, and since when. See LifeProbe.
    private int _measures = LifeProbe.MeasuresPerSecond;
    private int _untilMeasure;
    private long _measuresSince = Ground.Clock.CoarseMilliseconds;

    // The plain code that is further up on this thread's stack, in which code of other tasks goes on inline, and how deep the stack was there. They lead to no task.
    private (AccountCell Cell, nint Depth)[]? _beneath;
    private int _beneathCount;
#pragma warning disable CS0169, S1144, IDE0051 // keeps the neighbours away
    private Ground.CacheLine _after;
#pragma warning restore CS0169, S1144, IDE0051

    internal static StepContext Current => t_current ??= new StepContext();

    /// <summary>The current thread's context if it ever stepped a task; for questions that must not allocate.</summary>
    internal static StepContext? Existing => t_current;

    /// <summary>Begins a step.</summary>
    internal void BeginStep()
    {
        _turns = TurnsPerStep;
        Step = ++_steps;
    }

    /// <summary>Whether the current task may go on at once although it could wait. Now and then it may not, so that one whose waits never have to
    /// suspend gives way to others: a spawner that always finds a slot, a reader of outcomes that are all there. Always, outside managed tasks.</summary>
    internal static bool MayGoOn() => MayGoOn(t_current);

    /// <inheritdoc cref="MayGoOn()"/>
    internal static bool MayGoOn(StepContext? context) => context is not { Frame: not null } || --context._turns > 0;

    /// <summary>Whether the current task will soon have to give way.</summary>
    internal bool HasFewTurns => _turns < TurnsPerStep / 2;

    /// <summary>Whether the current task has used up its turns and has to give way.</summary>
    internal bool HasToGiveWay => _turns <= 0;

    /// <summary>Whether the current task has got anything in this step. It may have given it back.</summary>
    internal bool HasHolds => _holdCount != 0;

    /// <summary>What the current task has got in this step; some of it was given back since.</summary>
    internal ReadOnlySpan<Hold> Holds => _holds.AsSpan(0, _holdCount);

    /// <summary>Notes what the current task has got, and what nobody can have twice at a time.</summary>
    internal void AddHold(IHeld what, long ticket)
    {
        Hold[] holds = _holds;
        int last = _holdCount - 1;
        if ((uint)last < (uint)holds.Length && ReferenceEquals(holds[last].What, what))
        {
            holds[last].Ticket = ticket; // it was given back, or could not have been got again
        }
        else
        {
            AddSharedHold(what, ticket);
        }
    }

    /// <summary>Notes what the current task has got, and may have got several times.</summary>
    internal void AddSharedHold(IHeld what, long ticket)
    {
        if (_holdCount == _holds.Length)
        {
            ForgetGivenBack(Task!);
            if (_holdCount > _holds.Length / 2)
            {
                Array.Resize(ref _holds, _holds.Length * 2);
            }
        }

        _holds[_holdCount++] = new Hold { What = what, Ticket = ticket };
    }

    /// <summary>Strikes out what was given back.</summary>
    /// <param name="task">Whose notes these are.</param>
    internal void ForgetGivenBack(ManagedTask task)
    {
        int kept = 0;
        for (int i = 0; i < _holdCount; i++)
        {
            Hold hold = _holds[i];
            if (hold.What!.IsHeld(hold.Ticket))
            {
                _holds[kept++] = hold;
            }
            else
            {
                hold.What.Dropped(task, hold.Ticket);
            }
        }

        Array.Clear(_holds, kept, _holdCount - kept);
        _holdCount = kept;
    }

    internal void ForgetHolds()
    {
        Array.Clear(_holds, 0, _holdCount);
        _holdCount = 0;
    }

    /// <summary>The thread goes from plain code of one task straight to that of another.</summary>
    /// <param name="from">What it leaves.</param>
    /// <param name="to">What it comes to.</param>
    /// <param name="depth">An address on its stack, which grows downwards. Who comes back does so from the frame that had called, and who goes on with another branch of a task that is further up does so from deeper down.</param>
    /// <returns>True when it comes back to what it was in before.</returns>
    internal bool ComesBack(AccountCell from, AccountCell to, nint depth)
    {
        // All calls that were made from here, or from deeper, have returned.
        while (_beneathCount > 0 && depth >= _beneath![_beneathCount - 1].Depth - SameDepth)
        {
            bool isIt = ReferenceEquals(_beneath[--_beneathCount].Cell, to);
            _beneath[_beneathCount] = default;
            if (isIt)
            {
                return true;
            }
        }

        if (_beneathCount == MostBeneath)
        {
            Array.Clear(_beneath!); // nobody nests as deep: somebody has restored contexts by hand
            _beneathCount = 0;
        }

        _beneath ??= new (AccountCell, nint)[MostBeneath];
        _beneath[_beneathCount++] = (from, depth);
        return false;
    }

    /// <summary>Whether the life of a task that begins, or ends, on this thread is measured: a thousand in a second are, and of those beyond one in sixty-one. Looks at the coarse clock at those only.</summary>
    internal bool MayMeasure()
    {
        if (_measures > 0)
        {
            _measures--;
            return true;
        }

        if (--_untilMeasure > 0)
        {
            return false;
        }

        _untilMeasure = LifeProbe.OneIn;
        long now = Ground.Clock.CoarseMilliseconds;
        if (now - _measuresSince >= 1000)
        {
            _measuresSince = now;
            _measures = LifeProbe.MeasuresPerSecond;
        }

        return true;
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
