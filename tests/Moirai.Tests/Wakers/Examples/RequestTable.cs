using System.Collections.Concurrent;
using Moirai;

namespace Examples.Requests;

/// <summary>Requests that were sent over one connection, and the replies to them, which come in any order and on any thread.</summary>
public sealed class RequestTable(Action<long, string> send)
{
    private readonly ConcurrentDictionary<long, CallbackSource<string>> _waiting = new();
    private long _lastId;
    private Exception? _lost;

    /// <summary>How many requests wait for their reply.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>Sends a request and waits for the reply.</summary>
    public Future<string> AskAsync(string question)
    {
        long id = Interlocked.Increment(ref _lastId);
        return Future.FromCallback<(RequestTable Table, long Id, string Question), string>(
            (this, id, question),
            static (ask, reply) => ask.Table.Begin(ask.Id, ask.Question, reply),
            static (ask, _) => ask.Table._waiting.TryRemove(ask.Id, out CallbackSource<string>? _),
            $"the reply to request {id}");
    }

    /// <summary>Called by the connection.</summary>
    /// <returns>False when nobody waits for this reply: it comes twice, or too late.</returns>
    public bool OnReply(long id, string answer) =>
        _waiting.TryRemove(id, out CallbackSource<string>? reply) && reply.TrySetResult(answer);

    /// <summary>Called by the connection when it is lost: all who wait are told, and so is whoever asks from now on.</summary>
    public void OnLost(Exception error)
    {
        Interlocked.Exchange(ref _lost, error);
        foreach (long id in _waiting.Keys)
        {
            if (_waiting.TryRemove(id, out CallbackSource<string>? reply))
            {
                reply.TrySetException(error);
            }
        }
    }

    private void Begin(long id, string question, CallbackSource<string> reply)
    {
        _waiting[id] = reply;       // first the entry: the reply may be here before the sending has returned
        if (Volatile.Read(ref _lost) is { } lost)
        {
            throw new IOException("The connection is lost.", lost);
        }

        send(id, question);         // what is thrown here, the await throws, and the entry is taken out again
    }
}
