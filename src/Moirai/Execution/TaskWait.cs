using System.Runtime.CompilerServices;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>A wait of a frame on a foreign <see cref="Task"/> that time or cancellation may end first, while the <see cref="Task"/> goes on.</summary>
/// <remarks>
/// The seat in the wheel is the waiting frame, and the ticket of its wait decides who wins, so there is no region to enter and nothing to be thrown into the wait. What a foreign <see cref="Task"/> is given
/// it keeps for its whole life, so it is given this small object, and the way from here to the frame is cut when the wait ends otherwise. The first such wait that is given up leaves its object behind as a
/// relay; later waits on the same <see cref="Task"/> join the relay, and can leave it. So a long-lived <see cref="Task"/> keeps one object, however often it is waited for in vain.
/// </remarks>
internal sealed class TaskWait(Task task, TimeSpan within, string operation) : IWaitQueue
{
    private const int LongestName = 80;

    private static readonly object s_over = new();

    // The frame while it waits. Written by the waiter before it arms and when it gives up.
    private Frame? _frame;

    // The frame's seat at a relay; or for plain code the task that waits in its place. Else null, until the end of the Task and who gives up meet here, by interlocked operations: the relay that was left
    // behind, or s_over.
    private object? _other;

    // Written by the waiter before the wait begins.
    private int _armed;

    // The Task gives each of its continuations a work item of its own, always.
    private readonly bool _runsAlone = (task.CreationOptions & TaskCreationOptions.RunContinuationsAsynchronously) != 0;

    // A wait has begun. Written by the waiter, before it arms.
    private bool _begun;

    // This object hangs on the Task, or on the relay. Written by the waiter's first thread, when the wait may be over already.
    private bool _isHung;

    internal Task Task => task;

    internal TimeSpan Within => within;

    /// <summary>What was timed, as the code says it.</summary>
    internal string Operation => ShortName(operation);

    /// <summary>Whether a managed task waits that has no time at all.</summary>
    internal bool IsOverAtOnce => HasNoTime && StepContext.Existing?.Frame is not null;

    private bool HasNoTime => within <= TimeSpan.Zero && within != Timeout.InfiniteTimeSpan;

    /// <summary>Plain code waits: a task does it in its place.</summary>
    internal void Follow(ManagedTask waiter) => _other = waiter;

    /// <summary>Seats the frame. The last thing that its thread does.</summary>
    internal void Suspend(Frame frame) => Suspend(frame, frame.Owner!.Engine.Timers.DueIn(within), hears: true);

    /// <summary>As <see cref="Suspend(Frame)"/>.</summary>
    /// <param name="frame">Who waits.</param>
    /// <param name="due">How long, as the timer queue counts.</param>
    /// <param name="hears">Whether it is thrown the failure of the <see cref="Task"/>.</param>
    internal void Suspend(Frame frame, long due, bool hears)
    {
        if (_begun)
        {
            Park.GoOnWith(frame, new InvalidOperationException($"The timed wait for {Operation} is awaited already. Await it once; call WithTimeout again for another wait."));
            return;
        }

        _begun = true;
        Engine engine = frame.Owner!.Engine;
        TimerQueue timers = engine.Timers;
        RelayedWait? seat = null;
        if (engine.Abandoned.TryFind(task, out TaskRelay? relay))
        {
            _other = seat = new RelayedWait(frame, relay, hears);
        }

        _frame = frame;
        if (!Park.Begin(frame, this, out int armed))
        {
            return;
        }

        if (seat is null)
        {
            _armed = armed;
            task.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(Continue);
            Atomics.Write(ref _isHung, true);
        }
        else
        {
            seat.Begin(armed);
        }

        if (due != TimerWheel.Never)
        {
            try
            {
                timers.Arm(frame, due, armed); // finds out by itself when the Task was faster
            }
            catch (Exception error)
            {
                if (!hears)
                {
                    DeadlineSeat.TellUnlimited(frame.Owner!, error); // the end of a scope
                }
                else if (Park.TryTakeBack(frame.Owner!, armed))
                {
                    Atomics.Write(ref _frame, null); // the Task keeps this object, and need not keep the frame
                    Park.GoOnWith(frame, error);
                }

                // Somebody else has ended the wait meanwhile: the frame is theirs.
            }
        }
    }

    /// <summary>The frame goes on. By its thread.</summary>
    /// <exception cref="ManagedTaskCanceledException">The waiting task was canceled.</exception>
    /// <exception cref="TaskTimeoutException">The time was over and the <see cref="Task"/> goes on.</exception>
    internal void Finish()
    {
        if (!_begun && _other is ManagedTask waiter)
        {
            Joining.TakeOutcome(waiter);
            return;
        }

        if (StepContext.Existing?.Frame is not { } frame)
        {
            return; // GetResult without an await: the Task itself has the answer
        }

        if (_begun && ReferenceEquals(frame.Queue, this))
        {
            frame.Queue = null; // the frame may live long, and need not keep the Task
        }

        try
        {
            Park.TakeSignal();
        }
        catch (ManagedTaskCanceledException)
        {
            GiveUp(frame);
            throw;
        }

        // A Task that has ended meanwhile keeps its value, whoever was the first to wake the frame.
        if (!task.IsCompleted && (_begun || HasNoTime))
        {
            GiveUp(frame);
            throw Timeouts.Tell(frame.Owner!, Operation, within, DescribeWait(frame), inner: null);
        }
    }

    /// <summary>The frame goes on, whatever the <see cref="Task"/> does. By its thread.</summary>
    internal void Leave()
    {
        if (_begun)
        {
            Frame frame = StepContext.Existing!.Frame!;
            frame.Queue = null;
            Atomics.Write(ref _frame, null);
            (_other as RelayedWait)?.Leave();
            Park.TakeSignal();
        }
    }

    public void Remove(WaitNode node) => Unsafe.As<Frame>(node).Owner!.Engine.Timers.Remove(node);

    public string DescribeWait(WaitNode node) => $"a foreign task ({Operation})";

    /// <summary>The <see cref="Task"/> has ended: lets the frame go on if it still waits here.</summary>
    /// <param name="frame">Who waits.</param>
    /// <param name="armed">The ticket, which tells whether it still waits here.</param>
    /// <param name="hasOwnWorkItem">Nothing but a work item of the pool is below on the stack.</param>
    /// <returns>False when another party has ended the wait.</returns>
    internal static bool TryWake(Frame frame, int armed, bool hasOwnWorkItem)
    {
        ManagedTask owner = frame.Owner!;
        if (!owner.Word.TryWake(armed))
        {
            return false;
        }

        Engine engine = owner.Engine;
        engine.Timers.Remove(frame); // its entry in the wheel goes before it can run
        if (hasOwnWorkItem)
        {
            engine.Executor.EnqueueAndServe(frame, StepContext.Current);
        }
        else
        {
            engine.Executor.Enqueue(frame);
        }

        return true;
    }

    private void Continue()
    {
        // Who wins the wait is the only one who touches this object. Otherwise the frame gives up, and either finds s_over here or leaves a relay.
        if (Atomics.Read(ref _frame) is { } frame && TryWake(frame, _armed, _runsAlone))
        {
            return;
        }

        if (Atomics.Exchange(ref _other, s_over) is TaskRelay relay)
        {
            relay.End();
        }
    }

    // The wait is over and the Task goes on: it is accounted for until it ends. This object serves as the relay's hook from now on, unless it does not hang there yet (there was no time, or the wait was canceled at once).
    private void GiveUp(Frame frame)
    {
        Atomics.Write(ref _frame, null);
        var seat = _other as RelayedWait;
        seat?.Leave();
        if (task.IsCompleted)
        {
            return;
        }

        ManagedTask waiter = frame.Owner!;
        TaskGroup group = waiter.GroupOfCalls;
        var entry = new AbandonedWait(Operation, waiter.Title, group.Name);
        group.NoteGivenUp(task, entry);
        if (seat is not null || !waiter.Engine.Abandoned.Add(task, entry, out TaskRelay relay))
        {
            return;
        }

        if (!Atomics.Read(ref _isHung))
        {
            task.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(relay.End);
        }
        else if (Atomics.CompareExchange(ref _other, relay, null) is not null)
        {
            relay.End(); // the Task has ended meanwhile, and will not call
        }
    }

    // The code of the caller, which may be a page long.
    internal static string ShortName(string code)
    {
        int end = code.AsSpan().IndexOfAny('\r', '\n');
        end = Math.Min(end < 0 ? code.Length : end, LongestName);
        return end == 0 ? "a Task" : end == code.Length ? code : $"{code.AsSpan(0, end)}…";
    }
}
