namespace Moirai.Tests.Sync;

/// <summary>Who is told, in what order, and what becomes of a notification that nobody takes.</summary>
public sealed class NotifyTests
{
    [Fact]
    public void One_notification_lets_one_go_on_first_come_first_served()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask[] waiters = Waiters(world, notify, 3);
        notify.Waiting.ShouldBe(3);
        notify.CopyWaiters().ShouldBe(waiters);
        world.Census.Waiters.ShouldBe(3);
        waiters[0].DescribeWait().ShouldBe("notify 'items', with none kept (3 waiting)");
        notify.NotifyOne();
        world.Run();
        world.Trace.ShouldBe(["0"]);
        notify.NotifyOne();
        notify.NotifyOne();
        world.Run();
        world.Trace.ShouldBe(["0", "1", "2"]);
        notify.ToString().ShouldBe("notify 'items', with none kept (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_notification_that_finds_nobody_is_kept_for_one_and_is_one_however_often_it_was_given()
    {
        var world = new World();
        var notify = new Notify("items");
        notify.NotifyOne();
        notify.NotifyOne();
        notify.ToString().ShouldBe("notify 'items', with a notification kept (0 waiting)");
        ManagedTask[] waiters = Waiters(world, notify, 2);
        world.Trace.ShouldBe(["0"]);
        waiters[1].State.ShouldBe(TaskState.Blocked);
        notify.NotifyOne();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S137_all_who_wait_are_told_and_nothing_is_kept()
    {
        var world = new World();
        var notify = new Notify("items");
        _ = Waiters(world, notify, 3);
        notify.NotifyWaiters();
        world.Run();
        world.Trace.ShouldBe(["0", "1", "2"]);
        ManagedTask late = Waiters(world, notify, 1)[0];
        late.State.ShouldBe(TaskState.Blocked);
        notify.NotifyWaiters();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S137_a_wait_that_was_made_before_all_were_told_and_awaited_after_ends_and_takes_nothing_kept()
    {
        var world = new World();
        var notify = new Notify("items");
        PrimitiveAwaitable before = notify.WaitAsync();
        notify.NotifyWaiters();
        notify.NotifyOne();
        world.Run(AwaitAsync(before));
        notify.ToString().ShouldContain("with a notification kept");
        world.Run(AwaitAsync(notify.WaitAsync()));
        notify.ToString().ShouldContain("with none kept");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S137_twin_a_wait_that_counts_only_from_its_await_is_caught()
    {
        var world = new World();
        var notify = new Notify("items");
        notify.NotifyWaiters();
        notify.NotifyOne();
        world.Run(AwaitAsync(notify.WaitAsync()));
        Twin.IsCaught(() => notify.ToString().ShouldContain("with a notification kept"), "with none kept");
    }

    [Fact]
    public void S137_a_task_that_gives_way_before_its_wait_is_told_all_the_same()
    {
        var world = new World();
        var notify = new Notify("items");
        int told = 0;
        bool waits = false;
        ManagedTask task = world.Spawn(async _ =>
        {
            for (; told < 200; told++)
            {
                PrimitiveAwaitable wait = notify.WaitAsync();
                notify.NotifyWaiters(); // before the await: so the wait ends at once, but for those after which the task gives way
                await wait;
            }
        });
        world.Spawn(async _ =>
        {
            waits = told is > 0 and < 200;
            await Future.Yield();
        });
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        waits.ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S135_a_notified_waiter_that_is_canceled_passes_the_notification_to_the_next_in_order()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask[] waiters = Waiters(world, notify, 3);
        notify.NotifyOne();
        waiters[0].State.ShouldBe(TaskState.Ready);
        waiters[0].Cancel().ShouldBeTrue();
        world.Run();
        waiters[0].State.ShouldBe(TaskState.Canceled);
        world.Trace.ShouldBe(["1"]);
        waiters[2].State.ShouldBe(TaskState.Blocked);
        notify.NotifyOne();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S135_two_notified_waiters_that_are_canceled_pass_both_on()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask[] waiters = Waiters(world, notify, 4);
        notify.NotifyOne();
        notify.NotifyOne();
        waiters[0].Cancel();
        waiters[1].Cancel();
        world.Run();
        world.Trace.ShouldBe(["2", "3"]);
        world.Census.Canceled.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S135_the_last_notified_waiter_that_is_canceled_leaves_the_notification_to_be_kept()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask only = Waiters(world, notify, 1)[0];
        notify.NotifyOne();
        only.Cancel();
        world.Run();
        only.State.ShouldBe(TaskState.Canceled);
        notify.ToString().ShouldContain("with a notification kept");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S135_twin_a_canceled_waiter_that_drops_its_notification_is_caught()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask[] waiters = Waiters(world, notify, 2);
        notify.NotifyOne();
        waiters[0].Leaf!.Slot = 0; // forgets that it was chosen
        waiters[0].Cancel();
        world.Run();
        Should.Throw<ShouldAssertException>(() => world.Trace.ShouldBe(["1"]));
        waiters[1].Cancel();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S135_a_canceled_waiter_that_was_told_with_all_passes_nothing_on()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask told = Waiters(world, notify, 1)[0];
        notify.NotifyWaiters();
        told.Cancel();
        world.Run();
        told.State.ShouldBe(TaskState.Canceled);
        notify.ToString().ShouldContain("with none kept");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S135_a_wait_under_a_timeout_passes_the_notification_on_when_its_time_is_over_before_it_goes_on()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask timed = world.Start(async _ => await notify.WaitAsync().AsFuture().WithTimeout(TimeSpan.FromSeconds(1)));
        notify.NotifyOne();
        world.Time.Advance(TimeSpan.FromSeconds(1));
        world.Run();
        timed.Exception.ShouldBeOfType<TaskTimeoutException>();
        notify.ToString().ShouldContain("with a notification kept");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S135_a_waiter_whose_token_is_canceled_passes_the_notification_on_also_in_plain_code()
    {
        var context = new Posted();
        var notify = new Notify("items");
        using var source = new CancellationTokenSource();
        Task first = context.Run(() => PlainAsync(source.Token));
        Task second = context.Run(() => PlainAsync(default));
        notify.NotifyOne();
        source.Cancel();
        context.Drain();
        first.IsCanceled.ShouldBeTrue();
        second.IsCompletedSuccessfully.ShouldBeTrue();
        notify.Waiting.ShouldBe(0);

        async Task PlainAsync(CancellationToken token) => await notify.WaitAsync(token);
    }

    [Fact]
    public void S135_the_same_with_a_token_inside_a_task()
    {
        var world = new World();
        var notify = new Notify("items");
        using var source = new CancellationTokenSource();
        ManagedTask first = world.Start(async _ => await notify.WaitAsync(source.Token));
        ManagedTask second = world.Start(async _ => await notify.WaitAsync());
        notify.NotifyOne();
        source.Cancel();
        world.Run();
        first.Exception.ShouldBeOfType<OperationCanceledException>().Message.ShouldContain("was given up");
        second.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_canceled_waiter_leaves_the_queue_at_once()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask[] waiters = Waiters(world, notify, 3);
        waiters[1].Cancel();
        notify.CopyWaiters().ShouldBe([waiters[0], waiters[2]]);
        notify.NotifyOne();
        notify.NotifyOne();
        world.Run();
        world.Trace.ShouldBe(["0", "2"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S131_a_registration_that_throws_leaves_the_primitive_empty_and_usable()
    {
        var notify = new Notify("items");
        PrimitiveAwaitable.Awaiter awaiter = notify.WaitAsync(TestContext.Current.CancellationToken).GetAwaiter();
        awaiter.IsCompleted.ShouldBeFalse();
        Should.Throw<ArgumentNullException>(() => awaiter.OnCompleted(null!));
        Should.Throw<ArgumentNullException>(() => awaiter.UnsafeOnCompleted(null!));
        notify.Waiting.ShouldBe(0);
        var world = new World();
        _ = Waiters(world, notify, 1);
        notify.NotifyOne();
        world.Run();
        world.Trace.ShouldBe(["0"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S131_a_poll_that_throws_after_it_has_left_its_waker_ends_the_wait_and_the_waker_does_nothing()
    {
        var world = new World();
        Waker kept = default;
        ManagedTask task = world.Start(async _ =>
        {
            try
            {
                await Future.FromPoll(waker =>
                {
                    kept = waker;
                    throw new FormatException("in the poll");
                });
            }
            catch (FormatException)
            {
                world.Log("caught");
            }

            await Future.Yield();
        });
        kept.Wake();
        world.Run();
        world.Trace.ShouldBe(["caught"]);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_waits_and_is_told()
    {
        var notify = new Notify("items");
        Task waiter = PlainAsync();
        notify.Waiting.ShouldBe(1);
        notify.NotifyOne();
        await waiter;
        notify.NotifyOne();
        await notify.WaitAsync(TestContext.Current.CancellationToken);

        async Task PlainAsync() => await notify.WaitAsync();
    }

    [Fact]
    public async Task A_token_ends_the_wait()
    {
        var notify = new Notify("items");
        using var source = new CancellationTokenSource();
        Task waiter = PlainAsync();
        await source.CancelAsync();
        var error = (await Record.ExceptionAsync(() => waiter)).ShouldBeOfType<OperationCanceledException>();
        error.CancellationToken.ShouldBe(source.Token);
        error.Message.ShouldContain("The wait for notify 'items'");
        notify.Waiting.ShouldBe(0);
        notify.NotifyOne();
        await Should.ThrowAsync<OperationCanceledException>(PlainAsync()); // takes nothing
        notify.ToString().ShouldContain("with a notification kept");

        async Task PlainAsync() => await notify.WaitAsync(source.Token);
    }

    [Fact]
    public void A_disposed_one_tells_those_who_wait_and_refuses_everything()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask waiter = Waiters(world, notify, 1)[0];
        notify.NotifyOne();
        notify.NotifyOne(); // kept
        ManagedTask stays = world.Start(async _ =>
        {
            await notify.WaitAsync();
            await notify.WaitAsync();
        });
        notify.Dispose();
        notify.Dispose();
        world.Run();
        stays.Exception.ShouldBeOfType<ObjectDisposedException>().Message.ShouldContain("Notify 'items' has been disposed");
        Should.Throw<ObjectDisposedException>(notify.NotifyOne);
        Should.Throw<ObjectDisposedException>(notify.NotifyWaiters);
        world.Fails<ObjectDisposedException>(AwaitAsync(notify.WaitAsync())).ObjectName.ShouldBe("notify 'items'");
        notify.ToString().ShouldBe("notify 'items', closed (0 waiting)");
        waiter.State.ShouldBe(TaskState.Completed);
        Should.Throw<ArgumentNullException>(() => new Notify(null!));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_result_that_is_taken_before_the_wait_has_ended_is_refused()
    {
        var notify = new Notify("items");
        PrimitiveAwaitable.Awaiter awaiter = notify.WaitAsync().GetAwaiter();
        awaiter.IsCompleted.ShouldBeFalse();
        Should.Throw<InvalidOperationException>(() => awaiter.GetResult()).Message.ShouldContain("has not ended");
        notify.Waiting.ShouldBe(0);
    }

    internal static async Future AwaitAsync(PrimitiveAwaitable wait) => await wait;

    private static ManagedTask[] Waiters(World world, Notify notify, int count)
    {
        var waiters = new ManagedTask[count];
        for (int i = 0; i < count; i++)
        {
            int me = i;
            waiters[i] = world.Start(async _ =>
            {
                await notify.WaitAsync();
                world.Log($"{me}");
            });
        }

        return waiters;
    }
}
