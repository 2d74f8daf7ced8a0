using Moirai.Wakers;

namespace Moirai;

/// <summary>A place for the waker of the one task that waits on an operation. Safe from any thread, without a lock.</summary>
/// <remarks>
/// The one that waits registers its waker and <em>then</em> looks whether what it waits for is there; the one that provides puts it there and <em>then</em> wakes. So, whichever comes first,
/// the wake is not lost: it finds the waker, or the one that registers sees all that was written before the wake.
/// <para>It holds one waker. One that is registered by another task takes the place of the first, which is not woken any more: an operation that several tasks wait on needs one of these
/// for each. A waker that is left here when its task goes on or ends does no harm, and keeps nothing of an ended task alive.</para>
/// </remarks>
public sealed class AtomicWaker
{
    // One reference is a whole waker. That keeps this small: to store and to take are one exchange each, nobody ever sees half a registration, and no thread waits for another.
    //
    // Why no wake is lost: all exchanges stand in one order. If the taker's comes after the registrant's, it takes the waker. If it comes before, the registrant's exchange sees it, and
    // with it all that was written before, the taker's condition among it; that is why a taker exchanges even when there is nothing to take. A registrant that finds its own waker stores
    // nothing: whoever takes it does so after that look.
    private WakeTarget? _target;

    /// <summary>Stores <paramref name="waker"/> in place of what is stored. When that wakes the same task already, nothing is stored and nothing is allocated.</summary>
    /// <param name="waker">The waker that a poll function was given.</param>
    /// <exception cref="ArgumentException">It is <c>default</c>, which wakes nobody. What was stored stays.</exception>
    public void Register(in Waker waker)
    {
        if (waker.Target is not { } target)
        {
            throw new ArgumentException("This is default(Waker), which wakes nobody. Register the waker that the poll function was given; to clear the place, call Take.", nameof(waker));
        }

        WakeTarget? stored = Atomics.Read(ref _target);
        if (!ReferenceEquals(stored, target) && stored?.Task != target.Task)
        {
            Atomics.Exchange(ref _target, target);
        }
    }

    /// <summary>Takes the stored waker out and wakes its task; when none is stored, whoever registers next sees what the caller has written before.</summary>
    /// <remarks>The waker is taken: a task that wants to be woken again registers again. Runs no code of the task on the calling thread, and never throws.</remarks>
    public void Wake() => TakeTarget()?.Wake();

    /// <summary>Takes the stored waker out and wakes nobody, for whoever wants to wake later, such as after leaving a lock.</summary>
    /// <returns>The waker; <c>default</c>, whose wake does nothing, when none was stored.</returns>
    public Waker Take() => new(TakeTarget());

    private WakeTarget? TakeTarget() => Atomics.Exchange(ref _target, null);
}
