using Moirai.Sync;

namespace Moirai;

/// <summary>A channel or a watch takes nothing more, or has nothing more to give.</summary>
/// <remarks><see cref="Exception.InnerException"/> is the error with which it was completed, if there was one.</remarks>
public sealed class ChannelClosedException : InvalidOperationException
{
    /// <summary>For the runtime; a test may make one too.</summary>
    public ChannelClosedException(string message, string channel, Exception? inner = null)
        : base(message, inner) => Channel = channel;

    /// <summary>The name of the channel.</summary>
    public string Channel { get; }

    /// <summary>The error of who sends.</summary>
    internal static ChannelClosedException ToSender(SynchronizationPrimitive channel, ChannelEnd end)
    {
        string advice = end.How switch
        {
            ChannelEnding.Completed => "Let whoever completes it wait for those who send.",
            ChannelEnding.SenderLost or ChannelEnding.ReceiverLost => "Keep both ends as long as somebody uses the other, and let each be disposed by its owner.",
            _ => "Stop those who send before those who receive.",
        };
        return new ChannelClosedException($"{channel.Capitalized} takes nothing more: {end.Why}. {advice}", channel.Name, end.Error);
    }

    /// <summary>The error of who receives.</summary>
    internal static ChannelClosedException ToReceiver(SynchronizationPrimitive channel, ChannelEnd end)
    {
        string advice = end.How == ChannelEnding.SenderLost
            ? "Let its owner complete or dispose the sender on every way out, with a using block."
            : "Receive with await foreach, which ends here, or ask TryReceive.";
        return new ChannelClosedException($"{channel.Capitalized} has nothing more to give: {end.Why}. {advice}", channel.Name, end.Error);
    }
}
