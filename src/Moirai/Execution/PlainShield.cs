namespace Moirai.Execution;

/// <summary>A shield around plain <c>async</c> code. It flows with the execution context, so that it covers what is called under it and not what goes on beside it.</summary>
/// <remarks>The task may wait for several such methods at once, and go on itself; so it is not a region of the task's. It knows the task by its id: whatever has captured the context keeps nothing of the task.</remarks>
internal sealed class PlainShield
{
    private static readonly AsyncLocal<PlainShield?> s_current = new();

    private readonly TaskId _task;
    private readonly PlainShield? _outer;

    // Written by whoever takes it down, perhaps in another context than that in which it was raised.
    private volatile bool _down;

    private PlainShield(TaskId task, PlainShield? outer)
    {
        _task = task;
        _outer = outer;
    }

    /// <summary>Raises one around the current code, which runs for a task.</summary>
    internal static PlainShield Raise(ManagedTask task) => s_current.Value = new PlainShield(task.Id, Standing(s_current.Value));

    /// <summary>Whether the current code runs for a task under such a shield. One that was raised for another task, which has spawned this one there, does not count.</summary>
    internal static bool Covers(ManagedTask task)
    {
        PlainShield? shield = Standing(s_current.Value);
        while (shield is not null && shield._task != task.Id)
        {
            shield = Standing(shield._outer);
        }

        return shield is not null;
    }

    internal void TakeDown()
    {
        _down = true;
        if (ReferenceEquals(s_current.Value, this))
        {
            s_current.Value = Standing(_outer);
        }
    }

    private static PlainShield? Standing(PlainShield? innermost)
    {
        while (innermost is { _down: true })
        {
            innermost = innermost._outer;
        }

        return innermost;
    }
}
