using Moirai.Wakers;

namespace Moirai.Tests.Wakers;

/// <summary>A waiter without a task: counts its wakes, and may do something at each.</summary>
internal sealed class CountingTarget(long task) : WakeTarget(new TaskId(task))
{
    private int _wakes;

    public int Wakes => Volatile.Read(ref _wakes);

    public Action? OnWake { get; init; }

    public Waker Waker => new(this);

    internal override void Wake()
    {
        Interlocked.Increment(ref _wakes);
        OnWake?.Invoke();
    }
}
