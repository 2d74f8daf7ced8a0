using Moirai.Sync;

namespace Moirai;

/// <summary>The end of a channel to receive from. Any number of tasks, and plain code, may share it, each element goes to one of them; all members are safe from any thread.</summary>
/// <remarks><c>await foreach (Order order in receiver) { … }</c> ends when the channel does. Dispose the receiver when nobody receives any more: those who send are told. If the
/// garbage collector finds that nobody has it any more before that, they are told too.</remarks>
/// <typeparam name="T">What is received.</typeparam>
public sealed class ChannelReceiver<T> : IDisposable
{
    internal ChannelReceiver(ChannelCore<T> core) => Core = core;

    /// <summary>The receiver is lost.</summary>
    ~ChannelReceiver()
    {
        LostEnds.Note();
        Core.LoseEnd(isReceiver: true);
    }

    /// <summary>What messages call the channel.</summary>
    public string Name => Core.Name;

    /// <summary>How many elements wait to be received.</summary>
    public int Count => Core.Count;

    /// <summary>How many wait to receive.</summary>
    public int Waiting => Core.Waiting;

    /// <summary>Whether it is closed, nothing is left, and nothing more will come.</summary>
    public bool IsEnded => Core.IsOver;

    internal ChannelCore<T> Core { get; }

    /// <summary>Receives the next element when there is one: await the result. A cancellation point of the waiting task.</summary>
    /// <remarks>A receive that throws has taken nothing. When an element and cancellation race, either the caller has the element, and the task's next wait throws, or it is still in the
    /// channel: none is lost on the way.</remarks>
    /// <exception cref="ChannelClosedException">At the await: the channel is closed and nothing is left.</exception>
    /// <exception cref="ObjectDisposedException">At the await: this receiver was disposed.</exception>
    public ChannelReceiveAwaitable<T> ReceiveAsync() => new(this, default);

    /// <inheritdoc cref="ReceiveAsync()"/>
    /// <param name="cancellationToken">Ends this wait: the await throws an <see cref="OperationCanceledException"/>. For plain code that runs for no task.</param>
    public ChannelReceiveAwaitable<T> ReceiveAsync(CancellationToken cancellationToken) => new(this, cancellationToken);

    /// <summary>Receives an element if there is one for everybody: not one that somebody was woken for.</summary>
    /// <param name="element">What was received.</param>
    /// <returns>False when there is none now, or never again (<see cref="IsEnded"/>).</returns>
    /// <exception cref="ObjectDisposedException">This receiver was disposed.</exception>
    public bool TryReceive(out T element)
    {
        ChannelAnswer answer = Core.TryReceive(out element);
        GC.KeepAlive(this);
        return answer == ChannelAnswer.Closed && Core.IsDropped ? throw Core.ReceiveError() : answer == ChannelAnswer.Done;
    }

    /// <summary>For <c>await foreach</c>: receives until the end of the channel. A channel that was completed with an error, or whose sender was lost, throws.</summary>
    /// <param name="cancellationToken">Ends a wait of the enumeration.</param>
    public ChannelEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default) => new(this, cancellationToken);

    /// <summary>For <c>await foreach</c> with a token. See <see cref="GetAsyncEnumerator"/>.</summary>
    public ChannelElements<T> ReceiveAllAsync(CancellationToken cancellationToken) => new(this, cancellationToken);

    /// <summary>Lets nobody send any more; what is there can still be received, and so can what permits send that are out.</summary>
    /// <returns>False when the channel was closed before.</returns>
    public bool Close()
    {
        bool first = Core.Close(ChannelEnd.ByCurrent(ChannelEnding.ReceiverClosed, null), drop: false, out _);
        GC.KeepAlive(this);
        return first;
    }

    /// <summary>Ends the channel at once: those who wait at either end are told, elements that nobody has received go to the hook. Disposing again does nothing.</summary>
    /// <exception cref="AggregateException">The hook failed; it was called for all elements.</exception>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        Core.Close(ChannelEnd.ByCurrent(ChannelEnding.ReceiverDisposed, null), drop: true, out T[] left);
        Core.TellUndelivered(left);
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Core.Describe();
}
