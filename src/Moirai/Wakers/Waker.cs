using Moirai.Wakers;

namespace Moirai;

/// <summary>What a leaf operation keeps in order to wake the task that waits on it.</summary>
/// <remarks>
/// A small value, safe to copy and to use from any thread. Its identity is the identity of the waiting task: two wakers are equal exactly when they wake the same
/// task, wherever and however they were made. So a waker that is kept from one wait of a task serves the next one too, and the price is that an old one may let
/// a later wait look once in vain. It wakes only what polls (<see cref="Future.FromPoll(Func{Waker, bool}, string?)"/> and its kin), never a delay, a join or a slot. Waking a task that
/// does not wait, or that has ended, does nothing, for ever; a kept waker keeps nothing of an ended task alive. <see cref="AtomicWaker"/> is the place to keep one.
/// </remarks>
public readonly struct Waker : IEquatable<Waker>
{
    internal Waker(WakeTarget? target) => Target = target;

    /// <summary>The task that is woken; 0 for <c>default</c>, which wakes nobody.</summary>
    public TaskId Task => Target?.Task ?? default;

    internal WakeTarget? Target { get; }

    /// <summary>Lets the waiting operation look again. Waking twice before it looks is waking once. Never runs code of the task on the calling thread, and never throws.</summary>
    public void Wake() => Target?.Wake();

    /// <summary>Whether this wakes the task that <paramref name="other"/> wakes: if so, there is no need to store the other in its place.</summary>
    public bool WillWake(in Waker other) => Equals(other);

    /// <inheritdoc cref="WillWake"/>
    public bool Equals(Waker other) => ReferenceEquals(Target, other.Target) || (Target is { } own && other.Target is { } theirs && own.Task == theirs.Task);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Waker other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Task.GetHashCode();

    /// <summary>Which task it wakes: <c>waker of #17</c>.</summary>
    public override string ToString() => Target is { } target ? $"waker of {target.Task}" : "waker of nobody";

    /// <inheritdoc cref="WillWake"/>
    public static bool operator ==(Waker left, Waker right) => left.Equals(right);

    /// <summary>Whether they wake different tasks.</summary>
    public static bool operator !=(Waker left, Waker right) => !left.Equals(right);
}
