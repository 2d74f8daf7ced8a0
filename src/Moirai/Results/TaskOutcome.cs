using Moirai.Results;

namespace Moirai;

/// <summary>How one collected task ended.</summary>
/// <typeparam name="T">What it gives.</typeparam>
public readonly record struct TaskOutcome<T>
{
    internal TaskOutcome(int index, ManagedTask<T> task)
    {
        Index = index;
        Task = task;
    }

    /// <summary>Its position among the tasks that were added, from 0.</summary>
    public int Index { get; }

    /// <summary>The task.</summary>
    public ManagedTask<T> Task { get; }

    /// <summary>Completed, Failed or Canceled.</summary>
    public TaskState State => Task.State;

    /// <summary>Whether there is a result.</summary>
    public bool IsCompleted => State == TaskState.Completed;

    /// <summary>The result.</summary>
    /// <exception cref="ManagedTaskCanceledException">It was canceled. A failure is thrown as it was.</exception>
    public T Value => Task.Result;

    /// <summary>The failure; null for other outcomes.</summary>
    public Exception? Error => Task.Exception;
}

/// <summary>What a partial collection brought.</summary>
/// <typeparam name="T">What the tasks give.</typeparam>
public sealed class PartialResults<T>
{
    internal PartialResults(IReadOnlyList<TaskOutcome<T>> outcomes, bool inTime)
    {
        Outcomes = outcomes;
        InTime = inTime;
    }

    /// <summary>The outcome of every task, in the order in which they were added.</summary>
    public IReadOnlyList<TaskOutcome<T>> Outcomes { get; }

    /// <summary>Whether all had ended when the time was over.</summary>
    public bool InTime { get; }

    /// <summary>Whether every task completed.</summary>
    public bool IsComplete => Outcomes.All(static outcome => outcome.IsCompleted);

    /// <summary>The results, each with the index of its task.</summary>
    public IEnumerable<(int Index, T Value)> Results => Outcomes.Where(static o => o.IsCompleted).Select(static o => (o.Index, o.Value));

    /// <summary>The failures, each with the index of its task.</summary>
    public IEnumerable<(int Index, Exception Error)> Errors => Outcomes.Where(static o => o.State == TaskState.Failed).Select(static o => (o.Index, o.Error!));

    /// <summary>The indexes of the tasks that were canceled: because the time was over, or by somebody else.</summary>
    public IEnumerable<int> Unfinished => Outcomes.Where(static o => o.State == TaskState.Canceled).Select(static o => o.Index);
}

/// <summary>The outcomes of a collector as they come; for <c>await foreach</c>.</summary>
/// <typeparam name="T">What the tasks give.</typeparam>
public sealed class CompletedOutcomes<T>
{
    private readonly EndQueue<T> _ended;

    internal CompletedOutcomes(EndQueue<T> ended) => _ended = ended;

    /// <summary>Called by the compiler.</summary>
    public Enumerator GetAsyncEnumerator() => new(_ended);

    /// <summary>Made for the compiler.</summary>
    public sealed class Enumerator
    {
        private readonly EndQueue<T> _ended;

        internal Enumerator(EndQueue<T> ended) => _ended = ended;

        /// <summary>The outcome that came last.</summary>
        public TaskOutcome<T> Current { get; private set; }

        /// <summary>Waits for the next task that ends. A cancellation point.</summary>
        /// <returns>False when every task that was added has been given out.</returns>
        public async Future<bool> MoveNextAsync()
        {
            if (await _ended.NextAsync() is not { } task)
            {
                return false;
            }

            Current = _ended.OutcomeOf(task);
            return true;
        }
    }
}
