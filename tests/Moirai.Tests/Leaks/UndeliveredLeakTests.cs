using System.Runtime.CompilerServices;

namespace Moirai.Tests.Leaks;

/// <summary>Nothing that was on its way is lost with its channel: an element that could never be sent goes to the hook for undelivered elements, once, when the channel and its sender are lost together.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class UndeliveredLeakTests
{
    private readonly World _world = new(static options => options.Deadlocks = DeadlockPolicy.Off);
    private readonly List<int> _undelivered = [];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Leak_AnElementOfASenderThatIsLostWithItsChannelIsToldAsUndelivered(bool plain)
    {
        ManagedTask sender = Begin(plain);

        LeakReport report = await _world.Runtime.FindLeaksAsync();

        report.IsClean.ShouldBeTrue("the channel tells its sender by itself");
        Eventually.Is(
            () =>
            {
                _world.Run();
                return sender.HasLeft;
            },
            TimeSpan.FromSeconds(20)).ShouldBeTrue();
        sender.Exception.ShouldBeOfType<ChannelClosedException>();
        _undelivered.Count(static element => element == 2).ShouldBe(1);
        _world.ShouldBeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ManagedTask Begin(bool plain)
    {
        ManagedTask sender = plain
            ? _world.Runtime.SpawnDetached(async Task (_) => await FillOwnAsync().ConfigureAwait(false), "sender")
            : _world.Spawn(async _ => await FillOwnFutureAsync(), "sender");
        _world.Run();
        return sender;
    }

    private async Task FillOwnAsync()
    {
        var channel = new AsyncChannel<int>(1, undelivered: _undelivered.Add);
        await channel.Sender.SendAsync(1);
        await channel.Sender.SendAsync(2);
        GC.KeepAlive(channel);
    }

    private async Future FillOwnFutureAsync()
    {
        var channel = new AsyncChannel<int>(1, undelivered: _undelivered.Add);
        await channel.Sender.SendAsync(1);
        await channel.Sender.SendAsync(2);
        GC.KeepAlive(channel);
    }
}
