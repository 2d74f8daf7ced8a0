using Moirai.Execution;

namespace Moirai;

/// <summary>Keeps cancellation that comes from outside away from what runs until it is disposed: for clean-up that awaits.</summary>
/// <remarks>
/// <c>using (ManagedTask.Shield()) { await GiveBackAsync(); }</c>. Inside, waits do not throw although the task is canceled; what is inside
/// can still be timed, and a timeout inside still ends it. After it, the cancellation is there again: the next wait throws. The token that the body was
/// given stays canceled, so do not pass it to clean-up. Used by the task's own code; disposing twice is harmless.
/// </remarks>
public sealed class CancelShield : IDisposable
{
    private readonly ShieldRegion? _region;

    internal CancelShield(ManagedTask? task)
    {
        if (task is not null)
        {
            _region = new ShieldRegion(task);
            _region.Enter();
        }
    }

    /// <summary>Takes the shield down.</summary>
    public void Dispose() => _region?.Leave();
}
