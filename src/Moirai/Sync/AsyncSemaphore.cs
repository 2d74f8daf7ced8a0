using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai;

/// <summary>So many at a time: permits that are awaited, one or several at once, and given back.</summary>
/// <remarks>
/// <c>using (await semaphore.AcquireAsync()) { … }</c>. Taking and giving back allocates nothing while permits are free, and neither does waiting in an <c>async Future</c> method.
/// <para><b>Who is next.</b> Strictly first come first served. Permits that are given back are kept for the head of the line; a large request there holds up the small ones behind
/// it, and nobody gets a permit in passing while anybody waits.</para>
/// <para><b>Who answers for them.</b> The managed task whose code takes permits. Permits count, they guard no state: when that task ends without giving back, they are given back for
/// it, and the operator is told (<see cref="RuntimeEventKind.PermitsReturned"/>). Permits that are to outlive the task that takes them, because the lease is handed to another one, are
/// detached first (<see cref="SemaphoreLease.Detach"/>), or taken with a token, for nobody. To guard state use <see cref="AsyncMutex"/>, which breaks instead.</para>
/// <para><b>Cancellation.</b> A canceled wait takes nothing, and whoever it was in front of goes on if there is enough for it. When a grant and cancellation race, either the waiter has
/// its permits, and its next wait throws, or it never had them.</para>
/// <para>A task may ask again while it has permits, also for the last ones: others may give back its leases. Two that do so may wait for each other. A semaphore that can have one permit and no more is a
/// lock: who asks again while it has the permit gets a <see cref="DeadlockException"/>, and so does whoever closes a ring of tasks with it (<see cref="TaskRuntimeOptions.Deadlocks"/>).</para>
/// </remarks>
public sealed class AsyncSemaphore : PermitPrimitive
{
    /// <summary>Makes a semaphore that never has more permits than at the beginning.</summary>
    /// <param name="permits">How many there are; at least 1.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one.</exception>
    public AsyncSemaphore(int permits, string name = "semaphore")
        : this(permits, permits, name: name)
    {
    }

    /// <summary>Makes a semaphore to which permits can be added.</summary>
    /// <param name="permits">How many there are at the beginning; at least 0.</param>
    /// <param name="maximum">How many there can be; at least 1. No request can be for more.</param>
    /// <param name="maxWaiting">How many may wait at a time; whoever comes then gets a <see cref="WaitQueueFullException"/>. 0: nobody waits.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative number, no maximum, or more permits than that.</exception>
    public AsyncSemaphore(int permits, int maximum, int maxWaiting = int.MaxValue, string name = "semaphore")
        : base(name, permits, maxWaiting)
    {
        if (maximum < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(maximum), maximum, $"Semaphore '{name}' must be able to have at least one permit, or nobody could ever get one.");
        }

        if (permits < 0 || permits > maximum)
        {
            throw new ArgumentOutOfRangeException(nameof(permits), permits, $"Semaphore '{name}' can begin with 0 to {maximum} permits.");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(maxWaiting);
        Maximum = maximum;
        MaxWaiting = maxWaiting;
    }

    /// <summary>How many permits there can be.</summary>
    public int Maximum { get; }

    /// <summary>How many may wait at a time.</summary>
    public int MaxWaiting { get; }

    /// <summary>How many permits there are now, taken or not.</summary>
    public int Permits => Total;

    /// <summary>How many of them nobody has. While somebody waits they are kept for the head of the line.</summary>
    public int Available => Free;

    internal override string Kind => "semaphore";

    private protected override bool RefusesHolders => false;

    private protected override bool HasOnePermit => Maximum == 1;

    /// <summary>Takes one permit when it is this caller's turn: await the result, and dispose what that gives. A cancellation point of the waiting task.</summary>
    /// <param name="file">Filled in by the compiler: where it is taken, for <see cref="DeadlockEdge.AcquiredAt"/>.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <exception cref="WaitQueueFullException">At the await: it would have to wait, and <see cref="MaxWaiting"/> wait already.</exception>
    /// <exception cref="ObjectDisposedException">At the await: it was disposed.</exception>
    public LeaseAwaitable<SemaphoreLease> AcquireAsync([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => new(this, RequestFor(1, isOwned: true), default, file, line);

    /// <summary>Takes several permits, all at once, when it is this caller's turn and there are enough.</summary>
    /// <param name="count">How many; 1 to <see cref="Maximum"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one, or more than there can ever be.</exception>
    /// <inheritdoc cref="AcquireAsync(string, int)"/>
    public LeaseAwaitable<SemaphoreLease> AcquireAsync(int count, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => new(this, RequestFor(Checked(count), isOwned: true), default, file, line);

    /// <summary>As <see cref="AcquireAsync(int, string, int)"/>, for plain code that runs for no task, and for permits that outlive the task: <paramref name="cancellationToken"/> ends the
    /// wait. No task answers for them.</summary>
    /// <param name="cancellationToken">Canceled: the await throws an <see cref="OperationCanceledException"/>, and has taken nothing.</param>
    /// <param name="count">How many; 1 to <see cref="Maximum"/>.</param>
    /// <inheritdoc cref="AcquireAsync(int, string, int)"/>
    public LeaseAwaitable<SemaphoreLease> AcquireAsync(CancellationToken cancellationToken, int count = 1) => new(this, RequestFor(Checked(count), isOwned: false), cancellationToken);

    /// <summary>Takes permits if there are enough and nobody waits.</summary>
    /// <param name="lease">Dispose it to give back.</param>
    /// <param name="count">How many; 1 to <see cref="Maximum"/>.</param>
    /// <param name="file">Filled in by the compiler: where it is taken, for <see cref="DeadlockEdge.AcquiredAt"/>.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <returns>False when there are too few, or somebody waits.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one, or more than there can ever be.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public bool TryAcquire(out SemaphoreLease lease, int count = 1, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        bool taken = TryTakeNow(RequestFor(Checked(count), isOwned: true), file, line, out long ticket);
        lease = taken ? new SemaphoreLease(this, ticket) : default;
        return taken;
    }

    /// <summary>Adds permits, which go to those who wait first. Also after disposal, when nobody gets them any more.</summary>
    /// <param name="count">How many; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one.</exception>
    /// <exception cref="SemaphoreFullException">There would be more than <see cref="Maximum"/>. None is added.</exception>
    public void AddPermits(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (!TryAdd(count, Maximum))
        {
            throw new SemaphoreFullException(
                $"{count} more permits would make more than the {Maximum} that {Describe()} can have; it has {Permits} already, taken or not. "
                + "Permits come back by their leases: add only what you took away, or make the semaphore with a higher maximum.");
        }
    }

    /// <summary>Takes free permits away for good, without waiting for those that are taken.</summary>
    /// <param name="count">How many; at least 1.</param>
    /// <returns>How many there were to take: the smaller one of <paramref name="count"/> and <see cref="Available"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one.</exception>
    public int ForgetPermits(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return ForgetFree(count);
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Describe();

    internal override string Describe()
    {
        string holders = DescribeHolders();
        return $"{Title}, {(IsClosed ? "closed, " : string.Empty)}{Available} of {Permits} free{(holders.Length == 0 ? string.Empty : ", ")}{holders} ({Waiting} waiting)";
    }

    private protected override Exception RefusedError() => new WaitQueueFullException(
        $"No more than {MaxWaiting} may wait for {Describe()}, and this would be one more. Shed the work, or try again later; nothing was taken.", Name, MaxWaiting);

    private int Checked(int count) =>
        count >= 1 && count <= Maximum
            ? count
            : throw new ArgumentOutOfRangeException(nameof(count), count, $"From {Title} one can take 1 to {Maximum} permits at once: there can never be more.");
}

/// <summary>Permits of a semaphore, to be given back once. Disposing it again, or a copy of it, does nothing.</summary>
/// <remarks>Whoever has the lease may give back, in any task and on any thread; <c>default</c> has no permits. The task that took them answers for them until then.</remarks>
public readonly record struct SemaphoreLease : ILease<SemaphoreLease>
{
    private readonly PermitPrimitive? _semaphore;
    private readonly long _ticket;

    internal SemaphoreLease(PermitPrimitive semaphore, long ticket)
    {
        _semaphore = semaphore;
        _ticket = ticket;
    }

    /// <summary>How many permits it still has; 0 when they were given back.</summary>
    public int Permits => _semaphore?.PermitsOf(_ticket) ?? 0;

    /// <summary>Gives back all it still has.</summary>
    public void Dispose() => _semaphore?.Return(_ticket, isExclusive: false);

    /// <summary>Gives back some of its permits and keeps the rest.</summary>
    /// <param name="count">How many; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one.</exception>
    /// <exception cref="SynchronizationLockException">It has fewer. Nothing is given back.</exception>
    public void Release(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (_semaphore?.TryReturnSome(_ticket, count, isForgotten: false) != true)
        {
            throw new SynchronizationLockException($"A lease of {Permits} permits of {_semaphore?.Title ?? "no semaphore"} cannot give back {count}. Give back what was taken, once; to add permits, call AddPermits.");
        }
    }

    /// <summary>Does away with its permits: they are not given back, and the semaphore has that many fewer. For permits that stand for things that are used up.</summary>
    /// <returns>How many it had; 0 when they were given back before.</returns>
    public int Forget()
    {
        int count = Permits;
        while (count > 0 && _semaphore!.TryReturnSome(_ticket, count, isForgotten: true) == false)
        {
            count = Permits; // a copy of the lease was faster
        }

        return count;
    }

    /// <summary>Takes the permits off the hands of the task that took them, so that its end does not give them back: for leases that are handed to something that lives longer.</summary>
    /// <returns>The lease to hand over. This one, and every copy of it, gives back nothing any more, so the <c>using</c> block around it may stay.</returns>
    /// <exception cref="SynchronizationLockException">They were given back before.</exception>
    public SemaphoreLease Detach() =>
        _semaphore?.Detach(_ticket) is > 0 and var ticket
            ? new SemaphoreLease(_semaphore, ticket)
            : throw new SynchronizationLockException($"A lease of {_semaphore?.Title ?? "no semaphore"} that was given back cannot be detached. Detach it while its permits are taken.");

    static bool ILease<SemaphoreLease>.TryTake(SynchronizationPrimitive from, StepContext? context, long request, string file, int line, out long ticket) =>
        Unsafe.As<PermitPrimitive>(from).TryTake(context, request, file, line, out ticket);

    static SemaphoreLease ILease<SemaphoreLease>.Of(SynchronizationPrimitive from, long ticket) => new(Unsafe.As<PermitPrimitive>(from), ticket);
}
