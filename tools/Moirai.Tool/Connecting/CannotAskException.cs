namespace Moirai.Tool.Connecting;

/// <summary>A process could not be asked, or did not answer. The message is for the user, in whole sentences.</summary>
internal sealed class CannotAskException : Exception
{
    public CannotAskException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>It is a .NET process, and there is no Moirai in it.</summary>
    public bool IsNotOurs { get; init; }

    /// <summary>It is .NET's, and says nothing: it is stopped, say. Whether there is a Moirai in it cannot be told.</summary>
    public bool IsSilent { get; init; }

    /// <summary>The user did not say clearly whom to ask.</summary>
    public bool IsUsage { get; init; }
}
