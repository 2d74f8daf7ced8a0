using System.Runtime.CompilerServices;

namespace Moirai.Ground;

/// <summary>The seam over atomic memory: what the few lock-free places do to a word that another thread may be looking at.</summary>
/// <remarks>
/// The product has <see cref="HardwareAtomics"/>, which the compiler inlines to the instruction itself. The tests have one that hands the processor on at each of these calls, and so walks
/// through the interleavings of two or three threads one by one; see docs/decisions/0010-exploring-interleavings.md.
/// <para>The promises are those of the platform: <c>Read</c> acquires, <c>Write</c> releases, everything that reads and writes at once is a full fence. A write followed by a read of another
/// word may be seen in the other order by other threads, unless there is a <see cref="Fence"/> between them.</para>
/// </remarks>
internal interface IAtomics
{
    static abstract byte Read(ref readonly byte location);

    static abstract int Read(ref readonly int location);

    static abstract long Read(ref readonly long location);

    static abstract bool Read(ref readonly bool location);

    static abstract T Read<T>(ref readonly T location)
        where T : class?;

    /// <summary>Reads what nobody but the caller may write now: its owner, or who holds the gate under which it is written. Orders nothing, costs what a field costs.</summary>
    static abstract T ReadOwn<T>(ref readonly T location);

    /// <summary>Writes what nobody but the caller may write now, and others may be looking at: without order, to be published by what comes next.</summary>
    static abstract void WriteOwn<T>(ref T location, T value);

    static abstract void Write(ref byte location, byte value);

    static abstract void Write(ref int location, int value);

    static abstract void Write(ref long location, long value);

    static abstract void Write(ref bool location, bool value);

    static abstract void Write<T>(ref T location, T value)
        where T : class?;

    static abstract int Exchange(ref int location, int value);

    static abstract long Exchange(ref long location, long value);

    static abstract T Exchange<T>(ref T location, T value)
        where T : class?;

    static abstract byte CompareExchange(ref byte location, byte value, byte comparand);

    static abstract int CompareExchange(ref int location, int value, int comparand);

    static abstract long CompareExchange(ref long location, long value, long comparand);

    static abstract T CompareExchange<T>(ref T location, T value, T comparand)
        where T : class?;

    /// <summary>Adds, and gives the sum.</summary>
    static abstract int Add(ref int location, int value);

    /// <inheritdoc cref="Add(ref int, int)"/>
    static abstract long Add(ref long location, long value);

    /// <summary>What was written before is seen by whoever sees what is done after; what is read after is no older than what was written before.</summary>
    static abstract void Fence();

    /// <summary>One turn of a loop that waits for another thread to write.</summary>
    static abstract void SpinOnce(ref SpinWait spinner);
}

/// <summary>The machine's own atomics.</summary>
internal readonly struct HardwareAtomics : IAtomics
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Read(ref readonly byte location) => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Read(ref readonly int location) => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Read(ref readonly long location) => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(ref readonly bool location) => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Read<T>(ref readonly T location)
        where T : class? => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T ReadOwn<T>(ref readonly T location) => location;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WriteOwn<T>(ref T location, T value) => location = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref byte location, byte value) => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref int location, int value) => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref long location, long value) => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref bool location, bool value) => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(ref T location, T value)
        where T : class? => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Exchange(ref int location, int value) => Interlocked.Exchange(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Exchange(ref long location, long value) => Interlocked.Exchange(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exchange<T>(ref T location, T value)
        where T : class? => Interlocked.Exchange(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte CompareExchange(ref byte location, byte value, byte comparand) => Interlocked.CompareExchange(ref location, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CompareExchange(ref int location, int value, int comparand) => Interlocked.CompareExchange(ref location, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long CompareExchange(ref long location, long value, long comparand) => Interlocked.CompareExchange(ref location, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T CompareExchange<T>(ref T location, T value, T comparand)
        where T : class? => Interlocked.CompareExchange(ref location, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Add(ref int location, int value) => Interlocked.Add(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Add(ref long location, long value) => Interlocked.Add(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fence() => Interlocked.MemoryBarrier();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SpinOnce(ref SpinWait spinner) => spinner.SpinOnce();
}
