using Moirai.Sync;

namespace Moirai;

/// <summary>The end of a channel to send into. Any number of tasks, and plain code, may share it; all members are safe from any thread.</summary>
/// <remarks>Complete or dispose it when all is sent. If the garbage collector finds that nobody has it any more before that, those who receive are told by a <see cref="ChannelClosedException"/>.</remarks>
/// <typeparam name="T">What is sent.</typeparam>
public sealed class ChannelSender<T> : IDisposable
{
    internal ChannelSender(ChannelCore<T> core) => Core = core;

    /// <summary>The sender is lost.</summary>
    ~ChannelSender()
    {
        LostEnds.Note();
        Core.LoseEnd(isReceiver: false);
    }

    /// <summary>What messages call the channel.</summary>
    public string Name => Core.Name;

    /// <summary>How many elements it holds that nobody has received.</summary>
    public int Capacity => Core.Capacity;

    /// <summary>How many elements wait to be received.</summary>
    public int Count => Core.Count;

    /// <summary>How many wait to send, or for a permit.</summary>
    public int Waiting => Core.WaitingToSend;

    /// <summary>Whether it takes nothing more.</summary>
    public bool IsClosed => Core.End is not null;

    internal ChannelCore<T> Core { get; }

    /// <summary>Sends when there is room: await the result. A cancellation point of the waiting task.</summary>
    /// <remarks>A send that throws has sent nothing, and the channel's hook for undelivered elements has got the element. When room and cancellation race, either the element is
    /// sent, and the task's next wait throws, or it never was.</remarks>
    /// <exception cref="ChannelClosedException">At the await: the channel is closed, or was closed before there was room.</exception>
    public ChannelSendAwaitable<T> SendAsync(T element) => new(this, element, default);

    /// <inheritdoc cref="SendAsync(T)"/>
    /// <param name="element">What to send.</param>
    /// <param name="cancellationToken">Ends this wait: the await throws an <see cref="OperationCanceledException"/>. For plain code that runs for no task.</param>
    public ChannelSendAwaitable<T> SendAsync(T element, CancellationToken cancellationToken) => new(this, element, cancellationToken);

    /// <summary>Sends if there is room and nobody waits for it; with capacity 0, if somebody waits to receive.</summary>
    /// <returns>False when there is none: the caller still has the element, and the hook is not called.</returns>
    /// <exception cref="ChannelClosedException">The channel is closed.</exception>
    public bool TrySend(T element)
    {
        ChannelAnswer answer = Core.TrySend(element);
        GC.KeepAlive(this);
        return answer == ChannelAnswer.Closed ? throw Core.SendError() : answer == ChannelAnswer.Done;
    }

    /// <summary>Waits for room and keeps it: await the result, send with it later, or dispose it. A cancellation point of the waiting task.</summary>
    /// <exception cref="ChannelClosedException">At the await: the channel is closed, or was closed before there was room.</exception>
    /// <exception cref="InvalidOperationException">The channel has capacity 0: there is no room to keep.</exception>
    public ChannelReserveAwaitable<T> ReserveAsync() => ReserveAsync(default);

    /// <inheritdoc cref="ReserveAsync()"/>
    /// <param name="cancellationToken">Ends this wait: the await throws an <see cref="OperationCanceledException"/>. For plain code that runs for no task.</param>
    public ChannelReserveAwaitable<T> ReserveAsync(CancellationToken cancellationToken) =>
        Capacity > 0
            ? new(this, cancellationToken)
            : throw new InvalidOperationException($"{Core.Capitalized} has capacity 0: there is no room that could be kept. Use SendAsync, or give it a capacity.");

    /// <summary>Says that this was all: receivers get what is left, then the end. Those who wait to send have sent nothing and get a <see cref="ChannelClosedException"/>; permits
    /// that are out still serve, and receivers wait for them.</summary>
    /// <param name="error">Why it ended too soon; receivers get it as the inner exception of a <see cref="ChannelClosedException"/>.</param>
    /// <exception cref="ChannelClosedException">It was closed before.</exception>
    public void Complete(Exception? error = null)
    {
        if (!TryComplete(error))
        {
            throw new ChannelClosedException($"{Core.Capitalized} cannot be completed again: {Core.End!.Why}. Let one party complete it, or use TryComplete.", Name, Core.End.Error);
        }
    }

    /// <inheritdoc cref="Complete"/>
    /// <returns>False when it was closed before.</returns>
    public bool TryComplete(Exception? error = null)
    {
        bool first = Core.Close(ChannelEnd.ByCurrent(ChannelEnding.Completed, error), drop: false, out _);
        GC.KeepAlive(this);
        return first;
    }

    /// <summary>Completes the channel, unless it is closed.</summary>
    public void Dispose()
    {
        TryComplete();
        GC.SuppressFinalize(this);
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Core.Describe();
}
