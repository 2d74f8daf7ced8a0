namespace Moirai.Diagnostics;

/// <summary>The synchronization primitives that a snapshot has met, in the order in which it met them.</summary>
/// <param name="most">How many are listed.</param>
internal sealed class PrimitiveTable(int most)
{
    private readonly Dictionary<SynchronizationPrimitive, Entry> _met = new(ReferenceEqualityComparer.Instance);
    private readonly List<Entry> _listed = [];
    private Entry? _last;

    /// <summary>How many were met and are not listed, as far as they were counted.</summary>
    internal int NotListed => _met.Count - _listed.Count;

    /// <summary>A task waits for a primitive, or holds it.</summary>
    internal void Met(SynchronizationPrimitive primitive, TimeSpan? waited)
    {
        if (_last is not { } entry || !ReferenceEquals(entry.Primitive, primitive))
        {
            if (!_met.TryGetValue(primitive, out Entry? known))
            {
                _met[primitive] = known = new Entry(primitive, _listed.Count < most ? _listed.Count : null);
                if (known.Place is not null)
                {
                    _listed.Add(known);
                }
            }

            _last = entry = known;
        }

        if (waited is not null && (entry.LongestWait is null || waited > entry.LongestWait))
        {
            entry.LongestWait = waited;
        }
    }

    /// <summary>Where the primitive of a target stands in the list.</summary>
    internal int? PlaceOf(KnownTarget target) =>
        target.Target.Primitive is { } primitive && _met.TryGetValue(primitive, out Entry? entry) ? entry.Place : null;

    internal List<PrimitiveSnapshot> ToSnapshots() => _listed.ConvertAll(static entry =>
    {
        SynchronizationPrimitive primitive = entry.Primitive;
        ManagedTask? owner = primitive.Holder ?? primitive.Blocker;
        return new PrimitiveSnapshot
        {
            Index = entry.Place!.Value,
            Kind = primitive.Kind,
            Name = primitive.Name,
            Owner = owner?.Id,
            OwnerName = owner?.Name,
            Waiting = primitive.Waiting,
            LongestWait = entry.LongestWait,
            Description = primitive.Describe(),
        };
    });

    private sealed class Entry(SynchronizationPrimitive primitive, int? place)
    {
        internal SynchronizationPrimitive Primitive => primitive;

        internal int? Place => place;

        internal TimeSpan? LongestWait { get; set; }
    }
}
