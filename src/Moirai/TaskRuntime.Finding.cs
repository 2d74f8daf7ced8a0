using Moirai.Diagnostics;

namespace Moirai;

/// <content>Tasks by their ids, for who has the id from a snapshot, an alarm or a log.</content>
public sealed partial class TaskRuntime
{
    /// <summary>The live task of that id; null when it has ended or is none of this runtime.</summary>
    /// <remarks>Looks at one task after the other, scope by scope, until it meets the one: some tens of milliseconds for a million. Nothing is stopped for it.</remarks>
    /// <param name="id">The id.</param>
    public ManagedTask? FindTask(TaskId id)
    {
        IReadOnlyList<ManagedTask> found = TaskFinder.Find(_engine, [id]);
        return found.Count == 0 ? null : found[0];
    }

    /// <summary>Those of the tasks with these ids that live in this runtime, in one walk, in no particular order. See <see cref="FindTask"/>.</summary>
    /// <param name="ids">The ids.</param>
    public IReadOnlyList<ManagedTask> FindTasks(IEnumerable<TaskId> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return TaskFinder.Find(_engine, [.. ids]);
    }

    /// <summary>What one task is doing, with its whole chain; null when it has ended or is none of this runtime. Promises what <see cref="TakeSnapshot"/> promises.</summary>
    /// <remarks>Its scope is told by no number, since there is no list of scopes (<see cref="TaskSnapshot.Scope"/> is null). Costs the chain of one task; none is looked for.</remarks>
    /// <param name="task">A task of this runtime.</param>
    public TaskSnapshot? TakeTaskSnapshot(ManagedTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return ReferenceEquals(task.Engine, _engine) ? SnapshotTaker.TakeOne(_engine, task) : null;
    }
}
