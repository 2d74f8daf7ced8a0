using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PlainDriver;

/// <summary>One connection to the server: frames with a length in front, over a socket. One question at a time.</summary>
public sealed class Connection : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _head = new byte[4];

    internal bool IsBroken { get; private set; }

    internal async ValueTask OpenAsync(EndPoint server, CancellationToken cancellationToken) =>
        await _socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);

    internal async ValueTask<string> AskAsync(string question, CancellationToken cancellationToken)
    {
        IsBroken = true; // until the answer is whole: who gives up in between leaves half a conversation
        await WriteFrameAsync(question, cancellationToken).ConfigureAwait(false);
        string answer = await ReadFrameAsync(cancellationToken).ConfigureAwait(false);
        IsBroken = false;
        return answer;
    }

    /// <summary>As old interfaces ask for it: the thread waits.</summary>
    internal string Ask(string question) => AskAsync(question, CancellationToken.None).AsTask().GetAwaiter().GetResult();

    public void Dispose() => _socket.Dispose();

    private async ValueTask WriteFrameAsync(string text, CancellationToken cancellationToken)
    {
        byte[] frame = new byte[4 + Encoding.UTF8.GetByteCount(text)];
        BinaryPrimitives.WriteInt32BigEndian(frame, frame.Length - 4);
        Encoding.UTF8.GetBytes(text, frame.AsSpan(4));
        for (int sent = 0; sent < frame.Length;)
        {
            sent += await _socket.SendAsync(frame.AsMemory(sent), cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask<string> ReadFrameAsync(CancellationToken cancellationToken)
    {
        await FillAsync(_head, cancellationToken).ConfigureAwait(false);
        byte[] body = new byte[BinaryPrimitives.ReadInt32BigEndian(_head)];
        await FillAsync(body, cancellationToken).ConfigureAwait(false);
        return Encoding.UTF8.GetString(body);
    }

    private async ValueTask FillAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int read = await _socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
            buffer = read == 0 ? throw new EndOfStreamException("The server has gone.") : buffer[read..];
        }
    }
}
