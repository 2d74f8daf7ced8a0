using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using System.Globalization;
using System.Text;

namespace Moirai.Tests.Telemetry;

/// <summary>Asks this process as a tool outside does: by the arguments of a session on the event source.</summary>
internal sealed class Asker : EventListener
{
    private static long s_requests = 1000;

    // Whoever asks a process asks one that has used Moirai.
    private static readonly EventSource s_source = Known();

    private readonly ConcurrentDictionary<long, Question> _questions = new();
    private readonly BlockingCollection<string> _beats = [];

    /// <summary>Asks.</summary>
    /// <param name="arguments">Beside the number of the request.</param>
    public Question Ask(params (string Name, string Value)[] arguments)
    {
        long request = Interlocked.Increment(ref s_requests);
        Question question = _questions.GetOrAdd(request, static request => new Question(request));
        Session(question, arguments);
        return question;
    }

    /// <summary>Sends the same session anew, as the platform does when it changes.</summary>
    public void Session(Question question, params (string Name, string Value)[] arguments)
    {
        var all = arguments.ToDictionary(static argument => argument.Name, static argument => (string?)argument.Value);
        all.TryAdd("request", question.Request.ToString(CultureInfo.InvariantCulture));
        EnableEvents(s_source, EventLevel.Informational, (EventKeywords)1, all);
    }

    /// <summary>Waits until the process has beaten once more.</summary>
    public void AwaitBeat() => _beats.TryTake(out _, TimeSpan.FromSeconds(30)).ShouldBeTrue("no beat came");

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        switch (eventData.EventName)
        {
            case "Answer":
                Of(eventData)?.Take((long)eventData.Payload![1]!, (long)eventData.Payload[2]!, (string)eventData.Payload[3]!);
                break;
            case "Refused":
                Of(eventData)?.Refuse((string)eventData.Payload![1]!);
                break;
            case "Beat":
                _beats.Add("beat");
                break;
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _beats.Dispose();
    }

    private static EventSource Known()
    {
        _ = TaskRuntime.Default;
        return EventSource.GetSources().Single(static source => source.Name == "Moirai");
    }

    private Question? Of(EventWrittenEventArgs eventData) => _questions.GetValueOrDefault((long)eventData.Payload![0]!);

    /// <summary>What was asked, and the answers to it.</summary>
    internal sealed class Question(long request)
    {
        private readonly BlockingCollection<string> _answers = [];
        private readonly StringBuilder _parts = new();

        public long Request => request;

        public int Parts { get; private set; }

        /// <summary>The next answer; what was refused begins with "refused: ".</summary>
        public string Next()
        {
            _answers.TryTake(out string? answer, TimeSpan.FromSeconds(30)).ShouldBeTrue("no answer came");
            return answer!;
        }

        public int Waiting => _answers.Count;

        internal void Take(long part, long parts, string text)
        {
            if (part == 0)
            {
                _parts.Clear();
            }

            _parts.Append(text);
            Parts = (int)parts;
            if (part == parts - 1)
            {
                _answers.Add(_parts.ToString());
            }
        }

        internal void Refuse(string reason) => _answers.Add($"refused: {reason}");
    }
}
