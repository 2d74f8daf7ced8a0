namespace Moirai.Tests.Sync;

/// <summary>What goes through a channel, in which order, and who waits for what.</summary>
public sealed class AsyncChannelTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1_000)]
    public void Elements_come_out_in_the_order_in_which_they_went_in(int capacity)
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(capacity, "orders");
        List<int> got = [];
        world.Spawn(async _ =>
        {
            using (sender)
            {
                for (int i = 0; i < 500; i++)
                {
                    await sender.SendAsync(i);
                }
            }
        });
        world.Spawn(async _ =>
        {
            await foreach (int i in receiver)
            {
                got.Add(i);
            }
        });
        world.Run();
        got.ShouldBe(Enumerable.Range(0, 500));
        receiver.IsEnded.ShouldBeTrue();
        world.Census.Completed.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_channel_holds_as_many_as_it_was_told_and_senders_go_in_first_come_first_served()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(2, "orders");
        sender.TrySend(0).ShouldBeTrue();
        sender.TrySend(1).ShouldBeTrue();
        sender.TrySend(9).ShouldBeFalse();
        ManagedTask[] senders = [world.Start(Send(sender, 2)), world.Start(Send(sender, 3))];
        (sender.Count, sender.Waiting, sender.Capacity).ShouldBe((2, 2, 2));
        for (int i = 0; i < 4; i++)
        {
            receiver.TryReceive(out int got).ShouldBeTrue();
            got.ShouldBe(i);
            sender.Waiting.ShouldBe(Math.Max(0, 1 - i)); // the first in line is in at once
        }

        receiver.TryReceive(out int _).ShouldBeFalse();
        world.Run();
        senders.ShouldAllBe(task => task.State == TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Receivers_are_served_first_come_first_served_and_nobody_takes_what_one_of_them_was_woken_for()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(4, "orders");
        for (int i = 0; i < 3; i++)
        {
            int me = i;
            world.Start(async _ => world.Log($"{me} got {await receiver.ReceiveAsync()}"));
        }

        receiver.Waiting.ShouldBe(3);
        sender.TrySend(10).ShouldBeTrue();
        sender.TrySend(11).ShouldBeTrue();
        receiver.TryReceive(out int _).ShouldBeFalse(); // they are on their way
        (receiver.Count, receiver.Waiting).ShouldBe((0, 1));
        world.Run();
        sender.TrySend(12).ShouldBeTrue();
        world.Run();
        world.Trace.ShouldBe(["0 got 10", "1 got 11", "2 got 12"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void What_was_promised_takes_no_room()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        ManagedTask task = world.Start(async _ => world.Log($"{await receiver.ReceiveAsync()}"));
        sender.TrySend(1).ShouldBeTrue();
        sender.TrySend(2).ShouldBeTrue();
        sender.TrySend(3).ShouldBeFalse();
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        receiver.TryReceive(out int second).ShouldBeTrue();
        second.ShouldBe(2);
        world.Trace.ShouldBe(["1"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void At_a_rendezvous_nobody_goes_on_alone()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<string>(0, "handshake");
        sender.TrySend("nobody here").ShouldBeFalse();
        ManagedTask first = world.Start(Send(sender, "a"));
        first.State.ShouldBe(TaskState.Blocked);
        receiver.TryReceive(out string? got).ShouldBeTrue();
        got.ShouldBe("a");
        first.State.ShouldBe(TaskState.Ready);
        ManagedTask waiter = world.Start(async _ => world.Log(await receiver.ReceiveAsync()));
        first.State.ShouldBe(TaskState.Completed);
        waiter.State.ShouldBe(TaskState.Blocked);
        sender.TrySend("b").ShouldBeTrue();
        sender.TrySend("c").ShouldBeFalse();
        world.Run();
        world.Trace.ShouldBe(["b"]);
        receiver.Count.ShouldBe(0);
        Should.Throw<InvalidOperationException>(() => sender.ReserveAsync()).Message.ShouldContain("'handshake' has capacity 0");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_census_counts_who_waits_and_each_task_tells_for_what()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        ManagedTask reader = world.Start(async _ => await receiver.ReceiveAsync());
        reader.DescribeWait().ShouldBe("an element of channel 'orders', open, 0 of 1 (0 waiting to send, 1 to receive)");
        sender.TrySend(0).ShouldBeTrue();
        world.Run();
        sender.TrySend(1).ShouldBeTrue();
        ManagedTask writer = world.Start(Send(sender, 2));
        ManagedTask reserver = world.Start(async _ => (await sender.ReserveAsync()).Dispose());
        world.Census.Waiters.ShouldBe(2);
        writer.DescribeWait().ShouldBe("room in channel 'orders', open, 1 of 1 (2 waiting to send, 0 to receive)");
        reserver.DescribeWait().ShouldStartWith("a permit of channel 'orders'");
        receiver.Core.CopyWaiters().ShouldBe([writer, reserver]);
        receiver.TryReceive(out int _).ShouldBeTrue();
        world.Run();
        world.Census.Waiters.ShouldBe(1);
        receiver.TryReceive(out int _).ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_that_is_always_lucky_gives_way_and_loses_nothing()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(10_000, "orders");
        int sent = 0;
        int got = 0;
        world.Spawn(async _ =>
        {
            for (; sent < 1_000; sent++)
            {
                await sender.SendAsync(sent);
            }
        });
        world.Spawn(async _ =>
        {
            sent.ShouldBeInRange(1, 100);
            for (; got < 1_000; got++)
            {
                (await receiver.ReceiveAsync()).ShouldBe(got);
            }
        });
        world.Run();
        (sent, got).ShouldBe((1_000, 1_000));
        receiver.Core.ParkedCount.ShouldBe(0);
        world.Census.Failed.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_permit_keeps_room_until_it_is_used_or_given_back()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        ChannelPermit<int>? permit = null;
        world.Run(ReserveAsync());
        sender.TrySend(9).ShouldBeFalse();
        sender.ToString().ShouldBe("channel 'orders', open, 0 of 1 and 1 reserved (0 waiting to send, 0 to receive)");
        ManagedTask next = world.Start(Send(sender, 2));
        ManagedTask reader = world.Start(async _ => world.Log($"{await receiver.ReceiveAsync()}, {await receiver.ReceiveAsync()}"));
        permit!.Send(1);
        world.Run();
        world.Trace.ShouldBe(["1, 2"]);
        Should.Throw<InvalidOperationException>(() => permit.Send(3)).Message.ShouldContain("has served or was given back");
        permit.Dispose();
        world.Run(ReserveAsync());
        sender.TrySend(9).ShouldBeFalse();
        permit.Dispose();
        permit.Dispose();
        sender.TrySend(9).ShouldBeTrue();
        (next.State, reader.State).ShouldBe((TaskState.Completed, TaskState.Completed));
        world.ShouldBeEmpty();

        async Future ReserveAsync() => permit = await sender.ReserveAsync();
    }

    [Fact]
    public void A_wait_can_be_put_under_a_timeout()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        ManagedTask<int> reader = world.Spawn(async _ => await receiver.ReceiveAsync().WithTimeout(TimeSpan.FromSeconds(1)));
        world.Run();
        world.Advance(1);
        reader.Exception.ShouldBeOfType<TaskTimeoutException>().Message.ShouldContain("an element of channel 'orders', open, 0 of 1");
        sender.TrySend(1).ShouldBeTrue();
        ManagedTask writer = world.Start(async _ => await sender.SendAsync(2).WithTimeout(TimeSpan.FromSeconds(1)));
        world.Advance(1);
        writer.Exception.ShouldBeOfType<TaskTimeoutException>().Message.ShouldContain("room in channel 'orders'");
        (sender.Waiting, receiver.Waiting, receiver.Core.ParkedCount).ShouldBe((0, 0, 0));
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_sends_receives_and_enumerates()
    {
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        Task writer = WriteAsync();
        List<int> got = [];
        await foreach (int i in receiver.ReceiveAllAsync(TestContext.Current.CancellationToken))
        {
            got.Add(i);
        }

        await writer;
        got.ShouldBe(Enumerable.Range(0, 200));

        async Task WriteAsync()
        {
            using (sender)
            {
                for (int i = 0; i < 200; i++)
                {
                    if ((i & 1) == 0)
                    {
                        await sender.SendAsync(i, TestContext.Current.CancellationToken);
                    }
                    else
                    {
                        (await sender.ReserveAsync(TestContext.Current.CancellationToken)).Send(i);
                    }
                }
            }
        }
    }

    [Fact]
    public async Task Plain_code_goes_on_where_it_came_from()
    {
        var context = new Posted();
        var (sender, receiver) = new AsyncChannel<int>(0, "orders");
        Task<int> reader = context.Run(async () => await receiver.ReceiveAsync());
        sender.TrySend(7).ShouldBeTrue();
        reader.IsCompleted.ShouldBeFalse();
        context.Drain();
        reader.IsCompletedSuccessfully.ShouldBeTrue();
        (await reader).ShouldBe(7);
        receiver.Waiting.ShouldBe(0);
    }

    internal static Func<CancellationToken, Future> Send<T>(ChannelSender<T> sender, T element) => async _ => await sender.SendAsync(element);

    internal static Func<CancellationToken, Future> ReceiveOnce<T>(ChannelReceiver<T> receiver) => async _ => await receiver.ReceiveAsync();
}
