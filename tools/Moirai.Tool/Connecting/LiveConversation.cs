namespace Moirai.Tool.Connecting;

/// <summary>A conversation that goes on until it is left: the process serves a question for two minutes only, so it is asked anew before that.</summary>
/// <param name="target">Whom.</param>
/// <param name="ask">Makes the question; a new one each time.</param>
internal sealed class LiveConversation(Target target, Func<Question> ask) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Renewal = TimeSpan.FromMinutes(1);

    private Func<Question> _ask = ask;

    // The one that is read, and the one that comes after it once that is read to its end.
    private Conversation? _now;
    private Conversation? _next;
    private long _opened;
    private long? _asked;

    /// <summary>The next message; null when there is none in time.</summary>
    /// <exception cref="CannotAskException">The process refuses, or has ended, or has no Moirai.</exception>
    public async Task<Message?> NextAsync(TimeSpan patience, CancellationToken ct)
    {
        if (_now is null)
        {
            _now = await OpenAsync(ct);
            await Asking.ThrowIfSilentAsync(target, _now, FirstPatience, ct);
        }
        else if (TimeProvider.System.GetElapsedTime(_opened) > Renewal)
        {
            _next = await OpenAsync(ct);
            await _now.DisposeAsync();
        }

        while (!_now.Messages.TryPeek(out _) && !_now.Messages.Completion.IsCompleted)
        {
            try
            {
                await _now.Messages.WaitToReadAsync(ct).AsTask().WaitAsync(patience, ct);
            }
            catch (TimeoutException)
            {
                return null;
            }
        }

        if (_now.Messages.TryRead(out Message? message))
        {
            return message is Message.Refused refused ? throw new CannotAskException(refused.Reason) : message;
        }

        if (_next is null)
        {
            await _now.Messages.Completion;
            throw new CannotAskException($"{target.Title} has ended.");
        }

        (_now, _next) = (_next, null);
        return null;
    }

    /// <summary>Asks something else from now on. What has not been read of the answers before is dropped.</summary>
    public async Task AskAnewAsync(Func<Question> other, CancellationToken ct)
    {
        _ask = other;
        Conversation? before = _now;
        _now = await OpenAsync(ct);
        if (before is not null)
        {
            await before.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Conversation? one in new[] { _now, _next })
        {
            if (one is not null)
            {
                await one.DisposeAsync();
            }
        }
    }

    private async Task<Conversation> OpenAsync(CancellationToken ct)
    {
        Question question = _ask();
        if (_asked is { } past)
        {
            question.With("instead", past); // else the process would go on answering it, to nobody
        }

        Conversation opened = await Conversation.OpenAsync(target, question, ct);
        _asked = question.Request;
        _opened = TimeProvider.System.GetTimestamp();
        return opened;
    }
}
