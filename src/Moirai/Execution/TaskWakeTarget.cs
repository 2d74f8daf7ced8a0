using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>The one target of all wakers of a task: where wakes arrive, and where a wait that polls looks for them.</summary>
/// <remarks>
/// The race between a wake and a task that is about to wait: the waker writes the flag and then looks at the state; the waiter writes its state and then looks at the flag; both with a full
/// fence in between. So at least one of them sees the other, and the claim of the wait lets only one act.
/// </remarks>
internal sealed class TaskWakeTarget(ManagedTask task) : WakeTarget(task.Id)
{
    // The task, or the sentinel of a suspect. Cleared by the end of the task; a waker that is kept then leads nowhere. Written under the task's gate.
    private object? _task = task;

    // 1 from a wake to the next look. Written by anyone. Interlocked: a fence on both sides.
    private int _woken;

    /// <summary>Holds a suspect's sentinel instead of the suspect, which has let go of its frames: whoever has a waker can wake it. Under the task's gate.</summary>
    internal void Hold(Sentinel sentinel) => Atomics.Write(ref _task, sentinel);

    /// <summary>Undoes <see cref="Hold"/>. Under the task's gate.</summary>
    internal void LetGo(ManagedTask task) => Atomics.Write(ref _task, task);

    /// <summary>Before a look: what was woken so far is about to be seen. Called by the task's own thread.</summary>
    internal void Reset()
    {
        if (Atomics.Read(ref _woken) != 0)
        {
            Atomics.Exchange(ref _woken, 0);
        }
    }

    /// <summary>The task has ended.</summary>
    internal void Cut() => Atomics.Write(ref _task, null);

    // Asked once the wait is armed: whoever wakes from then on sees it.
    private bool IsWokenMeanwhile => Atomics.Read(ref _woken) != 0;

    /// <summary>After a look in vain: lets the frame wait until it is woken. The last thing that the frame's thread does.</summary>
    /// <param name="frame">A frame that is its own queue: that is how a wake knows that it may claim the wait.</param>
    internal void Wait<TFrame>(TFrame frame)
        where TFrame : Frame, IWaitQueue
    {
        if (Atomics.Read(ref _woken) != 0)
        {
            Park.Yield(frame); // woken meanwhile, perhaps by itself: asked again, but others come first, and so does a cancellation
            return;
        }

        if (Park.Begin(frame, frame, out int armed) && IsWokenMeanwhile && frame.Owner!.Word.TryWake(armed))
        {
            frame.GoOn();
        }
    }

    internal override void Wake()
    {
        if (Atomics.Exchange(ref _woken, 1) != 0 || Atomics.Read(ref _task) is not { } known)
        {
            return;
        }

        ManagedTask live = known as ManagedTask ?? ((Sentinel)known).Owner;

        // The word first: if it can be claimed as it was then, the task has sat in this wait all the time, and the leaf is that of this wait.
        int armed = live.Word.Peek();
        if (live.Leaf is { } leaf && ReferenceEquals(leaf.Queue, leaf) && live.Word.TryWake(armed))
        {
            live.Engine.Executor.Enqueue(leaf);
        }
    }
}
