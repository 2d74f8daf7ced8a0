using Moirai.Wakers;

namespace Moirai.Tests.Sync;

/// <summary>All or nobody, and exactly one leader a generation.</summary>
public sealed class AsyncBarrierTests
{
    [Fact]
    public void S159_nobody_goes_on_before_the_last_has_come_and_exactly_one_leads()
    {
        var world = new World();
        var barrier = new AsyncBarrier(3, "phase");
        Come(world, barrier, "a");
        Come(world, barrier, "b");
        world.Trace.ShouldBeEmpty();
        barrier.Waiting.ShouldBe(2);
        barrier.ToString().ShouldBe("barrier 'phase' of 3 parties (2 waiting)");
        world.Census.Waiters.ShouldBe(2);
        Come(world, barrier, "c");
        world.Trace.ShouldBe(["c leads", "a", "b"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S159_it_serves_one_generation_after_the_other()
    {
        var world = new World();
        var barrier = new AsyncBarrier(3, "phase");
        int leaders = 0;
        var phase = new int[3];
        for (int i = 0; i < 3; i++)
        {
            int me = i;
            world.Spawn(async _ =>
            {
                for (int round = 0; round < 500; round++)
                {
                    phase[me]++;
                    bool leads = await barrier.WaitAsync();
                    leaders += leads ? 1 : 0;
                    phase.ShouldAllBe(p => p == round + 1 || p == round + 2);
                }
            });
        }

        world.Run();
        leaders.ShouldBe(500);
        world.Census.Completed.ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void S159_one_party_or_none_never_wait_and_lead_themselves(int parties)
    {
        var world = new World();
        var barrier = new AsyncBarrier(parties);
        int leaders = 0;
        world.Run(ComeAsync());
        leaders.ShouldBe(200); // more than the turns after which a task gives way
        barrier.Waiting.ShouldBe(0);
        world.ShouldBeEmpty();

        async Future ComeAsync()
        {
            for (int i = 0; i < 200; i++)
            {
                bool leads = await barrier.WaitAsync();
                    leaders += leads ? 1 : 0;
            }
        }
    }

    [Fact]
    public void A_party_that_is_canceled_has_not_come()
    {
        var world = new World();
        var barrier = new AsyncBarrier(2, "phase");
        ManagedTask gone = Come(world, barrier, "gone");
        gone.Cancel();
        barrier.Waiting.ShouldBe(0);
        Come(world, barrier, "a");
        world.Trace.ShouldBeEmpty();
        Come(world, barrier, "b");
        world.Trace.ShouldBe(["b leads", "a"]);
        gone.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_party_that_is_canceled_while_the_last_one_comes_has_not_come_and_the_others_wait_on()
    {
        var world = new World();
        var barrier = new AsyncBarrier(3, "phase");
        Come(world, barrier, "a");
        ManagedTask gone = Come(world, barrier, "gone");
        Frame(gone, out Action leave); // claimed by its canceller, not yet taken out
        Come(world, barrier, "b");
        world.Trace.ShouldBeEmpty();
        barrier.Waiting.ShouldBe(2);
        leave();
        world.Run();
        gone.State.ShouldBe(TaskState.Canceled);
        Come(world, barrier, "c");
        world.Trace.ShouldBe(["c leads", "b", "a"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Twin_a_barrier_that_counts_who_is_being_canceled_is_caught()
    {
        // The canceled one is neither claimed nor taken out: it counts.
        var world = new World();
        var barrier = new AsyncBarrier(3, "phase");
        Come(world, barrier, "a");
        Come(world, barrier, "gone");
        Come(world, barrier, "b");
        Should.Throw<ShouldAssertException>(() => world.Trace.ShouldBeEmpty());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_party_that_is_canceled_after_the_last_one_came_goes_on()
    {
        var world = new World();
        var barrier = new AsyncBarrier(2, "phase");
        ManagedTask first = world.Start(async _ =>
        {
            world.Log((await barrier.WaitAsync()) ? "leads" : "follows");
            await Future.Yield();
            world.Log("never");
        });
        ComeLast(barrier);
        first.Cancel();
        world.Run();
        world.Trace.ShouldBe(["follows"]);
        first.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_and_tokens()
    {
        var barrier = new AsyncBarrier(2, "phase");
        using var source = new CancellationTokenSource();
        Task<bool> given = PlainAsync(source.Token);
        await source.CancelAsync();
        (await Record.ExceptionAsync(() => given)).ShouldBeOfType<OperationCanceledException>().CancellationToken.ShouldBe(source.Token);
        await Should.ThrowAsync<OperationCanceledException>(PlainAsync(source.Token)); // has not come
        Task<bool> first = PlainAsync(default);
        barrier.Waiting.ShouldBe(1);
        (await PlainAsync(default)).ShouldBeTrue();
        (await first).ShouldBeFalse();

        async Task<bool> PlainAsync(CancellationToken token) => await barrier.WaitAsync(token);
    }

    [Fact]
    public void Bad_input_and_disposal()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new AsyncBarrier(-1, "phase")).Message.ShouldContain("Barrier 'phase' was to wait for -1 parties. Give the number");
        Should.Throw<ArgumentNullException>(() => new AsyncBarrier(2, null!));
        var world = new World();
        var barrier = new AsyncBarrier(2, "phase");
        ManagedTask waiter = Come(world, barrier, "a");
        barrier.Dispose();
        world.Run();
        waiter.Exception.ShouldBeOfType<ObjectDisposedException>().Message.ShouldContain("Barrier 'phase' has been disposed");
        Come(world, barrier, "late").Exception.ShouldBeOfType<ObjectDisposedException>();
        barrier.ToString().ShouldBe("barrier 'phase' of 2 parties, closed (0 waiting)");
        world.ShouldBeEmpty();
    }

    internal static ManagedTask Come(World world, AsyncBarrier barrier, string name) => world.Start(
        async _ => world.Log(await barrier.WaitAsync() ? $"{name} leads" : name), name);

    internal static void ComeLast(AsyncBarrier barrier)
    {
        PrimitiveAwaitable<bool>.Awaiter last = barrier.WaitAsync().GetAwaiter();
        last.IsCompleted.ShouldBeTrue();
        last.GetResult().ShouldBeTrue();
    }

    // The first half of a cancellation: the wait is claimed. What comes later is the second half.
    private static void Frame(ManagedTask task, out Action leave)
    {
        Moirai.Execution.Frame leaf = task.Leaf!;
        task.Word.TryInterrupt().ShouldBeTrue();
        leave = () =>
        {
            ((IWaitQueue)leaf.Queue!).Remove(leaf);
            task.Word.State.ShouldBe(TaskState.Ready);
            leaf.Signal = WaitSignal.Canceled;
            task.SetFlag(Moirai.Execution.TaskFlags.CancelRequested);
            task.Engine.Executor.Enqueue(leaf);
        };
    }
}
