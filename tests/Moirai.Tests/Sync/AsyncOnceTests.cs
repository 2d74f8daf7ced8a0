namespace Moirai.Tests.Sync;

/// <summary>Made once, shared by all; what fails is tried again by the next.</summary>
public sealed class AsyncOnceTests
{
    [Fact]
    public void The_first_makes_it_and_all_share_it()
    {
        var world = new World();
        var gate = new Gate();
        int made = 0;
        var once = new AsyncOnce<object>(
            async _ =>
            {
                made++;
                await gate.WaitAsync();
                return new object();
            },
            "config");
        ManagedTask<object>[] tasks = Ask(world, once, 3);
        once.Holder.ShouldBe(tasks[0]);
        once.Waiting.ShouldBe(2);
        tasks[1].DescribeWait().ShouldBe($"once 'config', being made by {tasks[0].Id} 'task' (2 waiting)");
        once.TryGet(out object _).ShouldBeFalse();
        gate.Open();
        world.Run();
        made.ShouldBe(1);
        once.IsMade.ShouldBeTrue();
        once.Holder.ShouldBeNull();
        tasks.ShouldAllBe(task => task.Result == tasks[0].Result);
        once.TryGet(out object value).ShouldBeTrue();
        value.ShouldBeSameAs(tasks[0].Result);
        Ask(world, once, 1)[0].Result.ShouldBeSameAs(value);
        once.ToString().ShouldBe("once 'config', made (0 waiting)");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_failing_initialiser_fails_its_caller_and_the_next_in_line_tries()
    {
        var world = new World();
        var gate = new Gate();
        int tries = 0;
        var once = new AsyncOnce<int>(async _ =>
        {
            int me = ++tries;
            await gate.WaitAsync();
            return me < 3 ? throw new FormatException($"try {me}") : me;
        });
        ManagedTask<int>[] tasks = Ask(world, once, 4);
        gate.Open();
        world.Run();
        tasks[0].Exception.ShouldBeOfType<FormatException>().Message.ShouldBe("try 1");
        tasks[1].Exception.ShouldBeOfType<FormatException>().Message.ShouldBe("try 2");
        tasks[2].Result.ShouldBe(3);
        tasks[3].Result.ShouldBe(3);
        tries.ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void An_initialiser_that_fails_alone_is_tried_by_whoever_comes_next()
    {
        var world = new World();
        int tries = 0;
        var once = new AsyncOnce<int>(_ => ++tries == 1 ? throw new FormatException() : Future.FromResult(tries));
        Ask(world, once, 1)[0].Exception.ShouldBeOfType<FormatException>();
        once.ToString().ShouldBe("once 'once', not made (0 waiting)");
        Ask(world, once, 1)[0].Result.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_canceled_maker_takes_nobody_along()
    {
        var world = new World();
        var gate = new Gate();
        int tries = 0;
        var once = new AsyncOnce<int>(async token =>
        {
            token.IsCancellationRequested.ShouldBeFalse();
            tries++;
            await gate.WaitAsync();
            return tries;
        });
        ManagedTask<int>[] tasks = Ask(world, once, 3);
        tasks[0].Cancel();
        world.Run();
        tasks[0].State.ShouldBe(TaskState.Canceled);
        once.Holder.ShouldBe(tasks[1]);
        gate.Open();
        world.Run();
        tasks[1].Result.ShouldBe(2);
        tasks[2].Result.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S135_a_waiter_that_is_canceled_when_the_turn_has_come_to_it_passes_it_on_and_begins_nothing()
    {
        var world = new World();
        var gate = new Gate();
        var makers = new List<ManagedTask>();
        ManagedTask<int>[]? tasks = null;
        var once = new AsyncOnce<int>(async _ =>
        {
            makers.Add(ManagedTask.Current!);
            if (makers.Count == 1)
            {
                await gate.WaitAsync();
                throw new FormatException();
            }

            return 1;
        });
        ManagedTask<int> first = world.Spawn(async _ =>
        {
            try
            {
                return await once.GetAsync();
            }
            catch (FormatException)
            {
                world.Log($"on its way: {tasks![0].State}");
                tasks[0].Cancel();
                return 0;
            }
        });
        world.Run();
        tasks = Ask(world, once, 2);
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["on its way: Ready"]);
        tasks[0].State.ShouldBe(TaskState.Canceled);
        tasks[1].Result.ShouldBe(1);
        makers.ShouldBe([first, tasks[1]]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_canceled_waiter_leaves_the_queue_at_once()
    {
        var world = new World();
        var gate = new Gate();
        var once = new AsyncOnce<int>(async _ =>
        {
            await gate.WaitAsync();
            return 1;
        });
        ManagedTask<int>[] tasks = Ask(world, once, 3);
        tasks[1].Cancel();
        once.Waiting.ShouldBe(1);
        gate.Open();
        world.Run();
        tasks[2].Result.ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void An_initialiser_that_asks_for_what_it_makes_is_told_instead_of_waiting_for_itself()
    {
        var world = new World();
        AsyncOnce<int>? once = null;
        once = new AsyncOnce<int>(async _ => await once!.GetAsync(), "config");
        ManagedTask<int> task = Ask(world, once, 1)[0];
        task.Exception.ShouldBeOfType<LockRecursionException>().Message.ShouldStartWith($"{task.Id} 'task' makes the value of once 'config' and asks for it meanwhile");
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_code_and_plain_initialisers()
    {
        int made = 0;
        var once = new AsyncOnce<int>(MakeAsync);
        Task<int>[] all = [PlainAsync(), PlainAsync(), PlainAsync()];
        (await Task.WhenAll(all)).ShouldBe([1, 1, 1]);
        made.ShouldBe(1);
        (await once.GetAsync().AsFuture()).ShouldBe(1);

        async Task<int> PlainAsync() => await once.GetAsync();

        async Task<int> MakeAsync(CancellationToken token)
        {
            await Task.Yield();
            return ++made;
        }
    }

    [Fact]
    public void A_wait_can_be_put_under_a_timeout()
    {
        var world = new World();
        var gate = new Gate();
        var once = new AsyncOnce<int>(async _ =>
        {
            await gate.WaitAsync();
            return 1;
        });
        ManagedTask<int> maker = Ask(world, once, 1)[0];
        ManagedTask<int> waiter = world.Spawn(async _ => await once.GetAsync().WithTimeout(TimeSpan.FromSeconds(1)));
        world.Run();
        world.Advance(1);
        waiter.Exception.ShouldBeOfType<TaskTimeoutException>().Message.ShouldContain("once 'once', being made by");
        gate.Open();
        world.Run();
        maker.Result.ShouldBe(1);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_disposed_one_gives_nothing_to_anybody_but_who_makes_it()
    {
        var world = new World();
        var gate = new Gate();
        var once = new AsyncOnce<int>(
            async _ =>
            {
                await gate.WaitAsync();
                return 1;
            },
            "config");
        ManagedTask<int>[] tasks = Ask(world, once, 2);
        once.Dispose();
        gate.Open();
        world.Run();
        tasks[0].Result.ShouldBe(1);
        tasks[1].Exception.ShouldBeOfType<ObjectDisposedException>().Message.ShouldContain("Once 'config' has been disposed");
        once.IsMade.ShouldBeFalse();
        Ask(world, once, 1)[0].Exception.ShouldBeOfType<ObjectDisposedException>();
        once.TryGet(out int _).ShouldBeFalse();
        var made = new AsyncOnce<int>(_ => Future.FromResult(1));
        Ask(world, made, 1)[0].Result.ShouldBe(1);
        made.Dispose();
        made.TryGet(out int _).ShouldBeFalse();
        Ask(world, made, 1)[0].Exception.ShouldBeOfType<ObjectDisposedException>();
        Should.Throw<ArgumentNullException>(() => new AsyncOnce<int>((Func<CancellationToken, Future<int>>)null!));
        Should.Throw<ArgumentNullException>(() => new AsyncOnce<int>((Func<CancellationToken, Task<int>>)null!));
        Should.Throw<ArgumentNullException>(() => new AsyncOnce<int>(_ => Future.FromResult(1), null!));
        world.ShouldBeEmpty();
    }

    private static ManagedTask<T>[] Ask<T>(World world, AsyncOnce<T> once, int count)
    {
        var tasks = new ManagedTask<T>[count];
        for (int i = 0; i < count; i++)
        {
            tasks[i] = world.Spawn(async _ => await once.GetAsync());
            world.Run();
        }

        return tasks;
    }
}
