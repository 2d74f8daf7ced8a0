namespace Moirai.Tests.Sync;

/// <summary>Bad input: awaitables that are default values of their types say what makes them.</summary>
public sealed class UnmadeAwaitableTests
{
    public static TheoryData<string, Action> Unmade => new()
    {
        { "AsyncMutex.LockAsync", static () => default(LeaseAwaitable<MutexLease>).GetAwaiter() },
        { "AsyncSemaphore.AcquireAsync", static () => default(LeaseAwaitable<SemaphoreLease>).GetAwaiter() },
        { "Notify.WaitAsync", static () => default(PrimitiveAwaitable).GetAwaiter() },
        { "Notify.WaitAsync", static () => default(PrimitiveAwaitable<int>).GetAwaiter() },
        { "WithTimeout", static () => default(TimedWait).GetAwaiter() },
        { "WithTimeout", static () => default(TimedWait<int>).GetAwaiter() },
        { "ChannelSender.SendAsync", static () => default(ChannelSendAwaitable<int>).GetAwaiter() },
        { "ChannelSender.ReserveAsync", static () => default(ChannelReserveAwaitable<int>).GetAwaiter() },
        { "ChannelReceiver.ReceiveAsync", static () => default(ChannelReceiveAwaitable<int>).GetAwaiter() },
        { "WatchReceiver.ChangedAsync", static () => default(WatchAwaitable<int>).GetAwaiter() },
        { "AsyncOnce.GetAsync", static () => default(OnceAwaitable<int>).GetAwaiter() },
        { "AsyncOnce.GetAsync", static () => default(OnceAwaitable<int>).AsFuture() },
        { "Interval.NextAsync", static () => default(Interval.TickAwaitable).GetAwaiter() },
    };

    [Theory]
    [MemberData(nameof(Unmade))]
    public void An_awaitable_that_nothing_has_made_says_so(string maker, Action await)
    {
        string message = Should.Throw<InvalidOperationException>(await).Message;
        message.ShouldStartWith("This is default(");
        message.ShouldContain(maker);
    }

    [Fact]
    public void As_a_future_it_says_so_at_the_await() =>
        new World().Fails<InvalidOperationException>(default(LeaseAwaitable<MutexLease>).AsFuture().WithTimeout(TimeSpan.FromSeconds(1))).Message.ShouldContain("AsyncMutex.LockAsync");
}
