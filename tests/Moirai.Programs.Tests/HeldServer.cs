using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace Moirai.Programs.Tests;

/// <summary>The server behind the plain driver: answers at once, but for questions that begin with "held", which wait for the test.</summary>
internal sealed class HeldServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Channel<string> _arrived = Channel.CreateUnbounded<string>();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _held = [];
    private readonly CancellationTokenSource _over = new();
    private readonly ConcurrentBag<Task> _conversations = [];
    private readonly Task _accepting;

    internal HeldServer()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    internal EndPoint Address => _listener.LocalEndpoint;

    internal static IPEndPoint Nowhere
    {
        get
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            return (IPEndPoint)socket.LocalEndPoint!; // free again, and nobody listens
        }
    }

    /// <summary>Waits until a held question has arrived.</summary>
    internal async Task<string> ArrivesAsync() => await Stage.EndsAsync(_arrived.Reader.ReadAsync().AsTask());

    internal void Answer(string question, string answer) => Promise(question).SetResult(answer);

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_conversations).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _over.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            _conversations.Add(TalkAsync(await _listener.AcceptTcpClientAsync(_over.Token)));
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using (client)
        {
            NetworkStream stream = client.GetStream();
            byte[] head = new byte[4];
            while (true)
            {
                await stream.ReadExactlyAsync(head, _over.Token);
                byte[] body = new byte[BinaryPrimitives.ReadInt32BigEndian(head)];
                await stream.ReadExactlyAsync(body, _over.Token);
                byte[] answer = Encoding.UTF8.GetBytes(await AnswerToAsync(Encoding.UTF8.GetString(body)));
                BinaryPrimitives.WriteInt32BigEndian(head, answer.Length);
                await stream.WriteAsync(head, _over.Token);
                await stream.WriteAsync(answer, _over.Token);
            }
        }
    }

    private async Task<string> AnswerToAsync(string question)
    {
        if (!question.StartsWith("held", StringComparison.Ordinal))
        {
            return $"{question}!";
        }

        await _arrived.Writer.WriteAsync(question);
        return await Promise(question).Task.WaitAsync(_over.Token);
    }

    private TaskCompletionSource<string> Promise(string question) =>
        _held.GetOrAdd(question, static _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
}
