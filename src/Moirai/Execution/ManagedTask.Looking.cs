using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai;

/// <content>Being looked at, by who stops nothing and changes nothing.</content>
public partial class ManagedTask
{
    /// <summary>Where the task is now. What is read through it afterwards counts only if <see cref="IsStill"/> says so then: nothing is held meanwhile.</summary>
    /// <remarks>The order: the word, then the place. A wait writes the place, then the word, and keeps both until it is claimed; so when the word is the same afterwards, frames and seat were those of this wait all the
    /// time. A frame that has waited is never used for another task. One that has not may be (<see cref="Frame.TryRetire"/>), and then the word has moved; whatever is read in between is some frame's.</remarks>
    internal TaskSight Look()
    {
        int word = Word.Peek();
        object? place = Atomics.Read(ref Place);
        Frame? leaf = place is SuspectPage ? LeafOfSuspect() : place as Frame;
        return new TaskSight(word, leaf, place as StepContext);
    }

    /// <summary>Whether the task has not moved since it was looked at.</summary>
    internal bool IsStill(in TaskSight sight)
    {
        Atomics.Fence(); // what was read through the sight was read before this
        return Word.Peek() == sight.Word;
    }

    /// <summary>What the task held across its last wait and still holds, and the scopes it has opened. Leaves a suspect as it is.</summary>
    internal void LookAtHoldings(List<Hold> holds, List<TaskGroup> scopes)
    {
        if (_extras is not TaskExtras && (_core.Flags & TaskFlags.Suspected) == 0)
        {
            return;
        }

        _core.Gate.Enter();
        if ((Place is SuspectPage page ? page.ExtrasOf(_core.Seat) : _extras) is TaskExtras extras)
        {
            foreach (Hold hold in extras.Holds ?? [])
            {
                if (hold.What!.IsHeld(hold.Ticket))
                {
                    holds.Add(hold);
                }
            }

            for (TaskGroup? scope = extras.Groups; scope is not null; scope = scope.NextOfOpener)
            {
                scopes.Add(scope);
            }
        }

        _core.Gate.Exit();
    }

    /// <summary>Who asked it to stop. Leaves a suspect as it is.</summary>
    internal CancelCause? LookAtCause()
    {
        if (!IsCancelRequested)
        {
            return null;
        }

        _core.Gate.Enter();
        object? extras = Place is SuspectPage page ? page.ExtrasOf(_core.Seat) : _extras;
        _core.Gate.Exit();
        return (extras as TaskExtras)?.Cause ?? Group.Cause;
    }

    /// <summary>How long it may wait, if it has a limit of its own. Leaves a suspect as it is.</summary>
    internal TimeSpan? LookAtBlockedLimit()
    {
        if (_extras is not TaskExtras && (_core.Flags & TaskFlags.Suspected) == 0)
        {
            return null;
        }

        _core.Gate.Enter();
        object? extras = Place is SuspectPage page ? page.ExtrasOf(_core.Seat) : _extras;
        TimeSpan? limit = (extras as TaskExtras)?.BlockedLimit;
        _core.Gate.Exit();
        return limit;
    }

    /// <summary>What the task waits for now, for messages.</summary>
    internal string DescribeWait()
    {
        TaskState state = Word.State;
        if (state != TaskState.Blocked)
        {
            return state switch
            {
                TaskState.Ready => "a thread",
                TaskState.Running => "nothing (it is running)",
                TaskState.Created => "its start",
                _ => "nothing (it has ended)",
            };
        }

        return Leaf is { } leaf ? DescribeWait(leaf) : "something that has just arrived";
    }

    internal static string DescribeWait(Frame leaf) => leaf.Queue is IWaitQueue queue
        ? queue.DescribeWait(leaf)
        : $"a foreign awaitable in {leaf.Method}";
}
