namespace Moirai.Interleaving.Exploring;

/// <summary>A thread of a model, as a run sees it.</summary>
internal sealed class ModelThread(int index, string name, Action body, Crew.Hand hand)
{
    // How many collections there had been when the next place was noted.
    private int _collections;

    public int Index => index;

    public string Name => name;

    public Action Body => body;

    public Crew.Hand Hand => hand;

    public HeldStores Held { get; } = new();

    public bool HasEnded { get; set; }

    /// <summary>It is in code from which no exception comes out.</summary>
    public bool CannotUnwind { get; set; }

    /// <summary>It waits for work, and ends when nobody is left who could make any.</summary>
    public bool IsIdle { get; set; }

    /// <summary>What it is about to do, or waits for.</summary>
    public string Doing { get; set; } = "begins";

    /// <summary>Where its next step touches memory; null when that is nowhere, or not known to the seam.</summary>
    public Place? Next { get; private set; }

    /// <summary>Whether things were moved since it was said where.</summary>
    public bool HasMoved => Next is not null && GC.CollectionCount(0) != _collections;

    /// <summary>When it can go on; null: at once.</summary>
    public Func<bool>? GoesOnWhen { get; set; }

    /// <summary>When its sleep is over, in milliseconds of the run; null when it does not sleep, or for ever.</summary>
    public long? SleepsUntil { get; set; }

    /// <summary>Where it has looked since it last stored something or gave its turn away: if it waits in a loop, it waits for one of these to change.</summary>
    public List<Look> Looks { get; } = [];

    /// <summary>Its next step touches this place.</summary>
    public void IsAboutToTouch<T>(ref readonly T location)
    {
        _collections = GC.CollectionCount(0); // before the look at the place
        Next = Place.Of(in location);
    }

    /// <summary>Its next step touches none.</summary>
    public void IsAboutToTouchNothing() => Next = null;

    /// <summary>Whether its next step meets a store that <paramref name="other"/> holds back: by its own use of the seam, or by what it holds back itself and may let land.</summary>
    public bool Meets(ModelThread other) => (Next is { } place && other.Held.AreAt(place)) || Held.Meet(other.Held);
}
