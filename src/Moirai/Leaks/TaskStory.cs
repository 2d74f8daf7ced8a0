using Moirai.Execution;
using Moirai.Futures;
using Moirai.Wakers;

namespace Moirai.Leaks;

/// <summary>What can be told of a task that waits: where, for what, since when, and what it keeps from others. Runs no user code and changes nothing.</summary>
internal static class TaskStory
{
    private const int MostFrames = 64;

    /// <summary>The story of a leaked task.</summary>
    /// <param name="task">The task.</param>
    /// <param name="promise">What it waits for on foreign code, as far as that could be found.</param>
    internal static LeakedTask OfLeaked(ManagedTask task, object? promise) => new(
        task.Id, task.Name, task.SpawnSite, Frames(task), WaitsFor(task, promise), Waited(task) ?? TimeSpan.Zero, Holdings(task), LeakRemedy.None);

    /// <summary>The methods that a waiting task is in, the innermost first, plain <c>async</c> methods among them as far as they can be followed.</summary>
    internal static List<string> Frames(ManagedTask task)
    {
        List<string> frames = [];
        if (task.State == TaskState.Blocked && task.Leaf is { } leaf)
        {
            if (leaf.Queue is not IWaitQueue)
            {
                ForeignHealing.AddPlainFrames(leaf, frames);
            }

            for (Frame? frame = leaf; frame is not null && frames.Count < MostFrames; frame = frame.Caller)
            {
                frames.Add(frame.Method);
            }
        }

        return frames;
    }

    /// <summary>What it waits for.</summary>
    internal static string WaitsFor(ManagedTask task, object? promise) => promise switch
    {
        ManagedTask awaited => $"the end of {awaited.Title}",
        Task => "a Task that nobody completes",
        not null and not IWaitQueue => $"a {promise.GetType().Name} that nobody completes",
        _ => task.DescribeWait(),
    };

    /// <summary>How long it has waited, to the second; null when it does not wait.</summary>
    internal static TimeSpan? Waited(ManagedTask task) =>
        task.State == TaskState.Blocked && task.Leaf is { } leaf ? leaf.WaitedUntil(task.Engine.Timers.Now) : null;

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

        return holds;
    }
}
