namespace Moirai.Tool.Connecting;

/// <summary>Asks a process one question.</summary>
internal static class Asking
{
    private const int MostTries = 3;

    // From then on it is asked whether there is a Moirai at all.
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(1);

    /// <summary>Asks, and waits for the answer.</summary>
    /// <param name="target">Whom.</param>
    /// <param name="ask">Makes the question; a new one for each try.</param>
    /// <param name="patience">How long the answer may take.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <exception cref="CannotAskException">There is no answer.</exception>
    public static async Task<Answer> OnceAsync(Target target, Func<Question> ask, TimeSpan patience, CancellationToken ct)
    {
        for (int tries = 1; ; tries++)
        {
            await using Conversation conversation = await Conversation.OpenAsync(target, ask(), ct);
            if (await NextAsync(target, conversation, patience, ct) is { } answer)
            {
                return Answer.Read(answer);
            }

            if (tries == MostTries)
            {
                throw new CannotAskException($"{target.Title} answered {MostTries} times, and each time a part of it was lost on the way. Ask for less (--tasks).");
            }
        }
    }

    /// <summary>The next answer in a conversation; null when parts of it were lost.</summary>
    /// <exception cref="CannotAskException">There will be none, or there is none in time.</exception>
    public static async Task<string?> NextAsync(Target target, Conversation conversation, TimeSpan patience, CancellationToken ct)
    {
        await ThrowIfSilentAsync(target, conversation, FirstPatience, ct);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(patience);
        while (true)
        {
            try
            {
                switch (await conversation.Messages.ReadAsync(limit.Token))
                {
                    case Message.Answered answered:
                        return answered.Text;
                    case Message.Lost:
                        return null;
                    case Message.Refused refused:
                        throw new CannotAskException(refused.Reason);
                }
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                throw new CannotAskException($"{target.Title} has not answered within {patience.TotalSeconds:0} s.") { IsSilent = true };
            }
            catch (System.Threading.Channels.ChannelClosedException closed) // Moirai has one of its own
            {
                throw closed.InnerException as CannotAskException ?? new CannotAskException($"{target.Title} has ended.");
            }
        }
    }

    /// <summary>When nothing comes, finds out whether there is a Moirai at all.</summary>
    /// <exception cref="CannotAskException">There is none.</exception>
    public static async Task ThrowIfSilentAsync(Target target, Conversation conversation, TimeSpan patience, CancellationToken ct)
    {
        if (!conversation.HasHeard && !await HearsWithinAsync(conversation, patience, ct))
        {
            await ThrowIfNotOursAsync(target, ct);
        }
    }

    private static async Task<bool> HearsWithinAsync(Conversation conversation, TimeSpan patience, CancellationToken ct)
    {
        try
        {
            await conversation.Messages.WaitToReadAsync(ct).AsTask().WaitAsync(patience, ct);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Opens a session with a question and closes it at once. A process with Moirai says something before the session is open, whatever its threads do; so silence is proof.</summary>
    private static async Task ThrowIfNotOursAsync(Target target, CancellationToken ct)
    {
        Conversation probe = await Conversation.OpenAsync(target, new Question("ps"), ct);
        await probe.DisposeAsync();
        if (!probe.HasHeard)
        {
            throw new CannotAskException($"{target.Title} is a .NET process, but does not use Moirai, or has not made a TaskRuntime yet.") { IsNotOurs = true };
        }
    }
}
