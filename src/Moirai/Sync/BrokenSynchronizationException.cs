namespace Moirai;

/// <summary>A task ended while it held a synchronization primitive, which nobody gets any more: what it guards may be half changed.</summary>
/// <remarks>Thrown at whoever waits for it at that moment, and at whoever comes later.</remarks>
public sealed class BrokenSynchronizationException : InvalidOperationException
{
    /// <summary>For the runtime; a test may make one too.</summary>
    public BrokenSynchronizationException(string message, string primitive, TaskId holder, string holderName)
        : base(message)
    {
        Primitive = primitive;
        Holder = holder;
        HolderName = holderName;
    }

    /// <summary>The name of the primitive.</summary>
    public string Primitive { get; }

    /// <summary>The task that ended without giving back.</summary>
    public TaskId Holder { get; }

    /// <summary>Its name.</summary>
    public string HolderName { get; }
}
