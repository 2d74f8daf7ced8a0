using Moirai.Execution;

namespace Moirai;

/// <content>What its wakers have of a task.</content>
public partial class ManagedTask
{
    /// <summary>The target of all wakers of this task. Made when it first polls, by its own thread, which is the only one that asks.</summary>
    internal TaskWakeTarget Waking => _extras switch
    {
        TaskWakeTarget alone => alone,
        TaskExtras { Waking: { } among } => among,
        _ => MakeWaking(),
    };

    private TaskWakeTarget MakeWaking()
    {
        var made = new TaskWakeTarget(this);
        _core.Gate.Enter();
        if (_extras is null)
        {
            _extras = made;
        }
        else
        {
            ExtrasLocked().Waking = made;
        }

        _core.Gate.Exit();
        return made;
    }

    /// <summary>The end: from now on no waker leads to the task.</summary>
    private void CutWakersLocked() => WakingIn(_extras)?.Cut();

    private static TaskWakeTarget? WakingIn(object? extras) => extras as TaskWakeTarget ?? (extras as TaskExtras)?.Waking;
}
