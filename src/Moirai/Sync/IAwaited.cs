using Moirai.Wakers;

namespace Moirai.Sync;

/// <summary>What a <see cref="SynchronizationPrimitive"/> gives to those who await it with a <see cref="PrimitiveAwaitable{T}"/>.</summary>
internal interface IAwaited<T>
{
    /// <summary>Takes it without waiting. On the waiter's thread.</summary>
    /// <param name="request">What the awaitable was made with.</param>
    /// <param name="result">What was taken.</param>
    /// <returns>False when there is something to wait for, or the primitive is closed: the waiter takes a seat, and is told there.</returns>
    bool TryTake(long request, out T result);

    /// <summary>The wait in the seat has ended, neither by cancellation nor by its token. On the waiter's thread, which alone knows the seat now.</summary>
    /// <returns>What was waited for; throws when it will not come.</returns>
    T Take(WaitNode node, WaitSignal signal, CancellationToken token);
}
