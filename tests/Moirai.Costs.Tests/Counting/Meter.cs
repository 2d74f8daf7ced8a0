namespace Moirai.Costs.Counting;

/// <summary>Counts what some operations cost, done one after the other on one thread, once what is made only once is there.</summary>
/// <remarks>Ask <see cref="Next"/> before each operation.</remarks>
internal sealed class Meter(Action plant)
{
    /// <summary>How many operations are counted: as many as fill ten pages of a register, so that what comes once a page comes out even.</summary>
    public const int Times = 640;

    /// <summary>How many operations are done in all.</summary>
    public const int All = WarmUps + Times;

    private const int WarmUps = 1_280;

    private int _done = -WarmUps;
    private Tally _begun;
    private Tally _cost;
    private int _thread;

    /// <summary>Whether the counted operations were done on more than one thread: then the cost says nothing.</summary>
    public bool IsTorn { get; private set; }

    /// <summary>What the counted operations cost in all.</summary>
    public Tally Cost => _done > Times ? _cost : throw new InvalidOperationException($"Only {_done} of {Times} operations were begun.");

    /// <returns>Whether there is another one to do.</returns>
    public bool Next()
    {
        if (_done == 0)
        {
            _thread = Environment.CurrentManagedThreadId;
            _begun = Tally.Read();
        }
        else if (_done == Times)
        {
            _cost = Tally.Read() - _begun;
        }

        IsTorn |= _done is >= 0 and <= Times && Environment.CurrentManagedThreadId != _thread;
        if (_done > Times)
        {
            return false; // for others who share the meter
        }

        return _done++ != Times && Planted();
    }

    // What a twin adds to each operation.
    private bool Planted()
    {
        plant();
        return true;
    }
}
