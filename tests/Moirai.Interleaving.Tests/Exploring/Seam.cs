// What stands behind the seams of the core here, in the place of src/Moirai/Ground/Seam.cs.
global using Atomics = Moirai.Interleaving.Exploring.ExploredAtomics;
global using Bed = Moirai.Interleaving.Exploring.ExploredBed;

// Where the product trusts itself, the explored code looks: a mutant that breaks that trust is caught, and does not break the process.
global using Unsafe = Moirai.Interleaving.Exploring.CheckedUnsafe;

namespace Moirai.Interleaving.Exploring;

/// <summary>Casts of references that are checked.</summary>
internal static class CheckedUnsafe
{
    public static T As<T>(object? value)
        where T : class? => (T)value!;
}
