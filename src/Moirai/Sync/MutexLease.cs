using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sync;

namespace Moirai;

/// <summary>The right to release a mutex, once. Disposing it again, or a copy of it, does nothing.</summary>
/// <remarks>Whoever has the lease may release, in any task and on any thread; <c>default</c> releases nothing. The task that took the mutex answers for it until then.</remarks>
public readonly struct MutexLease : ILease<MutexLease>, IEquatable<MutexLease>
{
    private readonly AsyncMutex? _mutex;
    private readonly long _ticket;

    internal MutexLease(AsyncMutex mutex, long ticket)
    {
        _mutex = mutex;
        _ticket = ticket;
    }

    internal long Ticket => _ticket;

    /// <summary>Releases the mutex.</summary>
    public void Dispose() => _mutex?.Release(_ticket);

    /// <summary>Whether both are the same right.</summary>
    public bool Equals(MutexLease other) => ReferenceEquals(_mutex, other._mutex) && _ticket == other._ticket;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MutexLease other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_mutex, _ticket);

    /// <summary>Whether both are the same right.</summary>
    public static bool operator ==(MutexLease left, MutexLease right) => left.Equals(right);

    /// <summary>Whether they are different rights.</summary>
    public static bool operator !=(MutexLease left, MutexLease right) => !left.Equals(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool ILease<MutexLease>.TryTake(SynchronizationPrimitive from, StepContext? context, long request, string file, int line, out long ticket) =>
        Unsafe.As<AsyncMutex>(from).TryTake((request & ILeased.Owned) != 0 ? context : null, file, line, out ticket);

    static MutexLease ILease<MutexLease>.Of(SynchronizationPrimitive from, long ticket) => new(Unsafe.As<AsyncMutex>(from), ticket);
}
