namespace Moirai.Interleaving.Exploring;

/// <summary>What can be wrong with one use of the seam.</summary>
public enum Flaw
{
    /// <summary>A fence is left out, or what served as one is a mere look and store: what was stored may be seen late by others.</summary>
    NoFence,

    /// <summary>What has to look and store at once looks first and stores afterwards.</summary>
    CheckThenStore,

    /// <summary>A store is forgotten.</summary>
    Forgotten,

    /// <summary>A look is forgotten: zero or null is taken for granted.</summary>
    Blind,

    /// <summary>A look is not repeated: what the thread has seen or stored there before is taken to be there still.</summary>
    Stale,

    /// <summary>A lock is not taken.</summary>
    NoLock,
}

/// <summary>A fault planted in one use of the seam. The model of that place has to catch it.</summary>
/// <param name="Site">Which use: file and member, as in <c>LifecycleWord.TryWake</c>.</param>
/// <param name="Flaw">What is wrong with it.</param>
/// <param name="Thread">Which thread of the model has it; null: all.</param>
internal sealed record Mutant(string Site, Flaw Flaw, string? Thread = null)
{
    /// <summary>Whether any thread came by. A fault that nobody meets proves nothing.</summary>
    public bool WasMet { get; private set; }

    public bool Has(Flaw flaw, string site, ModelThread thread)
    {
        bool has = flaw == Flaw && site == Site && (Thread is null || Thread == thread.Name);
        WasMet |= has;
        return has;
    }

    public override string ToString() => $"{Flaw} in {Site}{(Thread is null ? "" : $" by {Thread}")}";
}
