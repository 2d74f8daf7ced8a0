namespace Moirai.Tests.Wakers;

/// <summary>Leaf futures made of a poll function.</summary>
public sealed class FromPollTests
{
    // Code that the compiler has not optimized yet boxes the awaiter.
    private const int BoxOfAnAwaiter = 24;

    [Fact]
    public void D3_each_form_asks_until_it_is_ready_and_gives_its_value()
    {
        var world = new World();
        var source = new Source();
        ManagedTask<string> task = world.Runtime.SpawnDetached(async _ =>
        {
            await Future.FromPoll(source.Poll);
            await Future.FromPoll(source, static (source, waker) => source.Poll(waker));
            int number = await Future.FromPoll(waker => source.Poll(waker) ? Poll<int>.Ready(7) : Poll<int>.Pending);
            string? text = await Future.FromPoll((source, number), static (state, waker) => state.source.Poll(waker) ? Poll<string?>.Ready($"{state.number}") : default);
            return text + await Future.FromPoll<string?>(static _ => Poll<string?>.Ready(null));
        });
        for (int opened = 0; opened < 4; opened++)
        {
            world.Run();
            task.State.ShouldBe(TaskState.Blocked);
            source.Open();
        }

        world.ShouldBeEmpty();
        task.Result.ShouldBe("7");
        source.Asked.ShouldBe(8, "each was asked twice: in vain, and when it was woken");
    }

    [Fact]
    public async Task D3_plain_async_code_awaits_it_too()
    {
        var source = new Source();
        Task<int> task = PlainAsync();
        task.IsCompleted.ShouldBeFalse();
        source.Open();
        (await task).ShouldBe(7);

        async Task<int> PlainAsync()
        {
            await Future.FromPoll(source.Poll);
            return 7;
        }
    }

    [Fact]
    public void D3_it_may_be_asked_in_vain_and_is_never_asked_again_once_it_is_ready()
    {
        var world = new World();
        int asked = 0;
        Waker kept = default;
        ManagedTask<int> task = world.Runtime.SpawnDetached(Future.FromPoll(waker =>
        {
            kept = waker;
            return ++asked == 4 ? Poll<int>.Ready(asked) : Poll<int>.Pending;
        }));
        for (int wakes = 0; wakes < 6; wakes++)
        {
            world.Run();
            asked.ShouldBe(Math.Min(wakes + 1, 4));
            kept.Wake();
            kept.Wake();
        }

        task.Result.ShouldBe(4);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void D3_a_wake_during_a_look_lets_it_look_again_after_the_others_had_their_turn()
    {
        var world = new World();
        int asked = 0;
        ManagedTask task = world.Runtime.SpawnDetached(Future.FromPoll(waker =>
        {
            world.Log($"asked {++asked}");
            waker.Wake();
            waker.Wake();
            return asked == 3;
        }));
        _ = world.Spawn(async _ =>
        {
            for (int i = 0; i < 3; i++)
            {
                world.Log("other");
                await Future.Yield();
            }
        });
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Completed);
        world.Trace.ShouldBe(["asked 1", "other", "asked 2", "other", "asked 3", "other"]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void D3_what_the_function_throws_is_what_the_await_throws_and_the_source_stays_usable(int throwsAt)
    {
        var world = new World();
        var source = new Source();
        int asked = 0;
        bool caught = false;
        ManagedTask task = world.Start(async _ =>
        {
            try
            {
                await Future.FromPoll(waker => source.Poll(waker) | (++asked == throwsAt ? throw new FormatException("as planned") : false));
            }
            catch (FormatException error) when (error.Message == "as planned")
            {
                caught = true;
            }

            await Future.FromPoll(source.Poll);
        });
        caught.ShouldBe(throwsAt == 1);
        source.Knock();
        world.Run();
        caught.ShouldBeTrue();
        asked.ShouldBe(throwsAt, "a function that threw is not asked again");
        task.State.ShouldBe(TaskState.Blocked);
        source.Open();
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Completed);
    }

    [Fact]
    public void D3_a_failure_that_nobody_catches_is_the_tasks_failure()
    {
        var world = new World();
        world.Fails<FormatException>(Future.FromPoll(static _ => throw new FormatException("as planned"))).Message.ShouldBe("as planned");
        world.Fails<FormatException>(Future.FromPoll<int>(static _ => throw new FormatException("as planned")));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void D3_a_second_task_that_polls_the_same_future_is_told_so_and_the_first_goes_on()
    {
        var world = new World();
        var source = new Source();
        Future<int> shared = Future.FromPoll(waker => source.Poll(waker) ? Poll<int>.Ready(7) : Poll<int>.Pending, "data on socket 5");
        ManagedTask<int> first = world.Runtime.SpawnDetached(async _ => await shared, name: "first");
        world.Run();
        ManagedTask<int> second = world.Runtime.SpawnDetached(async _ => await shared, name: "second");
        world.Run();
        string message = second.Exception.ShouldBeOfType<InvalidOperationException>().Message;
        message.ShouldContain($"a future that waits for data on socket 5 is already running as {first.Id} 'first'");
        message.ShouldContain("A future runs once");
        source.Asked.ShouldBe(1, "the second has not disturbed the source");
        first.State.ShouldBe(TaskState.Blocked);
        source.Open();
        world.ShouldBeEmpty();
        first.Result.ShouldBe(7);
        Should.Throw<InvalidOperationException>(() => world.Runtime.SpawnDetached(shared)).Message.ShouldContain("has already run");
    }

    [Fact]
    public void D3_a_canceled_wait_throws_and_the_function_is_not_asked_again()
    {
        var world = new World();
        var source = new Source();
        ManagedTask waiting = world.Start(async _ => await Future.FromPoll(source.Poll));
        ManagedTask canceledBefore = world.Spawn(async _ => await Future.FromPoll(source.Poll));
        ManagedTask cancelsItself = world.Spawn(async _ => await Future.FromPoll(waker =>
        {
            ManagedTask.Current!.Cancel();
            waker.Wake();
            return source.Poll(waker);
        }));
        waiting.Cancel();
        canceledBefore.Cancel();
        world.ShouldBeEmpty();
        source.Asked.ShouldBe(2);
        new[] { waiting, canceledBefore, cancelsItself }.ShouldAllBe(task => task.State == TaskState.Canceled);
        source.Open();
        world.Run().ShouldBe(0);
    }

    [Fact]
    public void D3_what_it_waits_for_is_in_messages()
    {
        var world = new World();
        ManagedTask named = world.Start(_ => Future.FromPoll(static _ => false, "data on socket 5"));
        ManagedTask nameless = world.Start(_ => Future.FromPoll(static _ => false));
        named.DescribeWait().ShouldBe("data on socket 5");
        nameless.DescribeWait().ShouldBe("a polled operation to wake it");
        ManagedTask timed = world.Start(async _ => await Future.FromPoll(1, static (_, _) => Poll<int>.Pending, "data on socket 6").WithTimeout(TimeSpan.FromSeconds(1)));
        world.Advance(1);
        timed.Exception.ShouldBeOfType<TaskTimeoutException>().Message.ShouldContain("data on socket 6");
        named.Cancel();
        nameless.Cancel();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void D3_a_task_whose_operations_are_always_ready_gives_way_now_and_then()
    {
        var world = new World();
        int done = 0;
        ManagedTask busy = world.Spawn(async _ =>
        {
            while (done < 10_000)
            {
                await Future.FromPoll(static _ => true);
                done++;
            }
        });
        int seen = 0;
        _ = world.Spawn(_ =>
        {
            seen = done;
            return Future.Completed();
        });
        ManagedTask other = world.Spawn(async _ =>
        {
            await Future.Yield();
            seen = done;
        });
        world.Run();
        busy.State.ShouldBe(TaskState.Completed);
        other.State.ShouldBe(TaskState.Completed);
        seen.ShouldBeInRange(1, 1_000);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void D3_it_sets_and_sees_ambient_values_as_one_piece_of_code()
    {
        var world = new World();
        var ambient = new AsyncLocal<int>();
        Waker kept = default;
        ManagedTask task = world.Start(async _ =>
        {
            ambient.Value = 1;
            await Future.FromPoll(waker =>
            {
                kept = waker;
                return ++ambient.Value == 4;
            });
            ambient.Value.ShouldBe(1, "what a callee sets stays in the callee, as in async methods");
        });
        kept.Wake();
        world.Run();
        kept.Wake();
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Completed);
    }

    [Fact]
    public void D3_a_wait_that_polls_costs_its_frame_and_nothing_else()
    {
        const int Waits = 3;
        var world = new World();
        var source = new Source();
        var made = new long[Waits];
        var waited = new long[Waits];
        ManagedTask task = world.Spawn(async _ =>
        {
            await Future.FromPoll(static _ => true); // makes the task's wake target
            for (int i = 0; i < Waits; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                Future<int> future = Future.FromPoll(source, static (source, waker) => source.Poll(waker) ? Poll<int>.Ready(1) : Poll<int>.Pending);
                made[i] = GC.GetAllocatedBytesForCurrentThread() - before;
                before = GC.GetAllocatedBytesForCurrentThread();
                await future;
                waited[i] = GC.GetAllocatedBytesForCurrentThread() - before;
            }
        });
        for (int i = 0; i < Waits; i++)
        {
            world.Run();
            source.Open();
        }

        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Completed);
        made[1..].ShouldAllBe(bytes => bytes == 112);
        waited[1..].ShouldAllBe(bytes => bytes == 0 || bytes == BoxOfAnAwaiter);
    }

    [Fact]
    public void D3_a_task_has_one_target_for_its_wakers_and_makes_it_when_it_first_polls()
    {
        var world = new World();
        var bytes = new long[3];
        world.Run(PollAsync());
        bytes.ShouldBe([40, 0, 0]);
        world.ShouldBeEmpty();

        async Future PollAsync()
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                _ = ManagedTask.Current!.Waking;
                bytes[i] = GC.GetAllocatedBytesForCurrentThread() - before;
                await Future.Yield();
            }
        }
    }

    [Fact]
    public void D3_no_function_is_no_future()
    {
        Should.Throw<ArgumentNullException>(() => Future.FromPoll(null!)).ParamName.ShouldBe("poll");
        Should.Throw<ArgumentNullException>(() => Future.FromPoll(1, (Func<int, Waker, bool>)null!)).ParamName.ShouldBe("poll");
        Should.Throw<ArgumentNullException>(() => Future.FromPoll((Func<Waker, Poll<int>>)null!)).ParamName.ShouldBe("poll");
        Should.Throw<ArgumentNullException>(() => Future.FromPoll(1, (Func<int, Waker, Poll<int>>)null!)).ParamName.ShouldBe("poll");
    }

    [Fact]
    public void D3_an_answer_is_pending_or_ready()
    {
        Poll<int>.Pending.IsReady.ShouldBeFalse();
        default(Poll<int>).ShouldBe(Poll<int>.Pending);
        Should.Throw<InvalidOperationException>(() => Poll<int>.Pending.Value).Message.ShouldContain("pending");
        Poll<int>.Ready(0).IsReady.ShouldBeTrue();
        Poll<int>.Ready(0).ShouldNotBe(Poll<int>.Pending);
        Poll<int>.Ready(3).Value.ShouldBe(3);
        Poll<string?>.Ready(null).Value.ShouldBeNull();
        $"{Poll<int>.Ready(3)} {Poll<int>.Pending}".ShouldBe("Ready(3) Pending");
    }

    /// <summary>What opens once for each who passes.</summary>
    private sealed class Source
    {
        private readonly AtomicWaker _waiting = new();
        private bool _open;

        public int Asked { get; private set; }

        public bool Poll(Waker waker)
        {
            Asked++;
            _waiting.Register(waker);
            bool open = _open;
            _open = false;
            return open;
        }

        public void Open()
        {
            _open = true;
            _waiting.Wake();
        }

        public void Knock() => _waiting.Wake();
    }
}
