namespace Moirai.Telemetry;

/// <summary>Answers questions from outside, on a thread of its own: so also while the thread pool is starved, and without keeping the thread that brought the question, which holds a lock of the whole process.</summary>
/// <remarks>
/// The thread starts with the first question and ends when nobody listens any more, or when all questions were answered a while ago. While it lives it beats: what was written to a session reaches its reader only with the next event,
/// so an answer that nothing follows would arrive late or never.
/// <para>All fields are guarded by the bed.</para>
/// </remarks>
internal sealed class InquiryDesk
{
    /// <summary>From beat to beat, in milliseconds. Measured: with shorter ones answers arrive no sooner.</summary>
    internal const int Beat = 100;

    // How many beats follow the last answer.
    private const int BeatsAfterwards = 50;

    // How long somebody is answered who asked for it to go on; then the asker has to ask again. So one who went away without a word is not served for ever.
    private const int LongestLease = 10 * 60_000;

    // An event holds 64 kB, and a character takes two bytes.
    private const int LongestPart = 16_000;
    private const int Remembered = 64;
    private const int StackSize = 1024 * 1024;

    private readonly Bed _bed = new();
    private readonly List<Standing> _open = [];

    // A session that changes brings its arguments again.
    private readonly Queue<long> _known = [];
    private Thread? _thread;

    private readonly Func<Inquiry, string> _answer;
    private readonly MoiraiEventSource _source;

    internal InquiryDesk(MoiraiEventSource source, Func<Inquiry, string> answer)
    {
        _source = source;
        _answer = answer;
    }

    /// <summary>The thread, while there is one. For tests.</summary>
    internal Thread? Thread => Volatile.Read(ref _thread);

    /// <summary>Takes a question, and returns at once.</summary>
    internal void Post(Inquiry inquiry)
    {
        using (_bed.Enter())
        {
            if (_known.Contains(inquiry.Request))
            {
                return;
            }

            _known.Enqueue(inquiry.Request);
            if (_known.Count > Remembered)
            {
                _known.Dequeue();
            }

            _open.Add(new Standing(inquiry));
            if (_thread is null)
            {
                _thread = Bed.StartThread("Moirai inquiries", StackSize, static desk => ((InquiryDesk)desk!).Run(), this);
            }
            else
            {
                _bed.Call();
            }
        }
    }

    private void Run()
    {
        int idle = 0;
        while (true)
        {
            List<Standing> due;
            long now = Ground.Clock.CoarseMilliseconds;
            using (_bed.Enter())
            {
                _open.RemoveAll(standing => standing.IsOver(now));
                idle = _open.Count == 0 ? idle + 1 : 0;
                if (!_source.HasAskers || idle > BeatsAfterwards)
                {
                    _open.Clear();
                    _thread = null;
                    return;
                }

                due = _open.FindAll(standing => standing.IsDue(now));
            }

            foreach (Standing standing in due)
            {
                standing.Next(now);
                Answer(standing.Inquiry);
            }

            _source.Beat();
            using (_bed.Enter())
            {
                if (!_open.Exists(static standing => standing.IsNew))
                {
                    _bed.Sleep(Beat);
                }
            }
        }
    }

    private void Answer(Inquiry inquiry)
    {
        string text;
        try
        {
            text = _answer(inquiry);
        }
        catch (Exception error) // whatever it was, who asked is told, and the process goes on
        {
            _source.Refused(inquiry.Request, error is InvalidOperationException ? error.Message : error.ToString());
            return;
        }

        int parts = Math.Max(1, (text.Length + LongestPart - 1) / LongestPart);
        for (int part = 0; part < parts; part++)
        {
            int from = part * LongestPart;
            _source.Answer(inquiry.Request, part, parts, text.Substring(from, Math.Min(LongestPart, text.Length - from)));
        }
    }

    // A question and when it is due. Touched by the desk's thread, but for its making.
    private sealed class Standing(Inquiry inquiry)
    {
        private readonly long _end = Ground.Clock.CoarseMilliseconds + LongestLease;
        private long _due;
        private bool _answered;

        internal Inquiry Inquiry => inquiry;

        internal bool IsNew => !_answered;

        internal bool IsDue(long now) => now >= _due;

        internal bool IsOver(long now) => _answered && (inquiry.Every == 0 || now >= _end);

        internal void Next(long now)
        {
            _answered = true;
            _due = now + inquiry.Every;
        }
    }
}
