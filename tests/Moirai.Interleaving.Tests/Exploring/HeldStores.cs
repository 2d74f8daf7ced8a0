using Memory = System.Runtime.CompilerServices.Unsafe;

namespace Moirai.Interleaving.Exploring;

/// <summary>The stores of one thread that other threads do not see yet, oldest first: a store buffer.</summary>
/// <remarks>When the garbage collector has moved things the run has to be repeated.</remarks>
internal sealed class HeldStores
{
    private readonly Queue<Store> _stores = new();

    // How many collections there had been when the oldest was remembered.
    private int _collections;

    public bool Any => _stores.Count > 0;

    /// <summary>Whether another thread has come by one of them and has not seen it. As long as none has, the stores might as well have been seen at once.</summary>
    public bool WereMissed { get; set; }

    public bool HaveMoved => Any && GC.CollectionCount(0) != _collections;

    public void Add<T>(ref T location, T value)
    {
        if (!Any)
        {
            _collections = GC.CollectionCount(0); // before the look at the place
        }

        _stores.Enqueue(new Store<T>(Place.Of(ref location), value));
    }

    /// <summary>What this thread itself sees at a place.</summary>
    public bool TryFind<T>(ref readonly T location, out T value)
    {
        bool found = false;
        value = default!;
        foreach (Store store in _stores)
        {
            if (store is Store<T> typed && typed.Place == Place.Of(in location))
            {
                value = typed.Value;
                found = true;
            }
        }

        return found;
    }

    public bool AreAt(Place place)
    {
        foreach (Store store in _stores)
        {
            if (store.Place == place)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether these and others are for the same place.</summary>
    public bool Meet(HeldStores others)
    {
        foreach (Store store in _stores)
        {
            if (others.AreAt(store.Place))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether somebody who waits until something else is where he has looked goes on when these are seen.</summary>
    public bool Outdate(List<Look> looks)
    {
        foreach (Store store in _stores)
        {
            if (looks.Exists(store.Outdates))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Lets others see the oldest.</summary>
    /// <param name="place">Where it was for.</param>
    /// <returns>False when its place was moved.</returns>
    public bool TryLandOne(out Place place)
    {
        Store store = _stores.Dequeue();
        place = store.Place;
        return store.TryLand(_collections);
    }

    private abstract class Store(Place place)
    {
        public Place Place => place;

        public abstract bool TryLand(int collections);

        public abstract bool Outdates(Look look);
    }

    private sealed class Store<T>(Place place, T value) : Store(place)
    {
        public T Value => value;

        public override bool TryLand(int collections)
        {
            ref T location = ref Place.Reference<T>();
            if (GC.CollectionCount(0) != collections)
            {
                return false;
            }

            location = value; // not moved before it became a reference; from then on the collector keeps it right
            return true;
        }

        public override bool Outdates(Look look) => look.Place == Place && !(look is Look<T> same && EqualityComparer<T>.Default.Equals(same.Seen, value));
    }
}

/// <summary>A place in memory, as its distance from a pinned object: good until the garbage collector moves things.</summary>
internal readonly record struct Place(nint Distance)
{
    private static readonly byte[] s_origin = GC.AllocateArray<byte>(1, pinned: true);

    public static Place Of<T>(ref readonly T location) =>
        new(Memory.ByteOffset(ref s_origin[0], ref Memory.As<T, byte>(ref Memory.AsRef(in location))));

    public ref T Reference<T>() => ref Memory.As<byte, T>(ref Memory.AddByteOffset(ref s_origin[0], Distance));
}

/// <summary>What a thread has seen at a place when it looked.</summary>
internal abstract class Look(Place place)
{
    public Place Place => place;

    /// <summary>Whether something else is there now. True also when things were moved since, and nobody can tell: the asker asks for that next.</summary>
    /// <param name="collections">How many collections there had been when the run began.</param>
    public abstract bool IsOutdated(int collections);
}

/// <inheritdoc cref="Look"/>
internal sealed class Look<T>(Place place, T seen) : Look(place)
{
    public T Seen => seen;

    public override bool IsOutdated(int collections)
    {
        // Not read before it is a reference, which the collector keeps right: a place from before a collection may be no memory any more.
        ref T location = ref Place.Reference<T>();
        return GC.CollectionCount(0) != collections || !EqualityComparer<T>.Default.Equals(location, seen);
    }
}
