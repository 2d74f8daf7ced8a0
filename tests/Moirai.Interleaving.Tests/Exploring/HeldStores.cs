using System.Runtime.CompilerServices;

namespace Moirai.Interleaving.Exploring;

/// <summary>The stores of one thread that other threads do not see yet, oldest first: a store buffer.</summary>
/// <remarks>A place in memory is remembered as its distance from a pinned object, which is true until the garbage collector moves things. Then the run has to be
/// repeated.</remarks>
internal sealed class HeldStores
{
    private static readonly byte[] s_origin = GC.AllocateArray<byte>(1, pinned: true);

    private readonly Queue<Store> _stores = new();

    // How many collections there had been when the oldest was remembered.
    private int _collections;

    public bool Any => _stores.Count > 0;

    public bool HaveMoved => Any && GC.CollectionCount(0) != _collections;

    public void Add<T>(ref T location, T value)
    {
        if (!Any)
        {
            _collections = GC.CollectionCount(0); // before the look at the place
        }

        _stores.Enqueue(new Store<T>(DistanceOf(ref location), value));
    }

    /// <summary>What this thread itself sees at a place.</summary>
    public bool TryFind<T>(ref readonly T location, out T value)
    {
        bool found = false;
        value = default!;
        foreach (Store store in _stores)
        {
            if (store is Store<T> typed && typed.Distance == DistanceOf(ref Unsafe.AsRef(in location)))
            {
                value = typed.Value;
                found = true;
            }
        }

        return found;
    }

    /// <summary>Lets others see the oldest.</summary>
    /// <returns>False when its place was moved.</returns>
    public bool TryLandOne() => _stores.Dequeue().TryLand(_collections);

    /// <summary>The name of a place until the next collection.</summary>
    public static nint DistanceOf<T>(ref T location) => Unsafe.ByteOffset(ref s_origin[0], ref Unsafe.As<T, byte>(ref location));

    private abstract class Store(nint distance)
    {
        public nint Distance => distance;

        public abstract bool TryLand(int collections);
    }

    private sealed class Store<T>(nint distance, T value) : Store(distance)
    {
        public T Value => value;

        public override bool TryLand(int collections)
        {
            ref T location = ref Unsafe.As<byte, T>(ref Unsafe.AddByteOffset(ref s_origin[0], Distance));
            if (GC.CollectionCount(0) != collections)
            {
                return false;
            }

            location = value; // not moved before it became a reference; from then on the collector keeps it right
            return true;
        }
    }
}
