using System.Runtime.CompilerServices;
using Moirai.Sync;

namespace Moirai;

/// <summary>Makes promises: one value on its way from a sender to a receiver, once.</summary>
public static class OneShot
{
    /// <summary>Told of each one-shot that is made, for tests that look whether all of them came to an end. Set once.</summary>
    internal static Action<IPromise>? Made { get; set; }

    /// <summary>Makes a sender and the receiver that gets what it sends.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="file">Filled in by the compiler: where it was made.</param>
    /// <param name="line">Filled in by the compiler: where it was made.</param>
    /// <typeparam name="T">What is sent.</typeparam>
    public static (OneShotSender<T> Sender, OneShotReceiver<T> Receiver) Create<T>(
        string name = "one-shot", [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        var receiver = new OneShotReceiver<T>(name, ManagedTask.Current, file, line);
        Made?.Invoke(receiver);
        return (new OneShotSender<T>(receiver), receiver);
    }
}

/// <summary>A one-shot, for who does not care what is sent.</summary>
internal interface IPromise
{
    /// <summary>Whether nothing was sent yet, or what was sent has not been received, and neither end has gone.</summary>
    bool IsUnresolved { get; }

    /// <summary>Name, origin and state.</summary>
    string Describe();
}

/// <summary>The end of a one-shot that has promised a value: it sends once, or breaks the promise by going away.</summary>
/// <remarks>
/// A sender goes away without sending when it is disposed, when the task that answers for it ends (<see cref="TakeOver"/>), or when it is collected because nobody can reach it any more. In each case the
/// receiver gets a <see cref="BrokenSynchronizationException"/> that says which of these it was, and who made the one-shot where. All members are safe from any thread.
/// <para>From a finalizer of your own <see cref="TrySend"/> may throw: the collector may have told of the sender before.</para>
/// </remarks>
/// <typeparam name="T">What is sent.</typeparam>
public sealed class OneShotSender<T> : IDisposable
{
    private readonly OneShotReceiver<T> _receiver;

    // Tells the receiver when nobody can reach the sender any more: nothing will ever be sent. Null once a value was sent; written by who sent it.
    private LossNotice? _notice;

    internal OneShotSender(OneShotReceiver<T> receiver)
    {
        _receiver = receiver;
        _notice = LossNotice.Take(receiver);
    }

    /// <summary>Sends the value. Returns at once.</summary>
    /// <returns>False when the receiver was disposed: nobody will see the value, and it is the caller's still.</returns>
    /// <exception cref="InvalidOperationException">A value was sent before. The first one stays.</exception>
    /// <exception cref="ObjectDisposedException">The sender was disposed.</exception>
    /// <exception cref="BrokenSynchronizationException">The task that answered for the sender has ended, and the receiver was told.</exception>
    public bool TrySend(T value)
    {
        bool sent = _receiver.TrySend(value);
        if (sent)
        {
            LossNotice notice = _notice!;
            _notice = null; // first: it serves others from here on
            notice.GiveBack();
        }

        return sent;
    }

    /// <summary>The current task answers for the promise from now on: if it ends without sending, whichever way it ends, the promise is broken at that moment.</summary>
    /// <remarks>Call it first thing in the task that is to send; whoever answered before is relieved. In plain code nobody answers from now on. After the promise was kept or broken it does nothing.
    /// <para>A task that is canceled before it begins has taken nothing over; then the sender breaks the promise when it is collected, unless somebody else has it and disposes it.</para></remarks>
    /// <returns>The sender.</returns>
    public OneShotSender<T> TakeOver()
    {
        _receiver.TakeOver();
        return this;
    }

    /// <summary>Breaks the promise if nothing was sent. Disposing again, or after sending, does nothing.</summary>
    public void Dispose() => _receiver.SenderHasGone(OneShotReceiver<T>.SenderDisposed);

    /// <summary>Name and state.</summary>
    public override string ToString() => $"sender of {_receiver}";
}
