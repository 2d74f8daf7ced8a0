using System.Runtime.CompilerServices;

namespace Moirai.Ground;

/// <summary>What one processor writes at every task, kept apart from its neighbours in memory.</summary>
/// <remarks>
/// Small objects share cache lines with whatever the allocator or the collector has put beside them. If one processor writes such a line at every step, every other one that reads the neighbour, be it the label of a task that never
/// changes, waits some hundred nanoseconds for it at every step too. A line's width of nothing on both sides keeps that away: here what comes before the fields of the derived class, and there a <see cref="CacheLine"/> as the last field.
/// <para>The runtime lays out the fields of a base class before those of the derived one, and structs after the other fields of their class.</para>
/// </remarks>
internal abstract class Isolated
{
#pragma warning disable IDE0051, IDE0044, CS0169, S1144 // it is there to be there
    private CacheLine _before;
#pragma warning restore IDE0051, IDE0044, CS0169, S1144
}

/// <summary>As many bytes as a cache line has, which nobody uses.</summary>
[InlineArray(8)]
internal struct CacheLine
{
    private long _first;
}
