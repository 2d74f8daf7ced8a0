using Moirai.Execution;

namespace Moirai.Leaks;

/// <content>Who can still be canceled by something that is not theirs: a token, a time.</content>
internal sealed partial class LeakScan
{
    // What was opened by a task that lives is canceled with that: so where a token or a time may cancel the task, it is as if the group heeded it. Whether anybody has the token is not looked into: who follows it holds it.
    private void HeedOpenersOf(List<ManagedTask> leaked)
    {
        HashSet<ManagedTask> lost = [.. leaked];
        HashSet<TaskGroup> seen = [];
        foreach (ManagedTask task in leaked)
        {
            for (TaskGroup? group = task.Group; group is { IsShielded: false } && seen.Add(group); group = group.Parent)
            {
                if (group.Opener is { } opener && MayBeCanceled(opener, lost))
                {
                    _heeding.Add(group);
                }
            }
        }
    }

    private bool MayBeCanceled(ManagedTask task, HashSet<ManagedTask> lost)
    {
        var seen = new HashSet<ManagedTask>(lost);
        var todo = new Stack<ManagedTask>([task]);
        while (todo.TryPop(out ManagedTask? one))
        {
            if (!seen.Add(one) || one.IsCancelRequested)
            {
                continue;
            }

            if (one.FollowsTokens || one.IsTimed)
            {
                return true;
            }

            if (one.Caller is { } caller)
            {
                todo.Push(caller);
            }

            for (TaskGroup? group = one.Group; group is { IsShielded: false }; group = group.Parent)
            {
                if (group.HasDeadline || _heeding.Contains(group))
                {
                    return true;
                }

                if (group.Opener is { } opener)
                {
                    todo.Push(opener);
                }
            }
        }

        return false;
    }
}
