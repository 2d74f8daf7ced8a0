using Moirai.Execution;
using Moirai.Sites;
using Moirai.Wakers;

namespace Moirai.Stories;

/// <summary>What can be told of a task that waits: where, for what, since when, and what it keeps from others. Runs no user code and changes nothing.</summary>
internal static class TaskStory
{
    /// <summary>The methods that a waiting task is in, the innermost first, plain <c>async</c> methods among them as far as they can be followed, each with <c>file:line</c> of its await where a PDB tells that.</summary>
    internal static List<string> Frames(ManagedTask task)
    {
        TaskSight sight = task.Look();
        if (sight.State != TaskState.Blocked)
        {
            return [];
        }

        var chain = new AwaitChain(PlainWalker.Platform);
        chain.Read(task, sight);
        return chain.Frames.ConvertAll(static frame => frame.ToString());
    }

    /// <summary>What it waits for.</summary>
    internal static string WaitsFor(ManagedTask task, object? promise) => promise switch
    {
        ManagedTask awaited => $"the end of {awaited.Title}",
        TiedSeat { Queue: IWaitQueue place } seat => place.DescribeWait(seat),
        Task => "a Task that nobody completes",
        not null and not IWaitQueue => $"a {promise.GetType().Name} that nobody completes",
        _ => task.DescribeWait(),
    };

    /// <summary>How long it has waited, to the second; null when it does not wait.</summary>
    internal static TimeSpan? Waited(ManagedTask task)
    {
        if (task.State != TaskState.Blocked || task.Leaf is not { } leaf)
        {
            return null;
        }

        TimeSpan waited = leaf.WaitedUntil(task.Engine.Timers.Now);
        return task.Cell?.QuietFor(task.Engine.Provider.GetTimestamp()) is { } quiet && quiet < waited ? TimeSpan.FromSeconds(Math.Floor(quiet.TotalSeconds)) : waited;
    }

    /// <summary>What it holds that nobody else gets.</summary>
    internal static List<string> Holdings(ManagedTask task)
    {
        List<string> holds = [];
        if (task.Group.Slots is not null)
        {
            holds.Add($"a slot of '{task.Group.Name}'");
        }

        for (TaskGroup? group = task.Extras?.Groups; group is not null; group = group.NextOfOpener)
        {
            holds.Add($"scope '{group.Name}'");
        }

        foreach (Hold hold in Execution.Holdings.Copy(task))
        {
            holds.Add((hold.What as SynchronizationPrimitive)?.Title ?? hold.What!.ToString() ?? "a lock");
        }

        task.LookAtGuards(holds);
        return holds;
    }
}
