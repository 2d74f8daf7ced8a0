using Moirai.Ground;

namespace Moirai.Costs.Counting;

/// <summary>The seam as it is where costs are counted: the machine's atomics, and a tally for each thread.</summary>
/// <remarks>Reads and writes that only order are not counted: on the processors that most people have they cost what a plain one costs. A byte that is compared and exchanged is the spin
/// gate's; a test of the seam sees to it that nothing else does that.</remarks>
internal readonly struct CountingAtomics : IAtomics
{
    public static byte Read(ref readonly byte location) => HardwareAtomics.Read(in location);

    public static int Read(ref readonly int location) => HardwareAtomics.Read(in location);

    public static long Read(ref readonly long location) => HardwareAtomics.Read(in location);

    public static bool Read(ref readonly bool location) => HardwareAtomics.Read(in location);

    public static T Read<T>(ref readonly T location)
        where T : class? => HardwareAtomics.Read(in location);

    public static T ReadOwn<T>(ref readonly T location) => location;

    public static void WriteOwn<T>(ref T location, T value) => location = value;

    public static void Write(ref byte location, byte value) => HardwareAtomics.Write(ref location, value);

    public static void Write(ref int location, int value) => HardwareAtomics.Write(ref location, value);

    public static void Write(ref long location, long value) => HardwareAtomics.Write(ref location, value);

    public static void Write(ref bool location, bool value) => HardwareAtomics.Write(ref location, value);

    public static void Write<T>(ref T location, T value)
        where T : class? => HardwareAtomics.Write(ref location, value);

    public static int Exchange(ref int location, int value)
    {
        Tally.CountAtomic();
        return HardwareAtomics.Exchange(ref location, value);
    }

    public static long Exchange(ref long location, long value)
    {
        Tally.CountAtomic();
        return HardwareAtomics.Exchange(ref location, value);
    }

    public static T Exchange<T>(ref T location, T value)
        where T : class?
    {
        Tally.CountAtomic();
        return HardwareAtomics.Exchange(ref location, value);
    }

    public static byte CompareExchange(ref byte location, byte value, byte comparand)
    {
        byte seen = HardwareAtomics.CompareExchange(ref location, value, comparand);
        Tally.CountGate(taken: seen != comparand);
        return seen;
    }

    public static int CompareExchange(ref int location, int value, int comparand)
    {
        Tally.CountAtomic();
        return HardwareAtomics.CompareExchange(ref location, value, comparand);
    }

    public static long CompareExchange(ref long location, long value, long comparand)
    {
        Tally.CountAtomic();
        return HardwareAtomics.CompareExchange(ref location, value, comparand);
    }

    public static T CompareExchange<T>(ref T location, T value, T comparand)
        where T : class?
    {
        Tally.CountAtomic();
        return HardwareAtomics.CompareExchange(ref location, value, comparand);
    }

    public static int Add(ref int location, int value)
    {
        Tally.CountAtomic();
        return HardwareAtomics.Add(ref location, value);
    }

    public static long Add(ref long location, long value)
    {
        Tally.CountAtomic();
        return HardwareAtomics.Add(ref location, value);
    }

    public static void Fence()
    {
        Tally.CountFence();
        HardwareAtomics.Fence();
    }

    public static void SpinOnce(ref SpinWait spinner) => spinner.SpinOnce();
}
