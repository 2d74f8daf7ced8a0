using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai.Interleaving.Models;

/// <summary>A waiter without a task: parked from the beginning, it notes who resumed it.</summary>
internal sealed class ModelWait : WaitNode
{
    private LifecycleWord _word;

    public ModelWait()
    {
        _word.Move(TaskEvent.Enqueue);
        _word.Move(TaskEvent.Start);
    }

    public int Resumes { get; private set; }

    public bool IsWaiting => _word.State == TaskState.Blocked;

    public int Park() => _word.Park(interruptible: true);

    /// <summary>Goes on to another wait, in place of the task.</summary>
    public int ParkAgain()
    {
        _word.Move(TaskEvent.Start);
        return Park();
    }

    internal override bool IsArmed(int armed) => _word.IsArmed(armed);

    internal override bool TryClaim() => _word.TryWake();

    internal override void GoOn() => Resumes++;

    internal override void Resume(ref WakeBatch batch)
    {
        IsLinked.ShouldBeFalse("whoever leaves is unlinked before it is resumed");
        Resumes++;
    }
}
