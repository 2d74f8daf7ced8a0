using Moirai.Futures;

namespace Moirai;

/// <content>Leaf futures made of a poll function.</content>
public readonly partial struct Future
{
    /// <summary>A leaf future of your own: <paramref name="poll"/> is asked whether the operation is done; when it is not, it has stored the waker it
    /// was given, and is asked again after that was woken.</summary>
    /// <param name="poll">Asked as a part of the task that awaits, by one thread at a time, and never again once it has said yes or thrown; must not block. It may be asked
    /// without having been woken.</param>
    /// <param name="waitingFor">What it waits for, for messages: <c>data on socket 5</c>.</param>
    /// <remarks>
    /// Store the waker before looking at the condition, so that no wake is lost: <see cref="AtomicWaker"/> is made for that. It is the same waker each time, and in every such wait of the task.
    /// <para>What the function throws is what the await throws. A cancellation point: when the task is canceled while it waits, the function is not asked again. Like every future it runs once: a second
    /// task that awaits it gets an <see cref="InvalidOperationException"/>, and the first goes on undisturbed.</para>
    /// </remarks>
    public static Future FromPoll(Func<Waker, bool> poll, string? waitingFor = null)
    {
        ArgumentNullException.ThrowIfNull(poll);
        return FromPoll<Func<Waker, bool>, bool>(poll, static (poll, waker) => Answer(poll(waker)), waitingFor);
    }

    /// <inheritdoc cref="FromPoll(Func{Waker, bool}, string?)"/>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <param name="state">Handed to the function, which then needs no closure.</param>
    /// <param name="poll">Asked as a part of the task that awaits, by one thread at a time, and never again once it has said yes or thrown; must not block. It may be asked
    /// without having been woken.</param>
    /// <param name="waitingFor">What it waits for, for messages.</param>
    public static Future FromPoll<TState>(TState state, Func<TState, Waker, bool> poll, string? waitingFor = null)
    {
        ArgumentNullException.ThrowIfNull(poll);
        return FromPoll<(TState State, Func<TState, Waker, bool> Poll), bool>((state, poll), static (all, waker) => Answer(all.Poll(all.State, waker)), waitingFor);
    }

    /// <inheritdoc cref="FromPoll(Func{Waker, bool}, string?)"/>
    /// <typeparam name="T">What the operation gives.</typeparam>
    public static Future<T> FromPoll<T>(Func<Waker, Poll<T>> poll, string? waitingFor = null)
    {
        ArgumentNullException.ThrowIfNull(poll);
        return FromPoll<Func<Waker, Poll<T>>, T>(poll, static (poll, waker) => poll(waker), waitingFor);
    }

    /// <inheritdoc cref="FromPoll{TState}(TState, Func{TState, Waker, bool}, string?)"/>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <typeparam name="T">What the operation gives.</typeparam>
    public static Future<T> FromPoll<TState, T>(TState state, Func<TState, Waker, Poll<T>> poll, string? waitingFor = null)
    {
        ArgumentNullException.ThrowIfNull(poll);
        return new Future<T>(new FunctionFrame<TState, T>(state, poll, waitingFor));
    }

    private static Poll<bool> Answer(bool isDone) => isDone ? Poll<bool>.Ready(true) : Poll<bool>.Pending;
}
