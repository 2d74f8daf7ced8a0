using System.Threading.Channels;

namespace Moirai.Dashboard.Watching;

/// <summary>One who watches: a seat for one frame. A frame that was not fetched when the next one comes is dropped.</summary>
internal sealed class Watcher : IDisposable
{
    private readonly Observer _observer;
    private readonly Channel<byte[]> _seat;

    internal Watcher(Observer observer)
    {
        _observer = observer;
        _seat = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest }, _ => Dropped++);
    }

    /// <summary>How many frames it missed. Written by the observer.</summary>
    internal int Dropped { get; private set; }

    internal void Offer(byte[] frame) => _seat.Writer.TryWrite(frame);

    /// <summary>No more frames come.</summary>
    internal void End() => _seat.Writer.TryComplete();

    /// <summary>The newest frame, as soon as there is one; the same never twice. Null when there will be none any more.</summary>
    internal async ValueTask<byte[]?> NextAsync(CancellationToken cancellationToken)
    {
        byte[]? frame = null;
        while (!_seat.Reader.TryRead(out frame) && await _seat.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
        }

        return frame;
    }

    public void Dispose() => _observer.Leave(this);
}
