using Moirai.Sync;

namespace Moirai;

/// <summary>A queue of bounded length between tasks: who sends waits while it is full, who receives waits while it is empty.</summary>
/// <remarks>
/// <c>var (sender, receiver) = new AsyncChannel&lt;Order&gt;(100, "orders");</c> Hand one end to those who send and the other to those who receive; any number of tasks may share an end.
/// Keep this object only if you keep both ends.
/// <para><b>Order.</b> First come first served, elements as well as those who wait. Waiting allocates nothing in an <c>async Future</c> method.</para>
/// <para><b>The end.</b> Whoever sends completes the channel, or disposes the sender: the receiver gets what is left, then the end. Whoever receives closes or disposes the receiver:
/// senders are told by a <see cref="ChannelClosedException"/>. An end that the garbage collector finds to be lost closes the channel too, so that who waits at the other one does not wait for ever.</para>
/// <para><b>Capacity 0</b> is a rendezvous: a send ends when a receiver has the element for sure.</para>
/// </remarks>
/// <typeparam name="T">What is sent.</typeparam>
public sealed class AsyncChannel<T>
{
    /// <summary>Makes an open channel.</summary>
    /// <param name="capacity">How many elements it holds that nobody has received; 0 for a rendezvous.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="undelivered">Called once for each element that a send took and that no receiver gets: the send was canceled or found the channel closed, or the receiver was
    /// disposed first. Never for one that was received, nor for one that <see cref="ChannelSender{T}.TrySend"/> refused. It runs in whoever sent, or disposed the receiver, under no
    /// lock, and may use the channel; what it throws is thrown there. For elements of a lost receiver it runs on the thread pool.</param>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is negative.</exception>
    public AsyncChannel(int capacity, string name = "channel", Action<T>? undelivered = null)
    {
        var core = new ChannelCore<T>(name, capacity, undelivered);
        Sender = new ChannelSender<T>(core);
        Receiver = new ChannelReceiver<T>(core);
    }

    /// <summary>The end to send into.</summary>
    public ChannelSender<T> Sender { get; }

    /// <summary>The end to receive from.</summary>
    public ChannelReceiver<T> Receiver { get; }

    /// <summary>Both ends.</summary>
    public void Deconstruct(out ChannelSender<T> sender, out ChannelReceiver<T> receiver)
    {
        sender = Sender;
        receiver = Receiver;
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Sender.ToString();
}
