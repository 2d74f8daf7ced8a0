using Moirai.Lifecycle;

namespace Moirai.Execution;

/// <summary>Where a task was when somebody looked. See <see cref="ManagedTask.Look"/>.</summary>
/// <param name="word">State and ticket.</param>
/// <param name="leaf">The frame that waits or goes on.</param>
/// <param name="stepping">The context of the thread that steps it.</param>
internal readonly struct TaskSight(int word, Frame? leaf, StepContext? stepping)
{
    internal int Word => word;

    internal TaskState State => LifecycleWord.StateOf(word);

    internal Frame? Leaf => leaf;

    /// <summary>The context of the thread that steps it; null when none does.</summary>
    internal StepContext? Stepping => stepping;

    /// <summary>The innermost frame of a task that runs, as far as another thread can tell.</summary>
    internal Frame? Running(ManagedTask task) => stepping is { Frame: { } frame } && ReferenceEquals(frame.Owner, task) ? frame : null;
}
