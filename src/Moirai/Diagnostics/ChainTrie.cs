using Moirai.Execution;

namespace Moirai.Diagnostics;

/// <summary>Keeps each chain of frames once: tasks that stand at the same place share it.</summary>
internal sealed class ChainTrie
{
    /// <summary>The empty chain.</summary>
    internal ChainNode Empty { get; } = new(null, null);

    /// <summary>The chain of these frames.</summary>
    internal ChainNode Of(List<FrameSnapshot> frames)
    {
        ChainNode node = Empty;
        foreach (FrameSnapshot frame in frames)
        {
            node = node.Then(frame);
        }

        return node;
    }
}

/// <summary>A chain: another one, and a frame at its end. And what was last of those who stand there, since neighbours at one place are mostly alike; it does not outlive the taking.</summary>
internal sealed class ChainNode(ChainNode? before, FrameSnapshot? frame)
{
    private Dictionary<FrameSnapshot, ChainNode>? _longer;
    private ChainNode? _last;
    private FrameSnapshot[]? _frames;
    private string? _site;

    /// <summary>All frames, the innermost first.</summary>
    internal IReadOnlyList<FrameSnapshot> Frames => _frames ??= Collect();

    /// <summary>Where a task with this chain stands for its user.</summary>
    internal string? Site => _site ??= Stories.AwaitChain.SiteOf(Frames) is { } site ? site.Site ?? (site.Type is null ? site.Method : $"{site.Type}.{site.Method}") : null;

    /// <summary>The number under which the chain is told; <see cref="ToldTasks.None"/> as long as it is not.</summary>
    internal int Told { get; set; } = ToldTasks.None;

    /// <summary>Since when the methods of the task that was told last have stood here, and the number of that row.</summary>
    internal int[] LastSince { get; set; } = [];

    /// <inheritdoc cref="LastSince"/>
    internal int LastStands { get; set; } = ToldTasks.None;

    /// <summary>Name and spawn site of the task that was told last, and the number of that row.</summary>
    internal TaskLabel? LastLabel { get; set; }

    /// <inheritdoc cref="LastLabel"/>
    internal string? LastName { get; set; }

    /// <inheritdoc cref="LastLabel"/>
    internal int LastNamed { get; set; }

    /// <summary>The group in which the last task here was counted.</summary>
    internal GroupRow? LastRow { get; set; }

    /// <summary>Frames are compared by identity: whoever reads chains makes each once.</summary>
    internal ChainNode Then(FrameSnapshot next)
    {
        if (_last is { } last && ReferenceEquals(last.Own, next))
        {
            return last;
        }

        _longer ??= new Dictionary<FrameSnapshot, ChainNode>(ReferenceEqualityComparer.Instance);
        if (!_longer.TryGetValue(next, out ChainNode? longer))
        {
            _longer[next] = longer = new ChainNode(this, next);
        }

        return _last = longer;
    }

    private FrameSnapshot? Own => frame;

    private ChainNode? Before => before;

    private FrameSnapshot[] Collect()
    {
        var frames = new List<FrameSnapshot>();
        for (ChainNode? node = this; node?.Own is { } own; node = node.Before)
        {
            frames.Add(own);
        }

        frames.Reverse();
        return [.. frames];
    }
}
