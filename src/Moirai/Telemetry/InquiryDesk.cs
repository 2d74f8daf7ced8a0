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
    private const int LongestLease = 2 * 60_000;

    // An event holds 64 kB, and a character takes two bytes.
    private const int LongestPart = 16_000;
    private const int Remembered = 64;

    // Questions that are open at once; each costs something, as long as it is.
    private const int MostOpen = 16;

    // Who asks to be answered again and again gets a fifth of a processor at the most: after an answer the question rests four times as long as that took.
    private const int RestPerWork = 4;
    private const int StackSize = 1024 * 1024;

    private readonly Bed _bed = new();
    private readonly List<Standing> _open = [];

    // A session that changes brings its arguments again.
    private readonly Queue<long> _known = [];
    private Thread? _thread;

    private readonly Func<Inquiry, string> _answer;
    private readonly Func<Inquiry, bool> _isSlow;
    private readonly MoiraiEventSource _source;

    // The slow question that is being answered, on a thread of its own.
    private Standing? _slow;

    internal InquiryDesk(MoiraiEventSource source, Func<Inquiry, string> answer, Func<Inquiry, bool> isSlow)
    {
        _source = source;
        _answer = answer;
        _isSlow = isSlow;
    }

    /// <summary>The thread, while there is one. For tests.</summary>
    internal Thread? Thread => Volatile.Read(ref _thread);

    /// <summary>Takes a question, and returns at once.</summary>
    internal void Post(Inquiry inquiry)
    {
        if (!TryTake(inquiry))
        {
            _source.Refused(inquiry.Request, $"This process is answering {MostOpen} questions already. Ask again when one of the other tools is done.");
        }
    }

    private bool TryTake(Inquiry inquiry)
    {
        using (_bed.Enter())
        {
            if (_known.Contains(inquiry.Request))
            {
                return true;
            }

            _known.Enqueue(inquiry.Request);
            if (_known.Count > Remembered)
            {
                _known.Dequeue();
            }

            // A session that ends says nothing to us; so who asks something else says what for.
            if (inquiry.Instead is { } past)
            {
                _open.RemoveAll(standing => standing.Inquiry.Request == past);
            }

            if (_open.Count >= MostOpen)
            {
                return false;
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

            return true;
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
                if (_isSlow(standing.Inquiry))
                {
                    AnswerSlowly(standing);
                }
                else
                {
                    standing.Begin(once: standing.Inquiry.Every == 0);
                    Answer(standing.Inquiry);
                    standing.Done(now, Ground.Clock.CoarseMilliseconds);
                }
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

    // One at a time. It is open until it is answered, so beats carry the answer to its reader.
    private void AnswerSlowly(Standing standing)
    {
        standing.Begin(once: true);
        bool isFree;
        using (_bed.Enter())
        {
            isFree = _slow is null;
            _slow ??= standing;
        }

        if (!isFree)
        {
            _source.Refused(standing.Inquiry.Request, $"The process is answering another '{standing.Inquiry.Ask}' already. Ask again when that is done.");
            standing.Done(0, 0);
            return;
        }

        Bed.StartThread(
            "Moirai slow inquiry",
            StackSize,
            _ =>
            {
                (string text, bool isRefused) = Work(standing.Inquiry);
                using (_bed.Enter())
                {
                    _slow = null; // before the answer: who has it may ask the next question at once
                }

                Tell(standing.Inquiry, text, isRefused);
                using (_bed.Enter())
                {
                    standing.Done(0, 0);
                    _bed.Call();
                }
            },
            this);
    }

    private void Answer(Inquiry inquiry)
    {
        (string text, bool isRefused) = Work(inquiry);
        Tell(inquiry, text, isRefused);
    }

    private (string Text, bool IsRefused) Work(Inquiry inquiry)
    {
        try
        {
            return (_answer(inquiry), false);
        }
        catch (Exception error) // whatever it was, who asked is told, and the process goes on
        {
            return (error is InvalidOperationException ? error.Message : error.ToString(), true);
        }
    }

    private void Tell(Inquiry inquiry, string text, bool isRefused)
    {
        if (isRefused)
        {
            _source.Refused(inquiry.Request, text);
            return;
        }

        int parts = Math.Max(1, (text.Length + LongestPart - 1) / LongestPart);
        for (int part = 0; part < parts; part++)
        {
            int from = part * LongestPart;
            _source.Answer(inquiry.Request, part, parts, text.Substring(from, Math.Min(LongestPart, text.Length - from)));
        }
    }

    // A question and when it is due. Touched by the desk's thread; a slow one is also written by the thread that answers it, under the bed.
    private sealed class Standing(Inquiry inquiry)
    {
        private readonly long _end = Ground.Clock.CoarseMilliseconds + LongestLease;
        private long _due;
        private bool _begun;
        private bool _answering;
        private bool _once;

        // How long the answer before took: the first one pays for much that later ones find done, and must not make the asker wait.
        private long _before;

        internal Inquiry Inquiry => inquiry;

        internal bool IsNew => !_begun;

        internal bool IsDue(long now) => !_answering && now >= _due;

        internal bool IsOver(long now) => _begun && !_answering && (_once || now >= _end);

        internal void Begin(bool once)
        {
            _once = once;
            _begun = true;
            _answering = true;
        }

        internal void Done(long began, long now)
        {
            _answering = false;
            _due = began + Math.Max(inquiry.Every, Math.Min(now - began, _before) * (RestPerWork + 1));
            _before = now - began;
        }
    }
}
