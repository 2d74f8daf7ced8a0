using System.Diagnostics.CodeAnalysis;
using Moirai.Sync;

namespace Moirai;

/// <summary>Room in a channel that is kept for one element. Send with it, or dispose it to give the room back; a permit that is lost is given back when the garbage collector finds it.</summary>
/// <remarks>Safe from any thread; it serves once. It serves also after the channel was completed or its receiver closed, which wait for the permits that are out.</remarks>
/// <typeparam name="T">What is sent.</typeparam>
public sealed class ChannelPermit<T> : IDisposable
{
    private readonly ChannelSender<T> _sender;

    // 1 once it has served or was given back. Atomics.
    private int _isUsed;

    internal ChannelPermit(ChannelSender<T> sender) => _sender = sender;

    /// <summary>The permit is lost.</summary>
    ~ChannelPermit()
    {
        LostEnds.Note();
        GiveBack();
    }

    /// <summary>Sends, without waiting.</summary>
    /// <exception cref="ChannelClosedException">The receiver is gone; the channel's hook has got the element.</exception>
    /// <exception cref="InvalidOperationException">The permit has served before, or was given back: nothing is sent, and the caller still has the element.</exception>
    [SuppressMessage("Usage", "CA1816", Justification = "A permit that has served has nothing left to give back.")]
    public void Send(T element)
    {
        if (Atomics.Exchange(ref _isUsed, 1) != 0)
        {
            throw new InvalidOperationException($"This permit of {_sender.Core.Title} has served or was given back. Reserve once for each element.");
        }

        GC.SuppressFinalize(this);
        if (!_sender.Core.SendReserved(element))
        {
            _sender.Core.TellUndelivered(element);
            throw _sender.Core.SendError();
        }
    }

    /// <summary>Gives the room back, if it was not used.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        GiveBack();
    }

    private void GiveBack()
    {
        if (Atomics.Exchange(ref _isUsed, 1) == 0)
        {
            _sender.Core.ReturnPermit();
        }
    }
}
