namespace Moirai;

/// <summary>As many wait for a synchronization primitive as may: whoever comes now is sent away instead of making the line longer.</summary>
public sealed class WaitQueueFullException : InvalidOperationException
{
    /// <summary>For the runtime; a test may make one too.</summary>
    public WaitQueueFullException(string message, string primitive, int maxWaiting)
        : base(message)
    {
        Primitive = primitive;
        MaxWaiting = maxWaiting;
    }

    /// <summary>The name of the primitive.</summary>
    public string Primitive { get; }

    /// <summary>How many may wait for it.</summary>
    public int MaxWaiting { get; }
}
