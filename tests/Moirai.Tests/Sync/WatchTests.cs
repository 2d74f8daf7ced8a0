using System.Runtime.CompilerServices;

namespace Moirai.Tests.Sync;

/// <summary>A value that others watch.</summary>
public sealed class WatchTests
{
    [Fact]
    public void S165_the_last_value_before_the_end_is_seen_once_then_the_end()
    {
        var world = new World();
        var sender = new WatchSender<int>(0, "price");
        WatchReceiver<int> receiver = sender.NewReceiver();
        receiver.HasChanged.ShouldBeFalse();
        sender.Send(1);
        sender.Send(2);
        sender.Complete();
        receiver.HasChanged.ShouldBeTrue();
        world.Run(See(receiver)).ShouldBe(2);
        ChannelClosedException error = world.Fails<ChannelClosedException>(SeeOnce(receiver));
        error.Channel.ShouldBe("price");
        error.Message.ShouldStartWith("Watch 'price' has nothing more to give: it was completed by plain code");
        receiver.Value.ShouldBe(2);
        sender.NewReceiver().HasChanged.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S165_also_for_one_who_waited_when_it_was_sent()
    {
        var world = new World();
        var sender = new WatchSender<int>(0, "price");
        ManagedTask watcher = world.Start(Watch(world, sender.NewReceiver()));
        watcher.DescribeWait().ShouldBe("watch 'price', open (1 waiting)");
        sender.Send(1);
        sender.Complete(new FormatException("as planned"));
        world.Run();
        world.Trace.ShouldBe(["1"]);
        watcher.Exception.ShouldBeOfType<ChannelClosedException>().InnerException.ShouldBeOfType<FormatException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S165_marks_say_what_was_seen()
    {
        var world = new World();
        var sender = new WatchSender<int>(7, "price");
        WatchReceiver<int> receiver = sender.NewReceiver();
        receiver.MarkChanged();
        receiver.HasChanged.ShouldBeTrue();
        world.Run(See(receiver)).ShouldBe(7);
        receiver.HasChanged.ShouldBeFalse();
        sender.Send(8);
        receiver.Value.ShouldBe(8);
        receiver.HasChanged.ShouldBeTrue(); // a look is not a sight
        receiver.MarkUnchanged();
        receiver.HasChanged.ShouldBeFalse();
        ManagedTask watcher = world.Start(Watch(world, receiver));
        watcher.State.ShouldBe(TaskState.Blocked);
        sender.Complete();
        world.Run();
        watcher.Exception.ShouldBeOfType<ChannelClosedException>();
        world.Trace.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S165_a_change_that_throws_tells_nobody()
    {
        var world = new World();
        var sender = new WatchSender<int>(1, "price");
        WatchReceiver<int> receiver = sender.NewReceiver();
        ManagedTask watcher = world.Start(Watch(world, receiver));
        Should.Throw<FormatException>(() => sender.Modify(static _ => throw new FormatException("as planned")));
        receiver.HasChanged.ShouldBeFalse();
        world.Run();
        watcher.State.ShouldBe(TaskState.Blocked);
        sender.Modify(static value => value + 1);
        world.Run();
        world.Trace.ShouldBe(["2"]);
        watcher.Cancel();
        GC.KeepAlive(sender);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S165_twin_a_change_that_throws_and_tells_all_the_same_is_caught()
    {
        var sender = new WatchSender<int>(1, "price");
        WatchReceiver<int> receiver = sender.NewReceiver();
        Should.Throw<FormatException>(() => sender.Modify(value =>
        {
            sender.Send(value);
            throw new FormatException("as planned");
        }));
        Should.Throw<ShouldAssertException>(() => receiver.HasChanged.ShouldBeFalse());
    }

    [Fact]
    public void All_who_watch_see_the_last_value_and_may_miss_others()
    {
        var world = new World();
        var sender = new WatchSender<int>(0, "price");
        ManagedTask[] watchers = [.. Enumerable.Range(0, 3).Select(_ => world.Start(Watch(world, sender.NewReceiver())))];
        sender.Waiting.ShouldBe(3);
        world.Census.Waiters.ShouldBe(3);
        sender.Send(1);
        sender.Send(2);
        world.Run();
        world.Trace.ShouldBe(["2", "2", "2"]);
        watchers[0].Cancel();
        sender.Waiting.ShouldBe(2);
        sender.Dispose();
        world.Run();
        watchers.Count(static task => task.State == TaskState.Failed).ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Changes_from_many_threads_are_all_made_and_plain_code_sees_the_last()
    {
        var sender = new WatchSender<int>(0, "price");
        WatchReceiver<int> receiver = sender.NewReceiver();
        Task<int> watcher = WatchAsync();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < 1_000; i++)
            {
                sender.Modify(static value => value + 1);
            }
        })));
        sender.Complete();
        (await watcher).ShouldBe(4_000);

        async Task<int> WatchAsync()
        {
            int last = 0;
            try
            {
                while (true)
                {
                    int next = await receiver.ChangedAsync(TestContext.Current.CancellationToken);
                    next.ShouldBeGreaterThan(last);
                    last = next;
                }
            }
            catch (ChannelClosedException)
            {
                return last;
            }
        }
    }

    [Fact]
    public void Bad_input_is_refused_by_name()
    {
        Should.Throw<ArgumentNullException>(() => new WatchSender<int>(0, null!));
        var sender = new WatchSender<int>(0, "price");
        Should.Throw<ArgumentNullException>(() => sender.Modify(null!));
        sender.Complete();
        sender.IsClosed.ShouldBeTrue();
        sender.TryComplete().ShouldBeFalse();
        Should.Throw<ChannelClosedException>(() => sender.Complete()).Message.ShouldContain("Watch 'price' cannot be completed again");
        Should.Throw<ChannelClosedException>(() => sender.Send(1)).Message.ShouldContain("Watch 'price' takes nothing more");
        Should.Throw<ChannelClosedException>(() => sender.Modify(static value => value));
        sender.Value.ShouldBe(0);
    }

    [Fact]
    public void Who_watches_is_told_when_the_sender_is_lost()
    {
        var world = new World();
        ManagedTask watcher = LoseSender(world, kept: null);
        Collect(world, watcher);
        watcher.Exception.ShouldBeOfType<ChannelClosedException>().Message.ShouldContain("its sender is lost");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Twin_a_sender_that_somebody_keeps_is_not_lost()
    {
        var world = new World();
        List<object> kept = [];
        ManagedTask watcher = LoseSender(world, kept);
        Collect(world, watcher);
        watcher.IsEnded.ShouldBeFalse();
        ((IDisposable)kept[0]).Dispose();
        world.Run();
        watcher.IsEnded.ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    private static void Collect(World world, ManagedTask watcher)
    {
        for (int i = 0; i < 5 && !watcher.IsEnded; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            world.Run();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask LoseSender(World world, List<object>? kept)
    {
        var sender = new WatchSender<int>(0, "price");
        kept?.Add(sender);
        ManagedTask watcher = world.Start(Watch(world, sender.NewReceiver()));
        sender.Waiting.ShouldBe(1);
        return watcher;
    }

    private static async Future<int> See(WatchReceiver<int> receiver) => await receiver.ChangedAsync();

    private static async Future SeeOnce(WatchReceiver<int> receiver) => await receiver.ChangedAsync();

    private static Func<CancellationToken, Future> Watch(World world, WatchReceiver<int> receiver) => async _ =>
    {
        while (true)
        {
            world.Log($"{await receiver.ChangedAsync()}");
        }
    };
}
