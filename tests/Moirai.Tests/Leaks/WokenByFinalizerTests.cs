using System.Runtime.CompilerServices;

namespace Moirai.Tests.Leaks;

/// <summary>No false alarm: what the collection of a search itself wakes (the lost end of a one-shot or channel tells the other, a finalizer keeps a promise) goes on, and so do those who wait for it.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class WokenByFinalizerTests
{
    private readonly World _world = new();

    public enum Woken
    {
        OneShot,
        Channel,
        Promise,
    }

    public enum Waits
    {
        Handle,
        AsTask,
        Plain,
        Scope,
        Lock,
        Promise,
        Chain,
    }

    public static TheoryData<Woken, Waits> Pairs
    {
        get
        {
            var data = new TheoryData<Woken, Waits>();
            foreach (Woken woken in Enum.GetValues<Woken>())
            {
                foreach (Waits waits in Enum.GetValues<Waits>())
                {
                    data.Add(woken, waits);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public async Task Leak_WhoWaitsForATaskThatTheCollectionHasWokenIsNotLeaked(Woken woken, Waits waits)
    {
        ManagedTask[] tasks = Begin(woken, waits);

        LeakReport report = await _world.Runtime.FindLeaksAsync();

        report.IsClean.ShouldBeTrue(report.ToString());
        Eventually.Is(
            () =>
            {
                _world.Run();
                return Array.TrueForAll(tasks, static task => task.HasLeft);
            },
            TimeSpan.FromSeconds(20)).ShouldBeTrue($"{_world.Runtime.TakeSnapshot()}");
        tasks.ShouldAllBe(static task => !(task.Exception is LeakedTaskException));
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Leak_ASearchThatHasToProveAgainFindsWhoWaitsForALeakedScopeAllTheSame()
    {
        ManagedTask owner = BeginScope();
        LeakReport report = await _world.Runtime.FindLeaksAsync();
        string.Join(", ", report.Leaks.Select(static leak => leak.Name).Order()).ShouldBe("child, owner", report.ToString());
        _world.RunUntil(owner);
        _world.ShouldBeEmpty();
    }

    // With a channel that is lost at the same time, so that the first proof counts for nothing.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ManagedTask BeginScope()
    {
        _ = new AsyncChannel<int>(1);
        return _world.Start(async token => await _world.Runtime.RunScopeAsync("scope", async scope => { _ = scope.Spawn(AwaitAsync(new TaskCompletionSource().Task), name: "child"); }), "owner");

        static async Future AwaitAsync(Task task) => await task;
    }

    // In a method of its own: what is on the test's stack counts as held.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ManagedTask[] Begin(Woken woken, Waits waits)
    {
        var mutex = new AsyncMutex();
        var promise = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ManagedTask first = _world.Start(_ => WokenAsync(woken, mutex, promise), "woken");
        ManagedTask? between = waits == Waits.Chain ? _world.Start(_ => JoinAsync(first), "between") : null;
        ManagedTask second = waits switch
        {
            Waits.Handle => _world.Start(async _ => await first, "waits"),
            Waits.AsTask => _world.Start(async _ => await first.AsTask(), "waits"),
            Waits.Plain => _world.Runtime.SpawnDetached(async Task (_) => await first, "waits"),
            Waits.Scope => _world.Start(async token => await _world.Runtime.RunScopeAsync("scope", async scope => { _ = scope.Spawn(JoinAsync(first), name: "child"); }), "waits"),
            Waits.Lock => _world.Start(async _ => (await mutex.LockAsync()).Dispose(), "waits"),
            Waits.Promise => _world.Start(async _ => await promise.Task, "waits"),
            _ => _world.Start(_ => JoinAsync(between!), "waits"),
        };
        _world.Run();
        return [first, second];
    }

    private static async Future JoinAsync(ManagedTask task) => await task;

    private static async Future WokenAsync(Woken woken, AsyncMutex mutex, TaskCompletionSource promise)
    {
        using (await mutex.LockAsync())
        {
            try
            {
                await (woken switch
                {
                    Woken.OneShot => ReceiveAsync(OneShot.Create<int>().Receiver),
                    Woken.Channel => TakeAsync(new AsyncChannel<int>(1).Receiver),
                    _ => KeepAsync(new Keeper()),
                });
            }
            finally
            {
                promise.TrySetResult();
            }
        }
    }

    private static async Future ReceiveAsync(OneShotReceiver<int> receiver) => await receiver.ReceiveAsync();

    private static async Future TakeAsync(ChannelReceiver<int> receiver) => await receiver.ReceiveAsync();

    private static async Future KeepAsync(Keeper keeper)
    {
        await keeper.Kept.Task;
        GC.KeepAlive(keeper);
    }

    // Keeps its promise at the last moment.
    private sealed class Keeper
    {
        ~Keeper() => Kept.TrySetResult();

        public TaskCompletionSource Kept { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
