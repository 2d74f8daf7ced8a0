namespace Moirai;

/// <summary>Timeouts over what the primitives' methods give. What <see cref="FutureTimeouts"/> says of futures holds for these: when the time is over the wait ends, nothing was taken, and no timer is left.</summary>
/// <remarks>A wait that gives no lease (of a <see cref="Notify"/>, a one-shot, a barrier) has <see cref="PrimitiveAwaitable{T}.WithTimeout"/> of its own, which costs less.</remarks>
public static class PrimitiveTimeouts
{
    /// <summary>Waits for a lease that has to be got in time: <c>using (await mutex.LockAsync().WithTimeout(limit))</c>.</summary>
    /// <param name="wait">The wait.</param>
    /// <param name="within">The time allowed; zero or less looks once, <see cref="Timeout.InfiniteTimeSpan"/> never ends.</param>
    /// <exception cref="TaskTimeoutException">From the await: it was not got in time.</exception>
    public static Future<TLease> WithTimeout<TLease>(this LeaseAwaitable<TLease> wait, TimeSpan within)
        where TLease : struct, ILease<TLease> => wait.AsFuture().WithTimeout(within);

    /// <summary>Sends if there is room in time; otherwise the value was not sent.</summary>
    /// <inheritdoc cref="WithTimeout{TLease}(LeaseAwaitable{TLease}, TimeSpan)"/>
    public static Future WithTimeout<T>(this ChannelSendAwaitable<T> wait, TimeSpan within) => wait.AsFuture().WithTimeout(within);

    /// <summary>Reserves room that has to be free in time.</summary>
    /// <inheritdoc cref="WithTimeout{TLease}(LeaseAwaitable{TLease}, TimeSpan)"/>
    public static Future<ChannelPermit<T>> WithTimeout<T>(this ChannelReserveAwaitable<T> wait, TimeSpan within) => wait.AsFuture().WithTimeout(within);

    /// <summary>Receives what has to come in time; what comes later stays in the channel.</summary>
    /// <inheritdoc cref="WithTimeout{TLease}(LeaseAwaitable{TLease}, TimeSpan)"/>
    public static Future<T> WithTimeout<T>(this ChannelReceiveAwaitable<T> wait, TimeSpan within) => wait.AsFuture().WithTimeout(within);

    /// <summary>Waits for a change that has to come in time.</summary>
    /// <inheritdoc cref="WithTimeout{TLease}(LeaseAwaitable{TLease}, TimeSpan)"/>
    public static Future<T> WithTimeout<T>(this WatchAwaitable<T> wait, TimeSpan within) => wait.AsFuture().WithTimeout(within);

    /// <summary>Waits for a value that has to be made in time. Who makes it goes on, for those who wait longer.</summary>
    /// <inheritdoc cref="WithTimeout{TLease}(LeaseAwaitable{TLease}, TimeSpan)"/>
    public static Future<T> WithTimeout<T>(this OnceAwaitable<T> wait, TimeSpan within) => wait.AsFuture().WithTimeout(within);

    /// <summary>Waits for a tick that has to come in time.</summary>
    /// <inheritdoc cref="WithTimeout{TLease}(LeaseAwaitable{TLease}, TimeSpan)"/>
    public static Future<IntervalTick> WithTimeout(this Interval.TickAwaitable wait, TimeSpan within) => wait.AsFuture().WithTimeout(within);

    /// <summary>Runs a wait that has a limit of its own under another one.</summary>
    /// <inheritdoc cref="WithTimeout{TLease}(LeaseAwaitable{TLease}, TimeSpan)"/>
    public static Future WithTimeout(this TimedWait wait, TimeSpan within) => wait.AsFuture().WithTimeout(within);

    /// <inheritdoc cref="WithTimeout(TimedWait, TimeSpan)"/>
    public static Future<T> WithTimeout<T>(this TimedWait<T> wait, TimeSpan within) => wait.AsFuture().WithTimeout(within);
}
