using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Tests.Sync;

/// <summary>What a channel keeps of what was sent, and of ten thousand who waited: nothing. Who waits for an end that is lost is told. What it costs to wait: nothing.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class ChannelLeakTests
{
    [Fact]
    public void S153_ten_thousand_canceled_waits_at_both_ends_leave_the_channel_as_it_was()
    {
        var world = new World();
        int undelivered = 0;
        var (sender, receiver) = new AsyncChannel<int>(1, "orders", _ => undelivered++);
        for (int round = 0; round < 10; round++)
        {
            CancelAll(AsyncChannelTests.ReceiveOnce(receiver), () => receiver.Waiting);
            sender.TrySend(7).ShouldBeTrue();
            CancelAll(AsyncChannelTests.Send(sender, 8), () => sender.Waiting);
            receiver.TryReceive(out int got).ShouldBeTrue();
            got.ShouldBe(7);
        }

        (undelivered, sender.Core.ParkedCount, sender.Count).ShouldBe((5_000, 0, 0));
        world.Census.Canceled.ShouldBe(10_000);
        world.ShouldBeEmpty();

        void CancelAll(Func<CancellationToken, Future> body, Func<int> waiting)
        {
            var tasks = new ManagedTask[500];
            for (int i = 0; i < tasks.Length; i++)
            {
                tasks[i] = world.Spawn(body);
            }

            world.Run();
            waiting().ShouldBe(500);
            foreach (ManagedTask task in tasks)
            {
                task.Cancel();
            }

            waiting().ShouldBe(0);
            world.Run();
        }
    }

    [Theory]
    [InlineData("received")]
    [InlineData("dropped")]
    [InlineData("canceled")]
    public void Elements_are_released(string way)
    {
        var channel = new AsyncChannel<object>(1, "orders");
        Garbage.ShouldBeGone(PassThrough(channel, way));
        GC.KeepAlive(channel);
    }

    [Fact]
    public void Twin_an_element_that_stays_is_caught()
    {
        var channel = new AsyncChannel<object>(1, "orders");
        WeakReference tracked = PassThrough(channel, "kept");
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(channel);
    }

    [Fact]
    public void Who_waits_to_receive_is_told_when_the_sender_is_lost()
    {
        var world = new World();
        ManagedTask task = LoseSender(world, kept: null);
        WaitUntilEnded(world, task);
        task.Exception.ShouldBeOfType<ChannelClosedException>().Message.ShouldBe(
            "Channel 'orders' has nothing more to give: its sender is lost: nobody has it any more, and nobody has completed it. "
            + "Let its owner complete or dispose the sender on every way out, with a using block.");
        world.Trace.ShouldBe(["1", "clean-up"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Twin_a_sender_that_somebody_keeps_is_not_lost()
    {
        var world = new World();
        List<object> kept = [];
        ManagedTask task = LoseSender(world, kept);
        Should.Throw<ShouldAssertException>(() => WaitUntilEnded(world, task));
        task.Cancel();
        GC.KeepAlive(kept);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Who_waits_to_send_is_told_when_the_receiver_is_lost_and_the_hook_gets_all()
    {
        var world = new World();
        using var all = new CountdownEvent(3);
        ManagedTask task = LoseReceiver(world, all, kept: null);
        WaitUntilEnded(world, task);
        task.Exception.ShouldBeOfType<ChannelClosedException>().Message.ShouldStartWith("Channel 'orders' takes nothing more: its receiver is lost");
        all.Wait(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken).ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Twin_a_receiver_that_somebody_keeps_is_not_lost()
    {
        var world = new World();
        using var all = new CountdownEvent(3);
        List<object> kept = [];
        ManagedTask task = LoseReceiver(world, all, kept);
        Should.Throw<ShouldAssertException>(() => WaitUntilEnded(world, task));
        all.CurrentCount.ShouldBe(3);
        ((IDisposable)kept[0]).Dispose();
        world.Run();
        all.CurrentCount.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Twin_a_permit_that_somebody_keeps_is_not_given_back()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        List<object> kept = [];
        LosePermit(world, sender, kept);
        ManagedTask task = world.Start(AsyncChannelTests.Send(sender, 1));
        Should.Throw<ShouldAssertException>(() => WaitUntilEnded(world, task));
        ((IDisposable)kept[0]).Dispose();
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        GC.KeepAlive(receiver);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_permit_that_is_lost_is_given_back()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        LosePermit(world, sender, kept: null);
        ManagedTask task = world.Start(AsyncChannelTests.Send(sender, 1));
        WaitUntilEnded(world, task);
        task.State.ShouldBe(TaskState.Completed);
        receiver.Count.ShouldBe(1);
        GC.KeepAlive(receiver);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Waiting_inside_a_future_allocates_nothing_beyond_its_frame() => WaitsCost(static () => { }).ShouldBe(0);

    [Fact]
    public void Twin_a_seat_for_each_wait_is_caught() =>
        Should.Throw<ShouldAssertException>(() => WaitsCost(static () => GC.KeepAlive(new object())).ShouldBe(0));

    private static void WaitUntilEnded(World world, ManagedTask task)
    {
        for (int i = 0; i < 5 && !task.IsEnded; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            world.Run();
        }

        task.IsEnded.ShouldBeTrue("nobody has told it");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask LoseSender(World world, List<object>? kept)
    {
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        kept?.Add(sender);
        sender.TrySend(1).ShouldBeTrue();
        ManagedTask task = world.Start(ReadAsync(receiver, world));
        receiver.Waiting.ShouldBe(1);
        return task;
    }

    private static Func<CancellationToken, Future> ReadAsync(ChannelReceiver<int> receiver, World world) => async _ =>
    {
        try
        {
            await foreach (int i in receiver)
            {
                world.Log($"{i}");
            }
        }
        finally
        {
            world.Log("clean-up");
        }
    };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask LoseReceiver(World world, CountdownEvent all, List<object>? kept)
    {
        var (sender, receiver) = new AsyncChannel<int>(2, "orders", _ => all.Signal());
        kept?.Add(receiver);
        ManagedTask task = world.Start(SendThreeAsync(sender));
        receiver.Count.ShouldBe(2);
        return task;
    }

    private static Func<CancellationToken, Future> SendThreeAsync(ChannelSender<int> sender) => async _ =>
    {
        for (int i = 0; i < 3; i++)
        {
            await sender.SendAsync(i);
        }
    };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LosePermit(World world, ChannelSender<int> sender, List<object>? kept)
    {
        world.Run(ReserveAsync());
        sender.TrySend(9).ShouldBeFalse();

        async Future ReserveAsync()
        {
            ChannelPermit<int> permit = await sender.ReserveAsync();
            kept?.Add(permit);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference PassThrough(AsyncChannel<object> channel, string way)
    {
        var world = new World();
        var element = new object();
        if (way == "canceled")
        {
            channel.Sender.TrySend("first").ShouldBeTrue();
        }

        ManagedTask task = world.Start(AsyncChannelTests.Send(channel.Sender, element));
        switch (way)
        {
            case "received":
                channel.Receiver.TryReceive(out object? got).ShouldBeTrue();
                got.ShouldBe(element);
                break;
            case "dropped":
                channel.Receiver.Dispose();
                break;
            case "canceled":
                task.Cancel();
                break;
        }

        world.Run();
        return new WeakReference(element);
    }

    /// <summary>What a thousand waits of two tasks cost that pass a number to and fro.</summary>
    /// <remarks>Their frames are written by hand, because a state machine that the JIT has not optimized yet boxes its awaiters.</remarks>
    private static long WaitsCost(Action plant)
    {
        var world = new World();
        var ping = new AsyncChannel<int>(0, "ping");
        var pong = new AsyncChannel<int>(1, "pong");
        int waits = 0;
        long before = 0;
        long after = 0;
        ManagedTask[] tasks =
        [
            world.Runtime.SpawnDetached(new Future(new PassingFrame(ping.Receiver, pong.Sender, 1_000, Note))),
            world.Runtime.SpawnDetached(new Future(new PassingFrame(pong.Receiver, ping.Sender, 1_000, Note))),
        ];
        ManagedTask first = world.Spawn(AsyncChannelTests.Send(ping.Sender, 0));
        world.Run();
        first.State.ShouldBe(TaskState.Completed);
        waits.ShouldBeGreaterThan(1_500);
        foreach (ManagedTask task in tasks)
        {
            task.Cancel();
        }

        world.ShouldBeEmpty();
        GC.KeepAlive(ping);
        GC.KeepAlive(pong);
        return after - before;

        void Note()
        {
            if (++waits == 100)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            plant();
            if (waits == 1_100)
            {
                after = GC.GetAllocatedBytesForCurrentThread();
            }
        }
    }

    /// <summary>Receives, and sends what it got on.</summary>
    private sealed class PassingFrame(ChannelReceiver<int> from, ChannelSender<int> to, int times, Action waited) : Frame
    {
        private ChannelReceiveAwaitable<int>.Awaiter _receive;
        private ChannelSendAwaitable<int>.Awaiter _send;
        private int _at;
        private int _left = times;

        internal override string Method => nameof(PassingFrame);

        internal override void MoveNext()
        {
            try
            {
                while (_left > 0)
                {
                    switch (_at)
                    {
                        case 0:
                            _receive = from.ReceiveAsync().GetAwaiter();
                            _at = 1;
                            if (!_receive.IsCompleted)
                            {
                                waited();
                                Suspend(ref _receive, this);
                                return;
                            }

                            break;
                        case 1:
                            _send = to.SendAsync(_receive.GetResult() + 1).GetAwaiter();
                            _at = 2;
                            if (!_send.IsCompleted)
                            {
                                waited();
                                Suspend(ref _send, this);
                                return;
                            }

                            break;
                        default:
                            _send.GetResult();
                            _at = 0;
                            _left--;
                            break;
                    }
                }

                Return();
            }
            catch (OperationCanceledException canceled)
            {
                Throw(canceled);
            }
        }

        internal override void Release()
        {
            _receive = default;
            _send = default;
        }

        private static void Suspend<TAwaiter>(ref TAwaiter awaiter, Frame frame)
            where TAwaiter : struct, IFrameAwaiter => awaiter.Suspend(frame);
    }
}
