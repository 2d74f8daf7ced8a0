using System.Collections.Concurrent;
using Moirai;

namespace Examples.Sockets;

/// <summary>A stream of bytes: fed from any thread, read by one task at a time.</summary>
public sealed class ByteStream(string name)
{
    private readonly ConcurrentQueue<byte[]> _arrived = new();
    private readonly AtomicWaker _reader = new();
    private volatile bool _hasEnded;

    // What is left of the piece that is being read. The reader's alone.
    private ReadOnlyMemory<byte> _rest;

    /// <summary>Waits until there is something to read, and gives how many bytes were read; 0 at the end of the stream.</summary>
    public Future<int> ReadAsync(Memory<byte> buffer) => Future.FromPoll(
        (Stream: this, Buffer: buffer),
        static (read, waker) => read.Stream.TryRead(read.Buffer.Span, waker),
        $"data from {name}");

    /// <summary>Called by whatever brings the bytes.</summary>
    public void Feed(byte[] data)
    {
        _arrived.Enqueue(data);     // first what the reader waits for,
        _reader.Wake();             // then the wake
    }

    /// <summary>Nothing will come any more.</summary>
    public void End()
    {
        _hasEnded = true;
        _reader.Wake();
    }

    private Poll<int> TryRead(Span<byte> buffer, Waker waker)
    {
        _reader.Register(waker);    // first the waker,
        bool ended = _hasEnded;     // then the look; and the end before the data, so that nothing that came before the end is missed
        while (_rest.IsEmpty && _arrived.TryDequeue(out byte[]? piece))
        {
            _rest = piece;
        }

        if (_rest.IsEmpty)
        {
            return ended ? Poll<int>.Ready(0) : Poll<int>.Pending;
        }

        int count = Math.Min(buffer.Length, _rest.Length);
        _rest.Span[..count].CopyTo(buffer);
        _rest = _rest[count..];
        return Poll<int>.Ready(count);
    }
}
