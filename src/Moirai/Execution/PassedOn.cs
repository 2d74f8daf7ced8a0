using System.Runtime.CompilerServices;

namespace Moirai.Execution;

/// <summary>Failures that were passed on into a <see cref="Task"/> (<see cref="ManagedTask.AsTask"/>), and at which nobody else has looked: if nobody looks at that <see cref="Task"/> either, they are told after all.</summary>
/// <remarks>Whether somebody looks at a <see cref="Task"/> only the platform knows. It says when nobody can any more (<see cref="TaskScheduler.UnobservedTaskException"/>), and names the exception; here
/// stands whose it is. Kept with the exception, and no longer.</remarks>
internal static class PassedOn
{
    // Made by the first who needs it; all others wait for that (the platform sees to it), so nothing is noted before the platform is listened to.
    private static readonly ConditionalWeakTable<Exception, ManagedTask> s_whose = Listen();

    /// <summary>Notes whose failure goes into a <see cref="Task"/>. The last through whose hands it went is the one who is named.</summary>
    internal static void Note(Exception error, ManagedTask task) => s_whose.AddOrUpdate(error, task);

    private static ConditionalWeakTable<Exception, ManagedTask> Listen()
    {
        TaskScheduler.UnobservedTaskException += static (_, unobserved) => Tell(unobserved.Exception);
        return [];
    }

    // On the finalizer's thread: the telling is done by another.
    private static void Tell(AggregateException unobserved)
    {
        foreach (Exception error in unobserved.InnerExceptions)
        {
            if (s_whose.TryGetValue(error, out ManagedTask? task) && s_whose.Remove(error) && !task.IsLookedAt)
            {
                ThreadPool.UnsafeQueueUserWorkItem(
                    static lost => lost.task.Engine.Unseen.TellPassedOn(lost.task, lost.error), (task, error), preferLocal: false);
            }
        }
    }
}
