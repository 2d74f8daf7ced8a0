namespace Moirai.Tests.Sync;

/// <summary>Row A1: a wait in a primitive that has to end in time, and leaves no timer whichever way it ends.</summary>
public sealed class TimedWaitTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Fact]
    public void A1_what_comes_in_time_is_given_and_no_timer_is_left()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> waiter = Receive(world, receiver, s_second);
        world.Timers.ShouldBe(1);
        world.Census.Waiters.ShouldBe(1);
        sender.TrySend(2);
        world.Run();
        waiter.Result.ShouldBe(2);
        world.Timers.ShouldBe(0);
        world.Advance(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_what_is_there_already_is_given_without_a_timer()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        sender.TrySend(2);
        world.Run(ReceiveAsync(receiver, s_second)).ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_wait_whose_time_is_over_has_taken_nothing_and_the_error_says_who_waited_for_what()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> waiter = Receive(world, receiver, s_second);
        world.Advance(0.9);
        waiter.State.ShouldBe(TaskState.Blocked);
        world.Advance(0.2);
        var late = waiter.Exception.ShouldBeOfType<TaskTimeoutException>();
        late.Operation.ShouldBe($"the wait for one-shot 'price' in {waiter.Id} 'reader'");
        late.Within.ShouldBe(s_second);
        late.WaitingFor.ShouldStartWith("one-shot 'price', made at TimedWaitTests.cs:");
        late.WaitingFor.ShouldEndWith("not sent (0 waiting)");
        late.Task.ShouldBe(waiter.Id);
        world.Events.ShouldContain(told => told.Kind == RuntimeEventKind.TimedOut && told.Message == late.Message);
        sender.TrySend(3);
        world.Run(ReceiveAsync(receiver, s_second)).ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public void A1_no_time_looks_once_and_lets_others_have_their_turn(int seconds)
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> poller = world.Spawn(
            async _ =>
            {
                while (true)
                {
                    try
                    {
                        return await receiver.ReceiveAsync().WithTimeout(TimeSpan.FromSeconds(seconds));
                    }
                    catch (TaskTimeoutException)
                    {
                        // once more: without turns for others the sender would never come to it
                    }
                }
            },
            "poller");
        world.Spawn(async _ =>
        {
            await Future.Yield();
            sender.TrySend(4);
        });
        world.Run();
        poller.Result.ShouldBe(4);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_wait_without_end_has_no_timer_and_the_longest_time_does_not_overflow()
    {
        var world = new World();
        (OneShotSender<int> first, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> endless = Receive(world, receiver, Timeout.InfiniteTimeSpan);
        world.Timers.ShouldBe(0);
        (OneShotSender<int> second, OneShotReceiver<int> other) = OneShot.Create<int>("price");
        ManagedTask<int> longest = Receive(world, other, TimeSpan.MaxValue);
        world.Advance(1e6);
        endless.State.ShouldBe(TaskState.Blocked);
        longest.State.ShouldBe(TaskState.Blocked);
        first.TrySend(1);
        second.TrySend(2);
        world.Run();
        (endless.Result + longest.Result).ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_task_that_is_canceled_leaves_neither_seat_nor_timer()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> waiter = Receive(world, receiver, s_second);
        waiter.Cancel();
        world.Run();
        waiter.State.ShouldBe(TaskState.Canceled);
        world.Timers.ShouldBe(0);
        receiver.Waiting.ShouldBe(0);
        sender.TrySend(1).ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_token_ends_a_timed_wait_and_the_time_one_with_a_token()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        using var source = new CancellationTokenSource();
        ManagedTask<int> given = world.Spawn(async _ => await receiver.ReceiveAsync(source.Token).WithTimeout(s_second), "reader");
        world.Run();
        source.Cancel();
        world.Run();
        given.Exception.ShouldBeOfType<OperationCanceledException>().Message.ShouldContain("The wait for one-shot 'price'");
        world.Timers.ShouldBe(0);
        world.Fails<OperationCanceledException>(CanceledAsync());
        using var quiet = new CancellationTokenSource();
        ManagedTask<int> late = world.Spawn(async _ => await receiver.ReceiveAsync(quiet.Token).WithTimeout(s_second), "reader");
        world.Run();
        world.Advance(1);
        late.Exception.ShouldBeOfType<TaskTimeoutException>();
        quiet.Cancel();
        sender.TrySend(1).ShouldBeTrue();
        world.ShouldBeEmpty();

        async Future CanceledAsync() => await receiver.ReceiveAsync(source.Token).WithTimeout(s_second);
    }

    [Fact]
    public void A1_a_promise_that_is_broken_in_time_is_told_as_such()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> waiter = Receive(world, receiver, s_second);
        sender.Dispose();
        world.Run();
        waiter.Exception.ShouldBeOfType<BrokenSynchronizationException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_notification_that_comes_when_the_time_is_over_is_for_the_next()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask late = world.Start(async _ => await notify.WaitAsync().WithTimeout(s_second));
        ManagedTask next = world.Start(async _ => await notify.WaitAsync().WithTimeout(2 * s_second));
        world.Advance(1);
        late.Exception.ShouldBeOfType<TaskTimeoutException>().WaitingFor.ShouldContain("notify 'items'", Case.Insensitive);
        notify.NotifyOne();
        world.Run();
        next.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_what_has_come_in_time_counts_also_when_the_time_is_over_before_the_task_goes_on()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask timed = world.Start(async _ => await notify.WaitAsync().WithTimeout(s_second));
        notify.NotifyOne();
        world.Time.Advance(s_second);
        world.Run();
        timed.State.ShouldBe(TaskState.Completed);
        notify.ToString().ShouldContain("with none kept");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_who_leaves_a_barrier_because_of_the_time_has_not_come()
    {
        var world = new World();
        var barrier = new AsyncBarrier(2, "start");
        ManagedTask late = world.Start(async _ => await barrier.WaitAsync().WithTimeout(s_second));
        world.Advance(1);
        late.Exception.ShouldBeOfType<TaskTimeoutException>();
        ManagedTask first = world.Start(async _ => await barrier.WaitAsync().WithTimeout(s_second));
        first.State.ShouldBe(TaskState.Blocked);
        ManagedTask second = world.Start(async _ => await barrier.WaitAsync().WithTimeout(s_second));
        world.Run();
        first.State.ShouldBe(TaskState.Completed);
        second.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_timeout_around_a_timed_wait_ends_it_first_when_it_is_shorter()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> waiter = world.Spawn(async _ => await receiver.ReceiveAsync().WithTimeout(2 * s_second).WithTimeout(s_second), "reader");
        world.Run();
        world.Timers.ShouldBe(2);
        world.Advance(1);
        waiter.Exception.ShouldBeOfType<TaskTimeoutException>().Within.ShouldBe(s_second);
        world.Timers.ShouldBe(0);
        sender.TrySend(1).ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_whatever_a_primitive_gives_can_be_timed()
    {
        var world = new World();
        var (sender, receiver) = new AsyncChannel<int>(1, "orders");
        var watched = new WatchSender<int>(0, "price");
        WatchReceiver<int> watcher = watched.NewReceiver();
        sender.TrySend(1).ShouldBeTrue();
        ManagedTask room = world.Start(async _ => await sender.ReserveAsync().WithTimeout(s_second));
        ManagedTask change = world.Start(async _ => await watcher.ChangedAsync().WithTimeout(s_second));
        ManagedTask news = world.Start(async _ => await new Notify("items").WaitAsync().WithTimeout(2 * s_second).WithTimeout(s_second));
        world.Timers.ShouldBe(4);
        world.Advance(1);
        foreach (ManagedTask late in (ManagedTask[])[room, change, news])
        {
            late.Exception.ShouldBeOfType<TaskTimeoutException>().Within.ShouldBe(s_second);
        }

        world.Timers.ShouldBe(0);
        GC.KeepAlive((sender, receiver, watched));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_task_that_has_used_up_its_turns_is_timed_all_the_same()
    {
        var world = new World();
        ManagedTask<int> lucky = world.Spawn(
            async _ =>
            {
                int sum = 0;
                for (int i = 0; i < 1_000; i++)
                {
                    (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
                    sender.TrySend(1);
                    sum += await receiver.ReceiveAsync().WithTimeout(s_second);
                }

                return sum;
            },
            "lucky");
        world.Run();
        lucky.Result.ShouldBe(1_000);
        world.Timers.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_timed_wait_tells_when_its_time_is_over_in_the_snapshot_of_its_task()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        ManagedTask<int> waiter = Receive(world, receiver, s_second);
        TaskSnapshot told = world.Runtime.TakeSnapshot().Tasks.Single(task => task.Id == waiter.Id);
        told.Wait.ShouldNotBeNull().DueIn.ShouldBe(s_second);
        told.Wait.What.ShouldBe("one-shot 'price'");
        sender.TrySend(1);
        world.Run();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task A1_plain_code_waits_by_a_task_in_its_place()
    {
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        Task<int> waiter = PlainAsync(TimeSpan.FromHours(1));
        sender.TrySend(1);
        (await waiter).ShouldBe(1);
        (_, receiver) = OneShot.Create<int>("price");
        (await Record.ExceptionAsync(() => PlainAsync(TimeSpan.Zero))).ShouldBeOfType<TaskTimeoutException>().Operation.ShouldStartWith("the wait for one-shot 'price' in ");
        (await Record.ExceptionAsync(async () => await new Notify("items").WaitAsync().WithTimeout(TimeSpan.FromMilliseconds(1)))).ShouldBeOfType<TaskTimeoutException>();

        async Task<int> PlainAsync(TimeSpan within) => await receiver.ReceiveAsync().WithTimeout(within);
    }

    [Fact]
    public void A1_bad_input_is_refused_with_what_to_do()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        Should.Throw<InvalidOperationException>(() => receiver.ReceiveAsync().WithTimeout(s_second).GetAwaiter().GetResult()).Message.ShouldContain("Await it; do not call GetResult");
        TimedWait<int>.Awaiter awaiter = receiver.ReceiveAsync().WithTimeout(s_second).GetAwaiter();
        Should.Throw<ArgumentNullException>(() => awaiter.OnCompleted(null!));
        awaiter.IsCompleted.ShouldBeFalse();
        Should.Throw<InvalidOperationException>(() => awaiter.GetResult()).Message.ShouldContain("has not ended");
        GC.KeepAlive(sender); // else its loss may be told to the receiver
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_runtime_that_has_ended_times_nothing_and_says_so()
    {
        var world = new World();
        (_, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        world.Runtime.Engine.Timers.Dispose();
        world.Fails<ObjectDisposedException>(ReceiveAsync(receiver, s_second)).Message.ShouldContain("A wait for time cannot begin");
        receiver.Waiting.ShouldBe(0);
    }

    private static async Future<int> ReceiveAsync(OneShotReceiver<int> receiver, TimeSpan within) => await receiver.ReceiveAsync().WithTimeout(within);

    private static ManagedTask<int> Receive(World world, OneShotReceiver<int> receiver, TimeSpan within)
    {
        ManagedTask<int> waiter = world.Spawn(_ => ReceiveAsync(receiver, within), "reader");
        world.Run();
        return waiter;
    }
}
