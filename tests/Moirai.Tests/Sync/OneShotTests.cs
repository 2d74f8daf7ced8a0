using System.Runtime.CompilerServices;

namespace Moirai.Tests.Sync;

/// <summary>A value on its way once, or an error that says whose promise was broken.</summary>
public sealed class OneShotTests
{
    [Fact]
    public void What_is_sent_is_received_before_and_after_the_receiver_waits()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        sender.TrySend(1).ShouldBeTrue();
        receiver.ToString().ShouldContain("sent and not received (0 waiting)");
        world.Run(ReceiveAsync(receiver)).ShouldBe(1);
        receiver.ToString().ShouldContain("received (0 waiting)");
        (sender, receiver) = OneShot.Create<int>("price");
        ManagedTask<int> waiter = Receive(world, receiver);
        receiver.Waiting.ShouldBe(1);
        world.Census.Waiters.ShouldBe(1);
        receiver.TryReceive(out int _).ShouldBeFalse();
        sender.TrySend(2).ShouldBeTrue();
        world.Run();
        waiter.Result.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_value_stays_when_the_sender_goes_and_is_given_out_once()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        sender.TrySend(1);
        sender.Dispose();
        receiver.TryReceive(out int value).ShouldBeTrue();
        value.ShouldBe(1);
        Should.Throw<InvalidOperationException>(() => receiver.TryReceive(out int _)).Message.ShouldContain("was received before");
        world.Fails<InvalidOperationException>(ReceiveAsync(receiver)).Message.ShouldContain("share it with AsyncOnce");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_sender_that_is_disposed_breaks_the_promise_and_the_error_says_who_made_it_where()
    {
        var world = new World();
        OneShotSender<int>? sender = null;
        OneShotReceiver<int>? receiver = null;
        int line = 0;
        ManagedTask maker = world.Start(
            async _ =>
            {
                (sender, receiver) = OneShot.Create<int>("price");
                line = Line();
                await Future.Yield();
            },
            "client");
        ManagedTask<int> waiter = Receive(world, receiver!);
        sender!.Dispose();
        sender.Dispose();
        world.Run();
        var error = waiter.Exception.ShouldBeOfType<BrokenSynchronizationException>();
        error.Message.ShouldBe(
            $"One-shot 'price', made at OneShotTests.cs:{line - 1} by {maker.Id} 'client', is broken: its sender was disposed without sending. "
            + "Nothing will come. Send on every path of the code that has the sender, its failures included.");
        error.Primitive.ShouldBe("price");
        error.Holder.ShouldBe(maker.Id);
        error.HolderName.ShouldBe("client");
        world.Fails<BrokenSynchronizationException>(ReceiveAsync(receiver!)); // and so is whoever comes later
        Should.Throw<BrokenSynchronizationException>(() => receiver!.TryReceive(out int _));
        Should.Throw<ObjectDisposedException>(() => sender.TrySend(1)).Message.ShouldContain("was disposed before it sent");
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("completed")]
    [InlineData("failed")]
    [InlineData("was canceled")]
    public void A_task_that_has_taken_the_sender_over_and_ends_without_sending_breaks_the_promise(string end)
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        var gate = new Gate();
        ManagedTask worker = world.Start(
            async _ =>
            {
                sender.TakeOver().ShouldBe(sender);
                await gate.WaitAsync();
                if (end == "failed")
                {
                    throw new FormatException();
                }
            },
            "worker");
        receiver.Holder.ShouldBe(worker);
        ManagedTask<int> waiter = Receive(world, receiver);
        waiter.DescribeWait().ShouldContain($"owed by {worker.Id} 'worker' (1 waiting)");
        if (end == "was canceled")
        {
            worker.Cancel();
        }

        gate.Open();
        world.Run();
        var error = waiter.Exception.ShouldBeOfType<BrokenSynchronizationException>();
        error.Message.ShouldContain($"by plain code, is broken: {worker.Id} 'worker' {end} without sending, and had taken the sender over");
        error.Holder.ShouldBe(worker.Id);
        receiver.Holder.ShouldBeNull();
        Should.Throw<BrokenSynchronizationException>(() => sender.TrySend(1));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Twin_a_task_that_only_has_the_sender_and_ends_does_not_break_the_promise()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        world.Start(async _ =>
        {
            GC.KeepAlive(sender);
            await Future.Yield();
        });
        ManagedTask<int> waiter = Receive(world, receiver);
        Should.Throw<ShouldAssertException>(() => waiter.State.ShouldBe(TaskState.Failed));
        sender.TrySend(1).ShouldBeTrue();
        world.Run();
        waiter.Result.ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Who_has_sent_or_was_relieved_may_end()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        var gate = new Gate();
        world.Start(async _ =>
        {
            sender.TakeOver();
            await Future.Yield();
        }).State.ShouldBe(TaskState.Completed);
        receiver.IsClosed.ShouldBeTrue(); // it had: broken

        (sender, receiver) = OneShot.Create<int>("price");
        ManagedTask first = world.Start(async _ =>
        {
            sender.TakeOver();
            await gate.WaitAsync();
        });
        ManagedTask second = world.Start(async _ =>
        {
            sender.TakeOver();
            await first;
            sender.TrySend(1);
        });
        gate.Open();
        world.Run();
        second.State.ShouldBe(TaskState.Completed);
        world.Run(ReceiveAsync(receiver)).ShouldBe(1);

        (sender, receiver) = OneShot.Create<int>("price");
        var other = new Gate();
        ManagedTask relieved = world.Start(async _ =>
        {
            sender.TakeOver();
            await other.WaitAsync();
        });
        sender.TakeOver(); // plain code: nobody answers
        other.Open();
        world.Run();
        relieved.State.ShouldBe(TaskState.Completed);
        sender.TrySend(2).ShouldBeTrue();
        receiver.TryReceive(out int value).ShouldBeTrue();
        value.ShouldBe(2);
        sender.TakeOver(); // after sending: nothing
        receiver.Holder.ShouldBeNull();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_second_value_is_an_error_and_the_first_stays()
    {
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        sender.TrySend(1).ShouldBeTrue();
        Should.Throw<InvalidOperationException>(() => sender.TrySend(2)).Message.ShouldContain("was sent a second value");
        receiver.TryReceive(out int value).ShouldBeTrue();
        value.ShouldBe(1);
        Should.Throw<InvalidOperationException>(() => sender.TrySend(3)).Message.ShouldContain("was sent a second value");
    }

    [Fact]
    public void Nobody_is_there_to_receive_and_the_sender_is_told()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> waiter = Receive(world, receiver);
        receiver.Dispose();
        world.Run();
        waiter.Exception.ShouldBeOfType<ObjectDisposedException>();
        sender.TrySend(1).ShouldBeFalse();
        sender.TrySend(1).ShouldBeFalse();
        sender.Dispose();
        receiver.ToString().ShouldEndWith("closed (0 waiting)");
        Should.Throw<ObjectDisposedException>(() => receiver.TryReceive(out int _));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_canceled_receive_takes_nothing()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> gone = Receive(world, receiver);
        gone.Cancel();
        world.Run();
        gone.State.ShouldBe(TaskState.Canceled);
        receiver.Waiting.ShouldBe(0);
        ManagedTask<int> other = Receive(world, receiver);
        sender.TrySend(1).ShouldBeTrue();
        other.Cancel(); // on its way: it has the value, and ends with it since it waits no more
        world.Run();
        other.Result.ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void What_was_sent_to_who_waits_is_taken_by_nobody_else()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
        ManagedTask<int> waiter = world.Spawn(async _ => await receiver.ReceiveAsync());
        world.Run();
        sender.TrySend(7).ShouldBeTrue();

        receiver.TryReceive(out _).ShouldBeFalse();
        ManagedTask<int> late = world.Spawn(async _ => await receiver.ReceiveAsync());
        Task<int> plain = PlainAsync(receiver);
        waiter.IsEnded.ShouldBeFalse("it has not had its turn");
        world.Run();
        waiter.Result.ShouldBe(7);
        late.Exception.ShouldBeOfType<InvalidOperationException>();
        Should.Throw<InvalidOperationException>(() => plain.GetAwaiter().GetResult()).Message.ShouldContain("waited for by somebody else");
        Should.Throw<InvalidOperationException>(() => receiver.TryReceive(out _)).Message.ShouldContain("was received before");
        world.ShouldBeEmpty();

        static async Task<int> PlainAsync(OneShotReceiver<int> receiver) => await receiver.ReceiveAsync();
    }

    [Fact]
    public async Task What_was_sent_to_plain_code_that_waits_is_taken_by_nobody_else()
    {
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
        Task<int> waiter = PlainAsync(receiver);
        sender.TrySend(7);
        try
        {
            receiver.TryReceive(out _).ShouldBeFalse();
        }
        catch (InvalidOperationException)
        {
            // The waiter has run already.
        }

        (await waiter).ShouldBe(7);

        static async Task<int> PlainAsync(OneShotReceiver<int> receiver) => await receiver.ReceiveAsync();
    }

    [Fact]
    public void A_receiver_that_is_disposed_while_the_value_is_on_its_way_says_so_to_who_waited()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
        ManagedTask<int> waiter = world.Spawn(async _ => await receiver.ReceiveAsync());
        world.Run();
        sender.TrySend(7);
        receiver.Dispose();
        world.Run();
        waiter.Exception.ShouldBeOfType<ObjectDisposedException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Two_cannot_wait_for_one_value()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> first = Receive(world, receiver);
        Receive(world, receiver).Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain("is waited for by somebody else");
        sender.TrySend(1);
        world.Run();
        first.Result.ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_and_tokens()
    {
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        using var source = new CancellationTokenSource();
        Task<int> given = PlainAsync(source.Token);
        await source.CancelAsync();
        (await Record.ExceptionAsync(() => given)).ShouldBeOfType<OperationCanceledException>().Message.ShouldContain("The wait for one-shot 'price', made at OneShotTests.cs:");
        Task<int> waiter = PlainAsync(default);
        sender.TrySend(1);
        (await waiter).ShouldBe(1);
        Should.Throw<ArgumentNullException>(() => OneShot.Create<int>(null!));

        async Task<int> PlainAsync(CancellationToken token) => await receiver.ReceiveAsync(token);
    }

    [Fact]
    public void A_sender_that_is_collected_breaks_the_promise_and_heals_who_waits()
    {
        var world = new World();
        OneShotReceiver<int> receiver = LoseSender();
        ManagedTask<int> waiter = Receive(world, receiver);
        Collect();
        world.Executor.RunUntil(waiter, TestContext.Current.CancellationToken);
        waiter.Exception.ShouldBeOfType<BrokenSynchronizationException>().Message.ShouldContain(
            "by plain code, is broken: its sender was lost without sending: nobody could reach it any more, and it was collected");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_sender_that_is_collected_is_found_also_after_a_thousand_that_have_sent()
    {
        var world = new World();
        for (int i = 0; i < 1_000; i++)
        {
            OneShot.Create<int>("price").Sender.TrySend(i).ShouldBeTrue();
        }

        var senders = new List<OneShotSender<int>>();
        for (int i = 0; i < 100; i++)
        {
            senders.Add(OneShot.Create<int>("price").Sender);
        }

        senders.ForEach(static sender => sender.TrySend(1));
        for (int i = 0; i < 40; i++) // more than a thread keeps notices for
        {
            ManagedTask<int> waiter = Receive(world, LoseSender());
            Collect();
            world.Executor.RunUntil(waiter, TestContext.Current.CancellationToken);
            waiter.Exception.ShouldBeOfType<BrokenSynchronizationException>();
        }

        world.ShouldBeEmpty();
    }

    [Fact]
    public void Twin_a_sender_that_somebody_has_breaks_nothing_and_neither_does_one_that_has_sent()
    {
        (OneShotSender<int> kept, OneShotReceiver<int> receiver) = OneShot.Create<int>("kept");
        OneShotReceiver<int> sent = SendAndLose();
        Collect();
        Should.Throw<ShouldAssertException>(() => receiver.IsClosed.ShouldBeTrue());
        sent.TryReceive(out int value).ShouldBeTrue();
        value.ShouldBe(1);
        GC.KeepAlive(kept);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static OneShotReceiver<int> LoseSender() => OneShot.Create<int>("price").Receiver;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static OneShotReceiver<int> SendAndLose()
    {
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("sent");
        sender.TrySend(1);
        return receiver;
    }

    private static void Collect()
    {
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private static int Line([CallerLineNumber] int line = 0) => line;

    private static async Future<int> ReceiveAsync(OneShotReceiver<int> receiver) => await receiver.ReceiveAsync();

    private static ManagedTask<int> Receive(World world, OneShotReceiver<int> receiver)
    {
        ManagedTask<int> task = world.Runtime.SpawnDetached(ReceiveAsync(receiver));
        world.Run();
        return task;
    }
}
