using System.Diagnostics;
using System.Diagnostics.Metrics;
using Moirai.Lifecycle;

namespace Moirai.Execution;

/// <summary>Who measures lives and makes spans of them, seen from below. There is one in the process; a task pays for it what <see cref="Listening"/> reads.</summary>
/// <remarks>The platform does not tell when somebody begins to listen, so it is asked: whether a list is empty, of the histogram and of the source.</remarks>
internal abstract class LifeProbe
{
    /// <summary>As many lives are measured on each thread in a second; of those beyond it one in <see cref="OneIn"/>, a prime, so that tasks which are spawned by turns are met by turns.</summary>
    internal const int MeasuresPerSecond = 1000;

    /// <inheritdoc cref="MeasuresPerSecond"/>
    internal const int OneIn = 61;

    // Set once, by the roof, with the first runtime.
    private static LifeProbe? s_current;

    private readonly Instrument _lives;
    private readonly ActivitySource _spans;

    private protected LifeProbe(Instrument lives, ActivitySource spans)
    {
        _lives = lives;
        _spans = spans;
    }

    /// <summary>The probe while anybody wants to know of tasks that begin.</summary>
    internal static LifeProbe? Listening => s_current is { } probe && (probe._lives.Enabled || probe._spans.HasListeners()) ? probe : null;

    /// <summary>The probe, for what happens seldom.</summary>
    internal static LifeProbe? Current => s_current;

    internal static void Install(LifeProbe probe) => s_current = probe;

    /// <summary>A task has been entered and does not run yet. Never throws.</summary>
    /// <param name="task">The task.</param>
    /// <param name="context">The context of this thread.</param>
    /// <returns>The execution context in which it runs.</returns>
    internal abstract ExecutionContext? Begin(ManagedTask task, StepContext context);

    /// <summary>A task that was noted by <see cref="Begin"/>, or keeps an account, is about to end. Called by the thread that ends it. Never throws.</summary>
    internal abstract void End(ManagedTask task, TaskEvent how, Exception? error);

    /// <summary>Something in the task was not done within its time. Never throws.</summary>
    internal abstract void NoteTimeout(ManagedTask task, TaskTimeoutException timeout);

    /// <summary>A task has waited, or kept its thread, longer than it may. Never throws.</summary>
    internal abstract void NoteLongWait(Engine engine, TaskId task, bool keepsThread, string story);
}

/// <summary>Name and spawn site of a task, and when it was born: what a task has in place of its label while lives are measured.</summary>
/// <param name="label">Name and spawn site.</param>
/// <param name="stamp">What the clock of the runtime showed.</param>
internal sealed class BornLabel(TaskLabel label, long stamp)
{
    internal TaskLabel Label { get; } = label;

    internal long Stamp { get; } = stamp;
}
