using System.Diagnostics.Tracing;

namespace Moirai.Telemetry;

/// <summary>The event source <c>Moirai</c>: what an operator should know, and the answers to what a tool outside asks. Costs a flag test when nobody listens.</summary>
[EventSource(Name = "Moirai")]
internal sealed class MoiraiEventSource : EventSource
{
    // These two are there before the source: sessions that are older than it bring their questions while it is made.
    private static readonly Lock s_gate = new();

    // What was asked before there was a desk. Under the gate.
    private static readonly List<Inquiry> s_early = [];

    internal static readonly MoiraiEventSource Log = new();

    // Set by the roof with the first runtime, under the gate; read by anyone.
    private static InquiryDesk? s_desk;

    private MoiraiEventSource()
    {
    }

    /// <summary>Whether anybody still listens for answers.</summary>
    internal bool HasAskers => IsEnabled(EventLevel.Informational, Keywords.Answers);

    /// <summary>Says who answers questions. The first who says it has said it.</summary>
    /// <param name="answer">Gives the answer, or throws an <see cref="InvalidOperationException"/> whose message says why there is none.</param>
    /// <param name="isSlow">Whether it takes its time, so that others must not wait for it.</param>
    internal static void OpenDesk(Func<Inquiry, string> answer, Func<Inquiry, bool> isSlow)
    {
        if (Volatile.Read(ref s_desk) is not null)
        {
            return;
        }

        var desk = new InquiryDesk(Log, answer, isSlow);
        Inquiry[] early;
        lock (s_gate)
        {
            if (s_desk is not null)
            {
                return;
            }

            early = [.. s_early];
            s_early.Clear();
            Volatile.Write(ref s_desk, desk);
        }

        Array.ForEach(early, desk.Post);
    }

    private static void Post(Inquiry inquiry)
    {
        InquiryDesk? desk = Volatile.Read(ref s_desk);
        if (desk is null)
        {
            lock (s_gate)
            {
                desk = s_desk;
                if (desk is null)
                {
                    s_early.Add(inquiry);
                    return;
                }
            }
        }

        desk.Post(inquiry);
    }

    /// <summary>Something that an operator should know; <paramref name="kind"/> is a <see cref="RuntimeEventKind"/>. Name and spawn site are those of the task, where the event is about one; else empty. The runtime is the one that tells it, by its name.</summary>
    [Event(1, Level = EventLevel.Warning, Message = "{2}", Version = 2)]
    public void RuntimeEvent(long kind, long task, string message, string name, string spawnSite, string runtime)
    {
        if (IsEnabled(EventLevel.Warning, EventKeywords.None))
        {
            WriteEvent(1, kind, task, message, name, spawnSite, runtime);
        }
    }

    /// <summary>The callback for events threw.</summary>
    [Event(2, Level = EventLevel.Error, Message = "The OnEvent callback threw: {0}")]
    public void OutletFailed(string error) => WriteEvent(2, error);

    /// <summary>A part of the answer to a question.</summary>
    /// <param name="request">The number that the asker gave.</param>
    /// <param name="part">Which part, from 0.</param>
    /// <param name="parts">How many there are.</param>
    /// <param name="text">The part.</param>
    [Event(3, Level = EventLevel.Informational, Keywords = Keywords.Answers)]
    public void Answer(long request, long part, long parts, string text) => WriteEvent(3, request, part, parts, text);

    /// <summary>A question that is not answered, and why.</summary>
    [Event(4, Level = EventLevel.Informational, Keywords = Keywords.Answers, Message = "{1}")]
    public void Refused(long request, string reason) => WriteEvent(4, request, reason);

    /// <summary>Nothing; carries what was written before to its reader.</summary>
    [Event(5, Level = EventLevel.Informational, Keywords = Keywords.Answers)]
    public void Beat() => WriteEvent(5);

    /// <inheritdoc/>
    /// <remarks>Called on the thread that opens the session, under a lock of the whole process, and what it throws ends the session: so it only reads and passes on. The beat comes before the session is open: who
    /// opens one, closes it, and has read no beat knows that here is no Moirai.</remarks>
    protected override void OnEventCommand(EventCommandEventArgs command)
    {
        if (command.Command is EventCommand.Enable or EventCommand.Update
            && Inquiry.Read(command.Arguments) is { } inquiry)
        {
            Beat();
            Post(inquiry);
        }
    }

    /// <summary>Which events a session wants.</summary>
    public static class Keywords
    {
        /// <summary>Answers to questions.</summary>
        public const EventKeywords Answers = (EventKeywords)1;
    }
}
