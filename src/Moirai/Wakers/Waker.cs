using Moirai.Wakers;

namespace Moirai;

/// <summary>What a leaf operation keeps in order to wake the task that waits on it.</summary>
/// <remarks>
/// A small value, safe to copy and to use from any thread. Its identity is the identity of the waiting task: two wakers are equal exactly when they wake the same
/// task, wherever and however they were made. Waking a task that does not wait, or that has ended, does nothing, for ever; a kept waker
/// keeps nothing of an ended task alive.
/// </remarks>
public readonly struct Waker : IEquatable<Waker>
{
    private readonly WakeTarget? _target;

    internal Waker(WakeTarget target) => _target = target;

    /// <summary>The task that is woken; 0 for <c>default</c>.</summary>
    public TaskId Task => _target?.Task ?? default;

    /// <summary>Lets the waiting operation look again. Waking twice before it looks is waking once.</summary>
    public void Wake() => _target?.Wake();

    /// <summary>Whether this wakes the task that <paramref name="other"/> wakes: if so, there is no need to store the other in its place.</summary>
    public bool WillWake(in Waker other) => Equals(other);

    /// <inheritdoc cref="WillWake"/>
    public bool Equals(Waker other) => Task == other.Task && (_target is null) == (other._target is null);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Waker other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Task.GetHashCode();

    /// <inheritdoc cref="WillWake"/>
    public static bool operator ==(Waker left, Waker right) => left.Equals(right);

    /// <summary>Whether they wake different tasks.</summary>
    public static bool operator !=(Waker left, Waker right) => !left.Equals(right);
}
