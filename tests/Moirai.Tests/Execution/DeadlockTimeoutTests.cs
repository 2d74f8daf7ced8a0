using static Moirai.Tests.Execution.DeadlockWorld;

namespace Moirai.Tests.Execution;

/// <summary>Row C8: a ring is one although one of its waits has a time limit.</summary>
public sealed class DeadlockTimeoutTests
{
    private readonly DeadlockWorld _ring = new();
    private readonly AsyncMutex _ledger = new("ledger");
    private readonly AsyncMutex _stock = new("stock");

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // then what is limited is a task of its own, and a part of the ring
    public void C8_a_time_limit_excuses_no_ring(bool mayBeAbandoned)
    {
        Func<Future<IDisposable>> limited = () => mayBeAbandoned
            ? TakeAsync(_stock).WithTimeout(TimeSpan.FromHours(1), abandonAfter: TimeSpan.FromMinutes(1))
            : TakeAsync(_stock).WithTimeout(TimeSpan.FromHours(1));
        ManagedTask ship = _ring.Spawn("ship", Lock(_stock), Lock(_ledger));
        ManagedTask reconcile = _ring.Spawn("reconcile", Lock(_ledger), limited);
        _ring.Run();

        DeadlockException error = _ring.Told.ShouldHaveSingleItem();
        reconcile.Exception.ShouldBe(error);
        ship.State.ShouldBe(TaskState.Completed);
        error.Cycle.Count.ShouldBe(mayBeAbandoned ? 3 : 2);
        error.Cycle.Select(static edge => edge.WaitsFor).Take(2).ShouldBe(["mutex 'stock'", "mutex 'ledger'"]);
        _ring.World.ShouldBeEmpty();
    }

    private static async Future<IDisposable> TakeAsync(AsyncMutex mutex) => await mutex.LockAsync();
}
