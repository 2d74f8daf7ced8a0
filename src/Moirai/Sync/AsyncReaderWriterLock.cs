using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai;

/// <summary>Many read at a time, or one writes: a lock that is awaited, and may be held across awaits.</summary>
/// <remarks>
/// <c>using (await gate.LockReadAsync()) { … }</c>, <c>using (await gate.LockWriteAsync()) { … }</c>. Taking and releasing allocates nothing while the lock is free, and neither does waiting in an
/// <c>async Future</c> method.
/// <para><b>Who is next.</b> Strictly first come first served, readers and writers in one line: a writer waits for those who read, and whoever comes after it waits behind it, also to read.
/// Readers that stand in line next to each other go in together. So neither kind starves the other.</para>
/// <para><b>Down, never up.</b> A write lease can become a read lease (<see cref="WriteLease.Downgrade"/>), with nobody writing in between. A read lease cannot become a write lease: two that
/// tried would wait for each other. A task that has a lease and would have to wait for another one of the same lock gets a <see cref="LockRecursionException"/> instead of waiting for itself.</para>
/// <para><b>Who holds it.</b> The managed task whose code takes it; plain code has no identity. A task that ends while it writes breaks the lock: what it guards may be half changed, so
/// those who wait, and whoever comes later, get a <see cref="BrokenSynchronizationException"/> with the task's name. A reader changes nothing: what it has not released is
/// released for it when it ends, and the operator is told (<see cref="RuntimeEventKind.PermitsReturned"/>).</para>
/// <para><b>Cancellation.</b> A canceled wait takes nothing, and whoever stood behind it moves up: readers behind a canceled writer go in at once. When a release and cancellation race, either the
/// waiter has the lock, and its next wait throws, or it never had it.</para>
/// </remarks>
public sealed class AsyncReaderWriterLock : PermitPrimitive
{
    /// <summary>Makes a free lock for any number of readers.</summary>
    /// <param name="name">What messages call it.</param>
    public AsyncReaderWriterLock(string name = "lock")
        : this(int.MaxValue, name)
    {
    }

    /// <summary>Makes a free lock.</summary>
    /// <param name="maxReaders">How many may read at a time; at least 1.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one reader.</exception>
    public AsyncReaderWriterLock(int maxReaders, string name = "lock")
        : base(name, maxReaders, int.MaxValue)
    {
        if (maxReaders < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(maxReaders), maxReaders, $"Reader-writer lock '{name}' needs room for at least one reader; use AsyncMutex when nobody only reads.");
        }
    }

    /// <summary>How many may read at a time.</summary>
    public int MaxReaders => Total;

    /// <summary>How many read now.</summary>
    public int Readers => IsWriteLocked ? 0 : Total - Free;

    /// <summary>Whether somebody writes now.</summary>
    public bool IsWriteLocked => IsTakenAlone;

    internal override string Kind => "reader-writer lock";

    private protected override bool RefusesHolders => true;

    /// <summary>Takes the lock for reading, when it is this caller's turn: await the result, and dispose what that gives. A cancellation point of the waiting task.</summary>
    /// <param name="file">Filled in by the compiler: where it is taken, for <see cref="DeadlockEdge.AcquiredAt"/>.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <exception cref="LockRecursionException">At the await: the current task holds a lease of it, and would have to wait.</exception>
    /// <exception cref="BrokenSynchronizationException">At the await: a writer has ended without releasing.</exception>
    /// <exception cref="ObjectDisposedException">At the await: it was disposed.</exception>
    public LeaseAwaitable<ReadLease> LockReadAsync([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => new(this, RequestFor(1, isOwned: true), default, file, line);

    /// <summary>As <see cref="LockReadAsync(string, int)"/>, for plain code that runs for no task: <paramref name="cancellationToken"/> ends the wait. No holder is put down.</summary>
    /// <param name="cancellationToken">Canceled: the await throws an <see cref="OperationCanceledException"/>, and has taken nothing.</param>
    /// <inheritdoc cref="LockReadAsync(string, int)"/>
    public LeaseAwaitable<ReadLease> LockReadAsync(CancellationToken cancellationToken) => new(this, RequestFor(1, isOwned: false), cancellationToken);

    /// <summary>Takes the lock for writing, alone, when it is this caller's turn: await the result, and dispose what that gives. A cancellation point of the waiting task.</summary>
    /// <inheritdoc cref="LockReadAsync(string, int)"/>
    public LeaseAwaitable<WriteLease> LockWriteAsync([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => new(this, RequestFor(Total, isOwned: true, isExclusive: true), default, file, line);

    /// <summary>As <see cref="LockWriteAsync(string, int)"/>, for plain code that runs for no task: <paramref name="cancellationToken"/> ends the wait. No holder is put down.</summary>
    /// <inheritdoc cref="LockReadAsync(CancellationToken)"/>
    public LeaseAwaitable<WriteLease> LockWriteAsync(CancellationToken cancellationToken) => new(this, RequestFor(Total, isOwned: false, isExclusive: true), cancellationToken);

    /// <summary>Takes the lock for reading if nobody writes, nobody waits, and there is room for another reader.</summary>
    /// <param name="lease">Dispose it to release.</param>
    /// <param name="file">Filled in by the compiler: where it is taken.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <exception cref="BrokenSynchronizationException">A writer has ended without releasing.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public bool TryLockRead(out ReadLease lease, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        bool taken = TryTakeNow(RequestFor(1, isOwned: true), file, line, out long ticket);
        lease = taken ? new ReadLease(this, ticket) : default;
        return taken;
    }

    /// <summary>Takes the lock for writing if nobody has it.</summary>
    /// <inheritdoc cref="TryLockRead"/>
    public bool TryLockWrite(out WriteLease lease, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        bool taken = TryTakeNow(RequestFor(Total, isOwned: true, isExclusive: true), file, line, out long ticket);
        lease = taken ? new WriteLease(this, ticket) : default;
        return taken;
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Describe();

    internal override string Describe()
    {
        string holders = DescribeHolders();
        string state = IsClosed ? "closed" : IsWriteLocked ? "written" : Readers > 0 ? $"read by {Readers}" : "free";
        return $"{Title}, {state}{(holders.Length == 0 ? string.Empty : ", ")}{holders} ({Waiting} waiting)";
    }

    private protected override Exception RefusedError() => new LockRecursionException(
        $"{ManagedTask.Current?.Title} holds a lease of {Describe()} and asks for another one, for which it would have to wait: it could wait for itself for ever. "
        + "Release first and look again at what you read; who will write locks for writing from the start and downgrades.");
}

/// <summary>The right to read, once. Disposing it again, or a copy of it, does nothing.</summary>
/// <remarks>Whoever has the lease may release, in any task and on any thread; <c>default</c> releases nothing. The task that took it answers for it until then.</remarks>
public readonly record struct ReadLease : ILease<ReadLease>
{
    private readonly PermitPrimitive? _lock;
    private readonly long _ticket;

    internal ReadLease(PermitPrimitive @lock, long ticket)
    {
        _lock = @lock;
        _ticket = ticket;
    }

    /// <summary>Reads no more.</summary>
    public void Dispose() => _lock?.Return(_ticket, isExclusive: false);

    static bool ILease<ReadLease>.TryTake(SynchronizationPrimitive from, StepContext? context, long request, string file, int line, out long ticket) =>
        Unsafe.As<PermitPrimitive>(from).TryTake(context, request, file, line, out ticket);

    static ReadLease ILease<ReadLease>.Of(SynchronizationPrimitive from, long ticket) => new(Unsafe.As<PermitPrimitive>(from), ticket);
}

/// <summary>The right to write, once. Disposing it again, or a copy of it, does nothing; neither does disposing it after a downgrade.</summary>
/// <remarks>Whoever has the lease may release, in any task and on any thread; <c>default</c> releases nothing. The task that took it answers for it until then.</remarks>
public readonly record struct WriteLease : ILease<WriteLease>
{
    private readonly PermitPrimitive? _lock;
    private readonly long _ticket;

    internal WriteLease(PermitPrimitive @lock, long ticket)
    {
        _lock = @lock;
        _ticket = ticket;
    }

    /// <summary>Writes no more.</summary>
    public void Dispose() => _lock?.Return(_ticket, isExclusive: true);

    /// <summary>Goes on to read, with nobody writing in between; readers at the head of the line come in.</summary>
    /// <returns>The lease to dispose. This one, and every copy of it, releases nothing any more, so the <c>using</c> block around it may stay.</returns>
    /// <exception cref="SynchronizationLockException">It was released or downgraded before.</exception>
    public ReadLease Downgrade() =>
        _lock?.TryShare(_ticket) == true
            ? new ReadLease(_lock, _ticket)
            : throw new SynchronizationLockException($"A write lease of {_lock?.Title ?? "no lock"} that was released or downgraded cannot be downgraded. Downgrade it once, while it is held.");

    static bool ILease<WriteLease>.TryTake(SynchronizationPrimitive from, StepContext? context, long request, string file, int line, out long ticket) =>
        Unsafe.As<PermitPrimitive>(from).TryTake(context, request, file, line, out ticket);

    static WriteLease ILease<WriteLease>.Of(SynchronizationPrimitive from, long ticket) => new(Unsafe.As<PermitPrimitive>(from), ticket);
}
