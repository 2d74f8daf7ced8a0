namespace Moirai.Execution;

/// <summary>How many are at work, and whether somebody watches over them.</summary>
/// <remarks>Whoever begins counts itself and then looks whether it is watched; the watch lets go and then looks whether anybody is at work. Both with a full fence in between, so at
/// least one sees the other, and the exchange lets only one call the watch back.</remarks>
internal struct WatchedCount
{
    private int _active;

    // 1 while the watch is there, or was sent for.
    private int _watched;

    /// <summary>How many are at work. Read by anyone.</summary>
    public readonly int Active => Atomics.Read(in _active);

    /// <summary>One more is at work.</summary>
    /// <returns>True when the caller has to send for the watch.</returns>
    public bool Begin()
    {
        Atomics.Add(ref _active, 1);
        return Atomics.Read(ref _watched) == 0 && Atomics.Exchange(ref _watched, 1) == 0;
    }

    public void End() => Atomics.Add(ref _active, -1);

    /// <summary>The watch goes.</summary>
    /// <returns>True when somebody began in between and the watch has to stay.</returns>
    public bool EndWatch()
    {
        Atomics.Exchange(ref _watched, 0);
        return Active > 0 && Atomics.Exchange(ref _watched, 1) == 0;
    }
}
