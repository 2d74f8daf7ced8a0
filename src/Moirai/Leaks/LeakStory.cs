using Moirai.Stories;

namespace Moirai.Leaks;

/// <summary>Makes the account of a leaked task.</summary>
internal static class LeakStory
{
    /// <summary>The story of a leaked task.</summary>
    /// <param name="task">The task.</param>
    /// <param name="promise">What it waits for on foreign code, as far as that could be found.</param>
    internal static LeakedTask Of(ManagedTask task, object? promise) => new(
        task.Id, task.Name, task.SpawnSite, TaskStory.Frames(task), TaskStory.WaitsFor(task, promise), TaskStory.Waited(task) ?? TimeSpan.Zero, TaskStory.Holdings(task), LeakRemedy.None);
}
