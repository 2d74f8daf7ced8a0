namespace Moirai.Tests.Sync;

/// <summary>A wait that is given up sends nothing, takes nothing, and leaves nothing.</summary>
public sealed class ChannelCancellationTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void S163_a_send_that_is_canceled_while_it_waits_calls_the_hook_once_and_the_next_is_sent(int capacity)
    {
        var world = new World();
        List<int> undelivered = [];
        var (sender, receiver) = new AsyncChannel<int>(capacity, "orders", undelivered.Add);
        for (int i = 0; i < capacity; i++)
        {
            sender.TrySend(0).ShouldBeTrue();
        }

        ManagedTask first = world.Start(AsyncChannelTests.Send(sender, 1));
        ManagedTask second = world.Start(AsyncChannelTests.Send(sender, 2));
        first.Cancel();
        sender.Waiting.ShouldBe(1); // at once, before the canceled task has run
        world.Run();
        first.State.ShouldBe(TaskState.Canceled);
        undelivered.ShouldBe([1]);
        List<int> got = [];
        while (receiver.TryReceive(out int element))
        {
            got.Add(element);
        }

        got[^1].ShouldBe(2);
        got.ShouldNotContain(1);
        world.Run();
        second.State.ShouldBe(TaskState.Completed);
        undelivered.ShouldBe([1]);
        sender.Core.ParkedCount.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S163_a_send_that_is_canceled_after_its_element_was_taken_was_sent()
    {
        var world = new World();
        List<int> undelivered = [];
        var (sender, receiver) = new AsyncChannel<int>(0, "orders", undelivered.Add);
        ManagedTask writer = world.Start(async _ =>
        {
            await sender.SendAsync(1);
            world.Log("sent");
            await Future.Yield();
            world.Log("never");
        });
        receiver.TryReceive(out int got).ShouldBeTrue();
        writer.Cancel();
        world.Run();
        got.ShouldBe(1);
        world.Trace.ShouldBe(["sent"]);
        writer.State.ShouldBe(TaskState.Canceled);
        undelivered.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S163_a_receive_that_is_canceled_in_the_hand_over_has_the_element()
    {
        var world = new World();
        List<int> undelivered = [];
        var (sender, receiver) = new AsyncChannel<int>(1, "orders", undelivered.Add);
        ManagedTask reader = world.Start(async _ =>
        {
            world.Log($"got {await receiver.ReceiveAsync()}");
            await Future.Yield();
            world.Log("never");
        });
        sender.TrySend(1).ShouldBeTrue();
        reader.Cancel();
        world.Run();
        world.Trace.ShouldBe(["got 1"]);
        reader.State.ShouldBe(TaskState.Canceled);
        undelivered.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S163_a_receive_that_is_canceled_while_it_waits_takes_nothing()
    {
        var world = new World();
        List<int> undelivered = [];
        var (sender, receiver) = new AsyncChannel<int>(1, "orders", undelivered.Add);
        ManagedTask first = world.Start(AsyncChannelTests.ReceiveOnce(receiver));
        ManagedTask second = world.Start(async _ => world.Log($"second got {await receiver.ReceiveAsync()}"));
        first.Cancel();
        receiver.Waiting.ShouldBe(1);
        sender.TrySend(1).ShouldBeTrue();
        world.Run();
        first.State.ShouldBe(TaskState.Canceled);
        second.State.ShouldBe(TaskState.Completed);
        world.Trace.ShouldBe(["second got 1"]);
        undelivered.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S163_a_task_that_is_canceled_before_it_waits_sends_nothing_and_the_hook_is_called()
    {
        var world = new World();
        List<int> undelivered = [];
        var (sender, receiver) = new AsyncChannel<int>(1, "orders", undelivered.Add);
        sender.TrySend(0).ShouldBeTrue();
        ManagedTask writer = world.Start(async _ =>
        {
            ManagedTask.Current!.Cancel();
            await sender.SendAsync(1);
        });
        writer.State.ShouldBe(TaskState.Canceled);
        undelivered.ShouldBe([1]);
        (sender.Waiting, sender.Core.ParkedCount, receiver.Count).ShouldBe((0, 0, 1));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S163_twin_a_hook_that_is_called_for_a_delivered_element_is_caught()
    {
        var world = new World();
        List<int> undelivered = [];
        List<int> got = [];
        var (sender, receiver) = new AsyncChannel<int>(1, "orders", undelivered.Add);
        world.Start(async _ =>
        {
            got.Add(await receiver.ReceiveAsync());
            receiver.Core.TellUndelivered(got[0]);
        });
        sender.TrySend(1).ShouldBeTrue();
        world.ShouldBeEmpty();
        Should.Throw<ShouldAssertException>(() => got.Intersect(undelivered).ShouldBeEmpty());
    }

    [Fact]
    public async Task S163_a_token_ends_the_wait_of_plain_code()
    {
        List<int> undelivered = [];
        var (sender, receiver) = new AsyncChannel<int>(1, "orders", undelivered.Add);
        using var source = new CancellationTokenSource();
        Task reader = ReceiveAsync();
        await source.CancelAsync();
        var error = (await Record.ExceptionAsync(() => reader)).ShouldBeOfType<OperationCanceledException>();
        error.CancellationToken.ShouldBe(source.Token);
        receiver.Waiting.ShouldBe(0);

        sender.TrySend(0).ShouldBeTrue();
        using var other = new CancellationTokenSource();
        Task writer = SendAsync(1, other.Token);
        sender.Waiting.ShouldBe(1);
        await other.CancelAsync();
        (await Record.ExceptionAsync(() => writer)).ShouldBeOfType<OperationCanceledException>();
        undelivered.ShouldBe([1]);

        // A token that is canceled already sends nothing, even if it could.
        receiver.TryReceive(out int _).ShouldBeTrue();
        await Should.ThrowAsync<OperationCanceledException>(SendAsync(2, other.Token));
        undelivered.ShouldBe([1, 2]);
        (sender.Count, sender.Waiting, sender.Core.ParkedCount).ShouldBe((0, 0, 0));

        async Task ReceiveAsync() => await receiver.ReceiveAsync(source.Token);
        async Task SendAsync(int element, CancellationToken token) => await sender.SendAsync(element, token);
    }

    [Fact]
    public void A_token_ends_one_wait_of_a_task_and_not_the_task()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        using var source = new CancellationTokenSource();
        ManagedTask task = world.Start(async _ =>
        {
            try
            {
                await receiver.ReceiveAsync(source.Token);
            }
            catch (OperationCanceledException) when (source.IsCancellationRequested)
            {
                world.Log("given up");
            }

            await Future.Yield();
        });
        task.DescribeWait().ShouldContain("channel 'orders'");
        source.Cancel();
        receiver.Waiting.ShouldBe(0);
        world.Run();
        world.Trace.ShouldBe(["given up"]);
        task.State.ShouldBe(TaskState.Completed);
        GC.KeepAlive(sender); // else it would be lost
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_shielded_wait_goes_on()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        ManagedTask task = world.Start(async _ =>
        {
            using (ManagedTask.Shield())
            {
                world.Log($"{await receiver.ReceiveAsync()}");
            }

            await Future.Yield();
        });
        task.Cancel();
        world.Run();
        receiver.Waiting.ShouldBe(1);
        sender.TrySend(1).ShouldBeTrue();
        world.Run();
        world.Trace.ShouldBe(["1"]);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }
}
