namespace Moirai.Tests.Sync;

/// <summary>How a channel ends, who is told, and what must not be done with one.</summary>
public sealed class ChannelEndTests
{
    [Fact]
    public void After_the_end_the_receiver_gets_what_is_left_then_the_end()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(4, "orders");
        sender.TrySend(1).ShouldBeTrue();
        sender.TrySend(2).ShouldBeTrue();
        ManagedTask completer = world.Start(
            async _ =>
            {
                await Future.Yield();
                sender.Complete();
            },
            "importer");
        (sender.IsClosed, receiver.IsEnded).ShouldBe((true, false));
        world.Run(DrainAsync());
        receiver.IsEnded.ShouldBeTrue();
        receiver.TryReceive(out int _).ShouldBeFalse();
        ChannelClosedException error = world.Fails<ChannelClosedException>(ReceiveAsync());
        error.Channel.ShouldBe("orders");
        error.Message.ShouldStartWith($"Channel 'orders' has nothing more to give: it was completed by {completer.Id} 'importer'. Receive with await foreach");
        error.InnerException.ShouldBeNull();
        world.ShouldBeEmpty();

        async Future DrainAsync()
        {
            List<int> got = [];
            await foreach (int i in receiver)
            {
                got.Add(i);
            }

            got.ShouldBe([1, 2]);
        }

        async Future ReceiveAsync() => await receiver.ReceiveAsync();
    }

    [Fact]
    public void An_error_comes_after_what_is_left()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(4, "orders");
        sender.TrySend(1).ShouldBeTrue();
        sender.Complete(new FormatException("as planned"));
        ManagedTask reader = world.Start(async _ =>
        {
            await foreach (int i in receiver)
            {
                world.Log($"{i}");
            }
        });
        world.Trace.ShouldBe(["1"]);
        ChannelClosedException error = reader.Exception.ShouldBeOfType<ChannelClosedException>();
        error.InnerException.ShouldBeOfType<FormatException>();
        error.Message.ShouldContain("it was completed by plain code with FormatException: as planned");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Those_who_wait_at_either_end_are_told_when_it_is_completed()
    {
        var world = new World();
        List<int> undelivered = [];
        var (sender, receiver) = new AsyncChannel<int>(1, "orders", undelivered.Add);
        sender.TrySend(1).ShouldBeTrue();
        ManagedTask writer = world.Start(AsyncChannelTests.Send(sender, 2));
        ManagedTask reserver = world.Start(async _ => await sender.ReserveAsync());
        sender.Complete();
        world.Run();
        writer.Exception.ShouldBeOfType<ChannelClosedException>().Message.ShouldBe(
            "Channel 'orders' takes nothing more: it was completed by plain code. Let whoever completes it wait for those who send.");
        reserver.Exception.ShouldBeOfType<ChannelClosedException>();
        undelivered.ShouldBe([2]);
        receiver.TryReceive(out int _).ShouldBeTrue();

        var (other, waited) = new AsyncChannel<int>(1, "other");
        ManagedTask reader = world.Start(AsyncChannelTests.ReceiveOnce(waited));
        other.Complete();
        world.Run();
        reader.Exception.ShouldBeOfType<ChannelClosedException>().Channel.ShouldBe("other");
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("used")]
    [InlineData("given back")]
    [InlineData("given back by a canceled task")]
    public void S161_a_receiver_of_a_closed_channel_waits_for_permits_and_is_woken_by_the_last(string way)
    {
        var world = new World();
        var gate = new Gate();
        var (sender, receiver) = new AsyncChannel<int>(2, "orders");
        ManagedTask holder = world.Start(async _ =>
        {
            using ChannelPermit<int> permit = await sender.ReserveAsync();
            await gate.WaitAsync();
            if (way == "used")
            {
                permit.Send(1);
            }
        });
        ManagedTask reader = world.Start(async _ =>
        {
            await foreach (int i in receiver)
            {
                world.Log($"{i}");
            }
        });
        receiver.Close().ShouldBeTrue();
        world.Run();
        reader.State.ShouldBe(TaskState.Blocked);
        receiver.IsEnded.ShouldBeFalse();
        if (way.EndsWith("task", StringComparison.Ordinal))
        {
            holder.Cancel();
        }
        else
        {
            gate.Open();
        }

        world.Run();
        reader.State.ShouldBe(TaskState.Completed);
        world.Trace.ShouldBe(way == "used" ? ["1"] : []);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S161_a_reservation_that_fails_on_a_closed_channel_leaves_the_receiver_its_end()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        sender.TrySend(1).ShouldBeTrue();
        ManagedTask canceled = world.Start(async _ => await sender.ReserveAsync());
        ManagedTask failed = world.Start(async _ => await sender.ReserveAsync());
        canceled.Cancel();
        receiver.Close();
        world.Run();
        canceled.State.ShouldBe(TaskState.Canceled);
        failed.Exception.ShouldBeOfType<ChannelClosedException>().Message.ShouldContain("its receiver was closed by plain code");
        receiver.TryReceive(out int _).ShouldBeTrue();
        receiver.IsEnded.ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S161_twin_a_permit_that_is_kept_for_ever_is_caught()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        sender.Core.TryReserve();
        ManagedTask reader = world.Start(AsyncChannelTests.ReceiveOnce(receiver));
        receiver.Close();
        world.Run();
        Should.Throw<ShouldAssertException>(() => reader.IsEnded.ShouldBeTrue());
        sender.Core.ReturnPermit();
        world.Run();
        reader.IsEnded.ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S163_a_disposed_receiver_tells_everybody_and_hands_what_is_left_to_the_hook()
    {
        var world = new World();
        List<int> undelivered = [];
        var (sender, receiver) = new AsyncChannel<int>(3, "orders", undelivered.Add);
        ManagedTask reader = world.Start(async _ => world.Log($"{await receiver.ReceiveAsync()}"));
        ChannelPermit<int>? permit = null;
        world.Run(ReserveAsync());
        sender.TrySend(1).ShouldBeTrue(); // for the reader, who is on the way
        sender.TrySend(2).ShouldBeTrue();
        sender.TrySend(3).ShouldBeTrue();
        ManagedTask writer = world.Spawn(AsyncChannelTests.Send(sender, 4));
        world.Executor.ReadyCount.ShouldBe(2);
        receiver.Dispose();
        receiver.Dispose();
        undelivered.ShouldBe([1, 2, 3]);
        world.Run();
        reader.Exception.ShouldBeOfType<ObjectDisposedException>().Message.ShouldContain("The receiver of channel 'orders' has been disposed");
        writer.Exception.ShouldBeOfType<ChannelClosedException>().Message.ShouldContain("its receiver was disposed by plain code");
        Should.Throw<ChannelClosedException>(() => permit!.Send(5)).Channel.ShouldBe("orders");
        undelivered.ShouldBe([1, 2, 3, 4, 5]);
        Should.Throw<ChannelClosedException>(() => sender.TrySend(6));
        undelivered.Count.ShouldBe(5); // its caller still has it
        world.ShouldBeEmpty();

        async Future ReserveAsync() => permit = await sender.ReserveAsync();
    }

    [Fact]
    public void A_hook_that_fails_is_called_for_all_and_reported()
    {
        int called = 0;
        var (sender, receiver) = new AsyncChannel<int>(3, "orders", _ =>
        {
            called++;
            throw new FormatException("as planned");
        });
        sender.TrySend(1).ShouldBeTrue();
        sender.TrySend(2).ShouldBeTrue();
        var error = Should.Throw<AggregateException>(receiver.Dispose);
        error.Message.ShouldContain("The hook for undelivered elements of channel 'orders' failed for 2 of 2");
        (called, error.InnerExceptions.Count).ShouldBe((2, 2));
    }

    [Fact]
    public void Bad_input_is_refused_by_name()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new AsyncChannel<int>(-1));
        Should.Throw<ArgumentNullException>(() => new AsyncChannel<int>(1, null!));
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        sender.Complete();
        Should.Throw<ChannelClosedException>(() => sender.Complete()).Message.ShouldBe(
            "Channel 'orders' cannot be completed again: it was completed by plain code. Let one party complete it, or use TryComplete.");
        sender.TryComplete().ShouldBeFalse();
        sender.Dispose();
        receiver.Close().ShouldBeFalse();
        Should.Throw<ChannelClosedException>(() => sender.TrySend(1)).Channel.ShouldBe("orders");
        world.Fails<ChannelClosedException>(SendAsync());
        world.Fails<ChannelClosedException>(ReserveAsync());
        receiver.TryReceive(out int _).ShouldBeFalse();
        receiver.Dispose();
        Should.Throw<ObjectDisposedException>(() => receiver.TryReceive(out int _)).Message.ShouldContain("The receiver of channel 'orders'");
        world.Fails<ObjectDisposedException>(ReceiveAsync());
        world.Fails<ObjectDisposedException>(EnumerateAsync());
        world.ShouldBeEmpty();

        async Future SendAsync() => await sender.SendAsync(1);
        async Future ReserveAsync() => await sender.ReserveAsync();
        async Future ReceiveAsync() => await receiver.ReceiveAsync();
        async Future EnumerateAsync()
        {
            await foreach (int _ in receiver)
            {
                throw new InvalidOperationException("There is nothing.");
            }
        }
    }

    [Fact]
    public void A_result_that_is_taken_before_the_wait_has_ended_is_refused()
    {
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        Should.Throw<InvalidOperationException>(() => receiver.ReceiveAsync().GetAwaiter().GetResult()).Message.ShouldContain("has not ended");
        Should.Throw<InvalidOperationException>(() => sender.SendAsync(1).GetAwaiter().GetResult()).Message.ShouldContain("has not ended");
        (sender.Waiting, receiver.Waiting, sender.Count).ShouldBe((0, 0, 0));
    }
}
