using Moirai.Execution;

namespace Moirai;

/// <summary>Keeps cancellation that comes from outside away from what runs until it is disposed: for clean-up that awaits.</summary>
/// <remarks>
/// <c>using (ManagedTask.Shield()) { await GiveBackAsync(); }</c>. Inside, waits do not throw although the task is canceled; what is inside
/// can still be timed, and a timeout inside still ends it. After it, the cancellation is there again: the next wait throws. The token that the body was
/// given stays canceled, so do not pass it to clean-up. Used by the task's own code; disposing twice is harmless.
/// <para>In plain <c>async</c> code that runs for a task (see <see cref="ManagedTask.Current"/>) it covers the method that has raised it and what that calls, and no branch beside it: waits of Moirai's and futures that are awaited there do not end with the task, and
/// <see cref="ManagedTask.CurrentToken"/> is not.</para>
/// </remarks>
public sealed class CancelShield : IDisposable
{
    private readonly ShieldRegion? _region;
    private readonly PlainShield? _plain;

    internal CancelShield(ManagedTask? task)
    {
        if (task is not null)
        {
            _region = new ShieldRegion(task);
            _region.Enter();
        }
    }

    /// <param name="stepped">The task whose step runs here.</param>
    /// <param name="plain">The task for which plain code runs here. Inside a step of another it is that one's code all the same, which goes on there inline.</param>
    internal CancelShield(ManagedTask? stepped, ManagedTask? plain)
        : this(plain is null || ReferenceEquals(plain, stepped) ? stepped : null)
    {
        if (plain is not null)
        {
            _plain = PlainShield.Raise(plain);
        }
    }

    /// <summary>Takes the shield down.</summary>
    public void Dispose()
    {
        _region?.Leave();
        _plain?.TakeDown();
    }
}
