using Moirai.Ground;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The time by which all in a group has to have ended. Its entry in the timer queue is this object, one for each group that ever had a deadline.</summary>
/// <remarks>
/// Moved, withdrawn and ended under its own gate, which is taken before the wheel's; fired by the timer, which claims it under the wheel's gate, or, where it is set to a time that has come, at once by who sets it. So a deadline that is moved has either fired before or fires at its new time,
/// and one whose group has closed holds no entry and cancels nobody.
/// </remarks>
internal sealed class GroupDeadline(TaskGroup group) : WaitNode
{
    private const int Idle = 0;
    private const int Armed = 1;
    private const int Over = 2;
    private const int Ended = 3;
    private const int MostNamed = 3;

    private SpinGate _gate;

    // From Armed to Over: by the timer, interlocked, while it is in the wheel. Else under the gate.
    private int _state;

    // Written under the gate; read by anyone. When it is, and when that was said.
    private long _time = TimerWheel.Never;
    private long _since;

    /// <summary>Whose it is.</summary>
    internal TaskGroup Group => group;

    /// <summary>When it is, as the timer queue counts.</summary>
    internal long Time => Atomics.Read(ref _time);

    /// <summary>The time that was allowed, from when it was last set.</summary>
    internal TimeSpan Within => new(Math.Max(0, Time - Atomics.Read(ref _since)));

    /// <summary>Whether it will come: it is set, and neither over nor ended.</summary>
    internal bool WillExpire => Atomics.Read(ref _state) == Armed;

    /// <summary>With what it canceled the group; null while it is not over. Written once, by who claimed it.</summary>
    internal CancelCause? Cause { get; private set; }

    /// <summary>What had not ended then; null when all tasks of the group had. Written once, by who claimed it, before <see cref="Cause"/>.</summary>
    internal string? CutShort { get; private set; }

    private TimerQueue Timers => group.Engine.Timers;

    /// <summary>Moves it; a time that has come is over at once, with no turn of the timers in between. Nothing happens when it is over, or its group has closed.</summary>
    internal void MoveTo(long due)
    {
        long now = Timers.Now;
        Linking done = Linking.TooLate;
        bool isOver = false;
        _gate.Enter();
        int state = Atomics.Read(ref _state);
        if (state is Idle or Armed)
        {
            Atomics.Write(ref _time, due);
            Atomics.Write(ref _since, now);
            if (due == TimerWheel.Never)
            {
                Timers.Remove(this);
                Atomics.CompareExchange(ref _state, Idle, Armed);
            }
            else if (due <= now)
            {
                Timers.Remove(this); // from here on the timer cannot claim it, if it has not
                isOver = Atomics.Read(ref _state) == state;
                Atomics.Write(ref _state, Over);
            }
            else if (state == Armed)
            {
                done = Timers.Move(this, due);
            }
            else
            {
                Atomics.Write(ref _state, Armed);
                done = Timers.Link(this, due, armed: 0);
            }
        }

        _gate.Exit();
        if (isOver)
        {
            CancelGroup();
        }
        else if (done == Linking.Earlier)
        {
            Timers.Plan();
        }
    }

    /// <summary>The group has closed: leaves the timer queue.</summary>
    internal void End()
    {
        _gate.Enter();
        if (Atomics.Exchange(ref _state, Ended) == Armed)
        {
            Timers.Remove(this);
        }

        _gate.Exit();
    }

    internal override bool IsArmed(int armed) => Atomics.Read(ref _state) == Armed;

    internal override bool TryClaim() => Atomics.CompareExchange(ref _state, Over, Armed) == Armed;

    internal override void GoOn() => throw new InvalidOperationException("A deadline waits for nothing but its time. Please report this.");

    internal override void Resume(ref WakeBatch batch) => CancelGroup();

    private void CancelGroup()
    {
        CutShort = Describe(group.OwnTasks());
        CancelCause cause = Cancellation.Cause(CancelKind.TimedOut, group.Engine, null, $"the deadline of '{group.Name}'");
        Cause = cause;
        group.CancelWithBody(cause);
    }

    private static string? Describe(List<ManagedTask> left)
    {
        if (left.Count == 0)
        {
            return null;
        }

        string named = string.Join("; ", left.Take(MostNamed).Select(static task => $"{task.Title}, which waited for {task.DescribeWait()}"));
        return left.Count <= MostNamed ? named : $"{named}; and {left.Count - MostNamed} more";
    }
}
