using System.Text;
using System.Threading.Channels;
using Microsoft.Diagnostics.NETCore.Client;

namespace Moirai.Tool.Connecting;

/// <summary>A diagnostic session in a process, in which one question is asked and answers come. Closed by <see cref="DisposeAsync"/>.</summary>
internal sealed class Conversation : IAsyncDisposable
{
    private const string Source = "Moirai";
    private const int BufferMegabytes = 32;

    // The numbers of the events of the source; see MoiraiEventSource.
    private const int RuntimeEvent = 1;
    private const int AnswerPart = 3;
    private const int Refusal = 4;
    private const int Beat = 5;

    // How long the process may take to open the session.
    private static readonly TimeSpan OpenPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ClosePatience = TimeSpan.FromSeconds(2);

    private readonly EventPipeSession _session;
    private readonly Question _question;
    private readonly Channel<Message> _messages = Channel.CreateUnbounded<Message>(new UnboundedChannelOptions { SingleWriter = true });
    private readonly StringBuilder _parts = new();
    private readonly Task _reading;
    private long _nextPart;

    private Conversation(EventPipeSession session, Question question)
    {
        _session = session;
        _question = question;

        // The stream knows no asynchronous reading that can be canceled; so a thread, which ends with the session.
        _reading = Task.Factory.StartNew(Read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>What the process tells, until it or the session ends.</summary>
    public ChannelReader<Message> Messages => _messages.Reader;

    /// <summary>Whether the process has told anything of Moirai so far.</summary>
    public bool HasHeard { get; private set; }

    /// <summary>Opens a session and asks.</summary>
    /// <exception cref="CannotAskException">It could not be opened.</exception>
    public static async Task<Conversation> OpenAsync(Target target, Question question, CancellationToken ct)
    {
        target.ThrowIfGone();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(OpenPatience);
        try
        {
            // All keywords: with those of answers alone, events for operators, which have none, did not come.
            var provider = new EventPipeProvider(Source, System.Diagnostics.Tracing.EventLevel.Informational, keywords: -1, question.Arguments);
            EventPipeSession session = await new DiagnosticsClient(target.Id)
                .StartEventPipeSessionAsync([provider], requestRundown: false, BufferMegabytes, patience.Token).WaitAsync(patience.Token);
            return new Conversation(session, question);
        }
        catch (OperationCanceledException error) when (!ct.IsCancellationRequested)
        {
            throw new CannotAskException($"{target.Title} does not answer within {OpenPatience.TotalSeconds:0} s. It may be stopped, or in the hands of a debugger.", error) { IsSilent = true };
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            throw target.Explain(error);
        }
    }

    /// <summary>Ends the session in the process and reads what it has still sent.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await _session.StopAsync(CancellationToken.None).WaitAsync(ClosePatience);
            await _reading.WaitAsync(ClosePatience);
        }
        catch (Exception error) when (error is TimeoutException or IOException or DiagnosticsClientException or System.Net.Sockets.SocketException)
        {
            // The process has gone, or is about to: its sessions end with it.
        }

        _session.Dispose();
    }

    private void Read()
    {
        Exception? end = null;
        try
        {
            using var buffered = new BufferedStream(_session.EventStream, 64 * 1024);
            new NettraceReader(buffered, Source, Take).Run();
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException or InvalidDataException)
        {
            end = error is InvalidDataException ? new CannotAskException(error.Message, error) : null; // else the process or the session has ended
        }

        _messages.Writer.TryComplete(end);
    }

    private void Take(int id, ReadOnlySpan<byte> payload)
    {
        HasHeard = true;
        var at = new Cursor(payload);
        Message? message = id switch
        {
            RuntimeEvent => new Message.Happened((RuntimeEventKind)at.Int64(), new TaskId(at.Int64()), at.Text(), at.Text(), at.Text(), at.IsAtEnd ? string.Empty : at.Text()),
            AnswerPart when at.Int64() == _question.Request => TakePart(ref at),
            Refusal when at.Int64() == _question.Request => new Message.Refused(at.Text()),
            Beat => new Message.Beat(),
            _ => null,
        };
        if (message is not null)
        {
            _messages.Writer.TryWrite(message);
        }
    }

    private Message? TakePart(ref Cursor at)
    {
        long part = at.Int64();
        long parts = at.Int64();
        if (part == 0)
        {
            _parts.Clear();
            _nextPart = 0;
        }

        if (part != _nextPart)
        {
            _nextPart = -1; // the buffers of the session were full
            return part == parts - 1 ? new Message.Lost() : null;
        }

        _nextPart++;
        _parts.Append(at.Text());
        return part == parts - 1 ? new Message.Answered(_parts.ToString()) : null;
    }
}
