namespace Moirai;

/// <summary>What a runtime does about tasks that wait for each other in a ring. See <see cref="DeadlockException"/>.</summary>
public enum DeadlockPolicy
{
    /// <summary>The wait that closes the ring throws a <see cref="DeadlockException"/>; the operator is told (<see cref="RuntimeEventKind.Deadlock"/>).</summary>
    Throw = 0,

    /// <summary>The operator is told, once for each ring, and the tasks go on waiting.</summary>
    Report = 1,

    /// <summary>Nobody looks.</summary>
    Off = 2,
}
