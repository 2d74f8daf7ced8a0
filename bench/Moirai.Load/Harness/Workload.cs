namespace Moirai.Load.Harness;

/// <summary>Who does the work.</summary>
internal enum Peer
{
    /// <summary>Moirai, with all of its bookkeeping.</summary>
    Moirai,

    /// <summary>The base library alone, as a careful user writes it by hand.</summary>
    Dotnet,
}

/// <summary>One way to do the work of a load, and the size of a run when nobody says otherwise.</summary>
/// <param name="Name">What <c>--variant</c> calls it.</param>
/// <param name="N">The default of <c>--n</c>.</param>
/// <param name="Tasks">The default of <c>--tasks</c>.</param>
/// <param name="IsLocal">Everything runs on one thread.</param>
internal sealed record Variant(string Name, long N, int Tasks = 1, bool IsLocal = false);

/// <summary>How large a pass is.</summary>
internal sealed record LoadArgs(Peer Peer, Variant Variant, long N, int Tasks, TimeSpan Hold)
{
    /// <summary>The size of a warm-up pass: a quarter, so that it takes the same paths (a pool that fills up, say) in less time.</summary>
    public LoadArgs Smaller() => this with
    {
        N = Math.Max(1, N / 4),
        Tasks = Math.Max(Math.Min(Tasks, 2), Tasks / 4),
        Hold = Hold / 10,
    };
}

/// <summary>One work, done by Moirai and by hand.</summary>
internal abstract class Workload(string name, string work, params Variant[] variants)
{
    public string Name { get; } = name;

    /// <summary>What is measured, in one sentence; the help shows it.</summary>
    public string Work { get; } = work;

    /// <summary>The first is the default.</summary>
    public IReadOnlyList<Variant> Variants { get; } = variants;

    /// <summary>Whether <c>--hold</c> says anything here.</summary>
    public virtual bool Holds => false;

    /// <summary>What <c>--tasks</c> says here; null when it would say nothing, and is refused.</summary>
    public virtual string? TasksAre => null;

    /// <summary>Whether the base library can do this work at all, so that there is something to compare.</summary>
    public virtual bool HasPeer => true;

    /// <summary>Why a size makes no sense here; null when it does.</summary>
    public virtual string? Objection(LoadArgs args) => null;

    /// <summary>Runs as a task of <see cref="Pass.Runtime"/>.</summary>
    public abstract Future RunByMoiraiAsync(Pass pass);

    /// <summary>Runs on a pool thread, or on the one thread of a local variant.</summary>
    public abstract Task RunByHandAsync(Pass pass);
}
