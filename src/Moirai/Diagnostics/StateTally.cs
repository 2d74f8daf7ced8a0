namespace Moirai.Diagnostics;

/// <summary>Counts live tasks by their state.</summary>
internal struct StateTally
{
    private long _created;
    private long _ready;
    private long _running;
    private long _blocked;

    internal readonly StateCounts Counts => new(_created, _ready, _running, _blocked);

    /// <summary>Counts one task.</summary>
    /// <returns>False, with nothing counted, when it has ended and is about to leave.</returns>
    internal bool Add(TaskState state)
    {
        switch (state)
        {
            case TaskState.Created:
                _created++;
                return true;
            case TaskState.Ready:
                _ready++;
                return true;
            case TaskState.Running:
                _running++;
                return true;
            case TaskState.Blocked:
                _blocked++;
                return true;
            default:
                return false;
        }
    }

    /// <summary>Adds what was counted elsewhere.</summary>
    internal void Add(StateCounts counts)
    {
        _created += counts.Created;
        _ready += counts.Ready;
        _running += counts.Running;
        _blocked += counts.Blocked;
    }
}
