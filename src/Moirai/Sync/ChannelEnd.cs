namespace Moirai.Sync;

/// <summary>What ended a channel.</summary>
internal enum ChannelEnding : byte
{
    /// <summary>The sender has said that it was all.</summary>
    Completed,

    /// <summary>The receiver wants no more than what is there.</summary>
    ReceiverClosed,

    /// <summary>The receiver wants nothing more.</summary>
    ReceiverDisposed,

    /// <summary>The garbage collector has proved that nobody can send any more.</summary>
    SenderLost,

    /// <summary>The garbage collector has proved that nobody can receive any more.</summary>
    ReceiverLost,
}

/// <summary>Why and by whom a channel was closed. No reference to the task: a closed channel keeps nothing of it.</summary>
/// <param name="How">What ended it.</param>
/// <param name="Error">The error that whoever closed it gave.</param>
/// <param name="By">The title of the task that closed it; null for plain code.</param>
internal sealed record ChannelEnd(ChannelEnding How, Exception? Error, string? By)
{
    internal static ChannelEnd ByCurrent(ChannelEnding how, Exception? error) => new(how, error, ManagedTask.Current?.Title);

    /// <summary>For messages.</summary>
    internal string Why => How switch
    {
        ChannelEnding.Completed when Error is not null => $"it was completed by {Who} with {Error.GetType().Name}: {Error.Message}",
        ChannelEnding.Completed => $"it was completed by {Who}",
        ChannelEnding.ReceiverClosed => $"its receiver was closed by {Who}",
        ChannelEnding.ReceiverDisposed => $"its receiver was disposed by {Who}",
        ChannelEnding.SenderLost => "its sender is lost: nobody has it any more, and nobody has completed it",
        _ => "its receiver is lost: nobody has it any more, and nobody has disposed it",
    };

    private string Who => By ?? "plain code";
}

/// <summary>What a channel answers at once.</summary>
internal enum ChannelAnswer : byte
{
    /// <summary>Not now: wait.</summary>
    Later = 0,

    /// <summary>It is done.</summary>
    Done = 1,

    /// <summary>Never: it is closed.</summary>
    Closed = 2,

    /// <summary>The token was canceled before anything was tried.</summary>
    Refused = 3,
}
