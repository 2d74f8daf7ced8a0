using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sites;
using Moirai.Wakers;

namespace Moirai.Stories;

/// <summary>Reads the chain of methods that a task is in, from the innermost to its body, while everything runs on. Not safe for two threads: each who tells stories has one of his own, and shares its frames.</summary>
internal sealed class AwaitChain(PlainWalker walker)
{
    /// <summary>In <see cref="Since"/>: not known.</summary>
    internal const int Unknown = -1;

    private const int MostFrames = 64;
    private const int DeepestChain = 10_000;
    private const int MostTries = 4;
    private const int NearTypes = 64;

    private static readonly FrameSnapshot s_more = new(null, "…", null, IsPlain: false) { IsInfrastructure = true };

    private readonly Dictionary<Type, KnownType> _types = [];
    private readonly Dictionary<string, FrameSnapshot> _named = [];

    // What was last said of a method of the platform's that waits.
    private readonly Dictionary<FrameSnapshot, (string Awaited, string Words)> _calls = new(ReferenceEqualityComparer.Instance);

    // Some of the types, by their hash: a crowd is in few methods, but neighbours in different ones.
    private readonly KnownType?[] _near = new KnownType?[NearTypes];

    // What was found on the way through plain code; to be compared with a second look.
    private readonly List<(object Owner, KnownType Type, int State)> _plain = [];

    /// <summary>What was found last, the innermost first.</summary>
    internal List<FrameSnapshot> Frames { get; } = [];

    /// <summary>Since when each of <see cref="Frames"/> has stood where it stands (<see cref="WaitNode.Since"/>); <see cref="Unknown"/> for plain code, of which nobody notes it, and for what runs.</summary>
    internal List<int> Since { get; } = [];

    /// <summary>What the innermost method waits for, when that is not Moirai's: a task, a value task's source, a managed task.</summary>
    internal object? Foreign { get; private set; }

    /// <summary>The platform's method that the user's code has called and that waits now, and what for; null when the user's code waits itself.</summary>
    internal string? ForeignMethod { get; private set; }

    /// <summary>What <see cref="Foreign"/> is, in words.</summary>
    internal string ForeignWords => Foreign is null || PlainWalker.HasEnded(Foreign) ? ForeignNames.Of(Foreign, PlainCodeRuns) : TypeOf(Foreign.GetType(), isPlain: true).Words;

    /// <summary>Whether the innermost method is plain code that some thread executes now, although the task waits for it.</summary>
    internal bool PlainCodeRuns { get; private set; }

    /// <summary>Assemblies of the user's of which no line could be told.</summary>
    internal HashSet<string> WithoutLines { get; } = [];

    /// <summary>Reads the chain of a task. What is found counts only if the task has not moved (<see cref="ManagedTask.IsStill"/>).</summary>
    /// <param name="task">The task.</param>
    /// <param name="sight">Where it was seen.</param>
    /// <param name="all">Whether to go on when the place is found at which the task stands for its user.</param>
    internal void Read(ManagedTask task, in TaskSight sight, bool all = true)
    {
        Forget();
        Frame? leaf = sight.Leaf ?? sight.Running(task);
        if (leaf is null)
        {
            return;
        }

        if (sight.State == TaskState.Blocked)
        {
            object? awaited = leaf.Queue switch
            {
                TaskWait wait => wait.Task,
                IWaitQueue => null,
                _ => leaf.FindAwaited(),
            };
            if (awaited is not null)
            {
                FollowPlain(awaited);
            }
        }

        int count = 0;
        for (Frame? frame = leaf; frame is not null && ++count < DeepestChain; frame = frame.Caller)
        {
            if (frame.IsTransparent)
            {
                continue;
            }

            if (Frames.Count >= MostFrames)
            {
                Frames.Add(s_more);
                Since.Add(Unknown);
                return;
            }

            KnownType known = TypeOf(frame.GetType(), isPlain: false);
            FrameSnapshot found = known.Reader is { } reader ? known.At(reader.State(frame)) : Named(frame.Method);
            Frames.Add(found);
            Since.Add(sight.State == TaskState.Blocked || !ReferenceEquals(frame, leaf) ? frame.Since : Unknown);
            if (!all && found is { IsInfrastructure: false, Site: not null })
            {
                return;
            }
        }
    }

    /// <summary>Lets go of what was read last. For who keeps the reader between two looks: what was awaited is the program's.</summary>
    internal void Forget()
    {
        Frames.Clear();
        Since.Clear();
        Foreign = null;
        ForeignMethod = null;
        PlainCodeRuns = false;
    }

    /// <summary>The frame in which the task stands for its user: the innermost that is the user's own and has a line.</summary>
    internal static FrameSnapshot? SiteOf(IReadOnlyList<FrameSnapshot> frames)
    {
        FrameSnapshot? without = null;
        for (int i = 0; i < frames.Count; i++) // by numbers: asked for each of a million tasks, and an enumerator would be an object
        {
            FrameSnapshot frame = frames[i];
            if (!frame.IsInfrastructure)
            {
                if (frame.Site is not null)
                {
                    return frame;
                }

                without ??= frame;
            }
        }

        return without ?? (frames.Count == 0 ? null : frames[0]);
    }

    // Plain code goes on without its managed task's knowing. So it is looked at twice, and what is the same both times was so in between.
    private void FollowPlain(object awaited)
    {
        bool settled = false;
        for (int tries = 0; tries < MostTries && !settled; tries++)
        {
            object? end = WalkPlain(awaited);
            settled = IsUnchanged();
            Foreign = settled ? end : null;
        }

        PlainCodeRuns = _plain.Count > 0 && (!settled || _plain[^1].State < 0);
        int first = Math.Max(0, _plain.Count - MostFrames);
        for (int i = _plain.Count - 1; i >= first; i--)
        {
            Frames.Add(_plain[i].Type.At(_plain[i].State));
        }

        if (first > 0)
        {
            Frames.Add(s_more);
        }

        while (Since.Count < Frames.Count)
        {
            Since.Add(Unknown);
        }

        int called = Frames.FindIndex(static frame => !frame.IsInfrastructure);
        if (called < 0 && first == 0)
        {
            called = Frames.Count; // all of it is the platform's: a future has called it
        }

        if (called > 0 && Foreign is not ManagedTask)
        {
            ForeignMethod = WordsOfCall(Frames[called - 1], ForeignWords);
        }

        _plain.Clear(); // it holds tasks
    }

    private object? WalkPlain(object awaited)
    {
        _plain.Clear();
        object? next = awaited;
        while (next is not (null or ManagedTask or Frame) && _plain.Count < DeepestChain)
        {
            KnownType known = TypeOf(next.GetType(), isPlain: true);
            if (known.Reader is not { } reader || !walker.Works || PlainWalker.HasEnded(next)) // the platform clears the machine of one that has
            {
                break;
            }

            _plain.Add((next, known, reader.State(next)));
            next = walker.Awaited(reader, next);
        }

        return next is Frame { Owner: { } owner } ? owner : next;
    }

    private bool IsUnchanged()
    {
        for (int i = 0; i < _plain.Count; i++)
        {
            (object owner, KnownType type, int state) = _plain[i];
            if (type.Reader!.State(owner) != state || PlainWalker.HasEnded(owner)) // in this order: one that has ended has no state any more
            {
                return false;
            }
        }

        return true;
    }

    private KnownType TypeOf(Type type, bool isPlain)
    {
        ref KnownType? near = ref _near[RuntimeHelpers.GetHashCode(type) & (NearTypes - 1)];
        if (ReferenceEquals(near?.Owner, type))
        {
            return near;
        }

        if (!_types.TryGetValue(type, out KnownType? known))
        {
            MachineReader? reader = MachineReader.Of(type);
            _types[type] = known = new KnownType(type, reader, isPlain, this);
        }

        return near = known;
    }

    private string WordsOfCall(FrameSnapshot called, string awaited)
    {
        if (!_calls.TryGetValue(called, out (string Awaited, string Words) last) || last.Awaited != awaited)
        {
            _calls[called] = last = (awaited, ForeignNames.OfCall(called, awaited));
        }

        return last.Words;
    }

    // Frames of Moirai's that are no methods, such as polled futures.
    private FrameSnapshot Named(string method)
    {
        if (!_named.TryGetValue(method, out FrameSnapshot? frame))
        {
            _named[method] = frame = new FrameSnapshot(null, method, null, IsPlain: false) { IsInfrastructure = true };
        }

        return frame;
    }

    /// <summary>What is known of objects of one type.</summary>
    private sealed class KnownType(Type owner, MachineReader? reader, bool isPlain, AwaitChain chain)
    {
        private string? _words;
        private MethodSites? _sites;
        private FrameSnapshot?[] _frames = new FrameSnapshot?[4];

        internal Type Owner => owner;

        internal MachineReader? Reader => reader;

        /// <summary>What such an object is called by who awaits it.</summary>
        internal string Words => _words ??= ForeignNames.Of(owner);

        /// <summary>The frame that stands at an await.</summary>
        internal FrameSnapshot At(int state)
        {
            int index = Math.Max(state, -1) + 1; // all that are at no await are one
            if (index >= _frames.Length)
            {
                Array.Resize(ref _frames, Math.Max(index + 1, _frames.Length * 2));
            }

            return _frames[index] ??= Make(state);
        }

        private FrameSnapshot Make(int state)
        {
            MethodSites sites = _sites ??= MethodSites.Of(reader!.Machine);
            string? site = sites.At(state);
            if (site is null && state >= 0 && !sites.IsInfrastructure)
            {
                chain.WithoutLines.Add(reader!.Machine.Assembly.GetName().Name ?? "an assembly without a name");
            }

            return new FrameSnapshot(sites.Type, sites.Method, site, isPlain) { IsInfrastructure = sites.IsInfrastructure };
        }
    }
}
