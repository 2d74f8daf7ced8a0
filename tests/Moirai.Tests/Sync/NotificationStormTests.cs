using System.Collections.Concurrent;

namespace Moirai.Tests.Sync;

/// <summary>Many threads, cancellation at random: no notification is lost, no generation has two leaders, no promise is kept twice.</summary>
public sealed class NotificationStormTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("notify")]
    [InlineData("barrier")]
    [InlineData("one-shot")]
    public void S139_what_a_wake_continues_may_use_the_primitive(string kind) => Continue(kind, static (primitive, wake) => wake());

    [Theory]
    [InlineData("notify")]
    [InlineData("barrier")]
    [InlineData("one-shot")]
    public void S139_what_a_disposal_continues_may_use_the_primitive(string kind) => Continue(kind, static (primitive, _) => primitive.Dispose());

    [Fact]
    public void S139_twin_a_primitive_that_continues_its_waiters_under_its_gate_is_caught()
    {
        var gate = new MutexStormTests.Gated();
        Should.Throw<ShouldAssertException>(() => Continue(
            "notify",
            (_, wake) =>
            {
                gate.Gate.Enter();
                wake();
                gate.Gate.Exit();
            },
            () => gate.Gate.TryEnter().ShouldBeTrue()));
    }

    [Fact]
    public async Task S135_S137_no_item_is_left_lying_when_those_who_were_told_are_canceled()
    {
        int seed = Seed();
        var notify = new Notify("items");
        var items = new ConcurrentQueue<int>();
        const int Count = 20_000;
        int taken = 0;
        await using var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("storm", async scope =>
        {
            for (int lane = 0; lane < 3; lane++)
            {
                var random = new Random(seed + lane);
                _ = scope.Spawn(async _ =>
                {
                    while (Volatile.Read(ref taken) < Count)
                    {
                        // One consumer after the other; most are canceled at some moment.
                        ManagedTask consumer = runtime.SpawnDetached(async _ => await ConsumeAsync());
                        if (random.Next(4) != 0)
                        {
                            await Future.Yield();
                            consumer.Cancel("storm");
                        }

                        await EndOfAsync(consumer);
                    }
                });
            }

            var often = new Random(seed);
            for (int i = 0; i < Count; i++)
            {
                items.Enqueue(i);
                notify.NotifyOne();
                if (often.Next(8) == 0)
                {
                    await Future.Yield();
                }
            }
        });
        taken.ShouldBe(Count);
        notify.Waiting.ShouldBe(0);
        World.ShouldBeEmpty(runtime);

        async Future ConsumeAsync()
        {
            while (true)
            {
                PrimitiveAwaitable told = notify.WaitAsync(); // from here on the last one's NotifyWaiters counts
                if (Volatile.Read(ref taken) == Count)
                {
                    return;
                }

                if (!items.TryDequeue(out int _))
                {
                    await told;
                }
                else if (Interlocked.Increment(ref taken) == Count)
                {
                    notify.NotifyWaiters();
                }
            }
        }
    }

    [Fact]
    public async Task S159_as_many_pass_as_parties_and_leaders_say_while_some_are_canceled()
    {
        int seed = Seed();
        const int Parties = 3;
        var barrier = new AsyncBarrier(Parties);
        int leaders = 0;
        int passed = 0;
        int canceled = 0;
        await using var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("storm", async scope =>
        {
            for (int lane = 0; lane < 6; lane++)
            {
                var random = new Random(seed + lane);
                _ = scope.Spawn(async _ =>
                {
                    for (int i = 0; i < 3_000; i++)
                    {
                        ManagedTask<bool> party = runtime.SpawnDetached(async _ => await barrier.WaitAsync());
                        if (random.Next(3) == 0)
                        {
                            await Future.Yield();
                            party.Cancel("storm");
                        }

                        await EndOfAsync(party);
                        if (party.State == TaskState.Completed)
                        {
                            Interlocked.Increment(ref passed);
                            Interlocked.Add(ref leaders, party.Result ? 1 : 0);
                        }
                        else
                        {
                            Interlocked.Increment(ref canceled);
                        }
                    }

                    barrier.Dispose(); // the first lane that is through lets the others go
                });
            }

            await Future.Yield();
        });
        output.WriteLine($"{leaders} generations, {canceled} did not pass");
        leaders.ShouldBePositive();
        passed.ShouldBe(leaders * Parties);
        barrier.Waiting.ShouldBe(0);
        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public async Task A_promise_is_kept_or_broken_and_never_both()
    {
        int seed = Seed();
        var random = new Random(seed);
        await using var runtime = new TaskRuntime();
        int[] ends = new int[4];
        for (int i = 0; i < 5_000; i++)
        {
            (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            int value = i;
            bool sent = false;
            bool breaks = random.Next(2) == 0;
            ManagedTask<int> waiter = runtime.SpawnDetached(async _ => await receiver.ReceiveAsync());
            ManagedTask worker = runtime.SpawnDetached(async _ =>
            {
                sender.TakeOver();
                await Future.Yield();
                sent = sender.TrySend(value);
            });
            Task other = (breaks, random.Next(3)) switch
            {
                (true, 0) => Task.Run(() => worker.Cancel("storm")),
                (true, 1) => Task.Run(() => waiter.Cancel("storm")),
                (true, _) => Task.Run(receiver.Dispose),
                _ => Task.CompletedTask,
            };
            await EndOfAsync(worker);
            sender.Dispose(); // a worker that was canceled before it began has taken nothing over
            await EndOfAsync(waiter);
            await other;
            string what = $"worker {worker}, waiter {waiter}, {waiter.Exception}";
            switch (waiter.State)
            {
                case TaskState.Completed:
                    sent.ShouldBeTrue(what);
                    waiter.Result.ShouldBe(value);
                    ends[0]++;
                    break;
                case TaskState.Canceled:
                    ends[1]++;
                    break;
                default:
                    if (waiter.Exception is BrokenSynchronizationException)
                    {
                        sent.ShouldBeFalse(what);
                        worker.State.ShouldBe(TaskState.Canceled, what);
                        ends[2]++;
                    }
                    else
                    {
                        waiter.Exception.ShouldBeOfType<ObjectDisposedException>(what);
                        ends[3]++;
                    }

                    break;
            }

            receiver.Waiting.ShouldBe(0);
        }

        output.WriteLine($"kept {ends[0]}, receive canceled {ends[1]}, broken {ends[2]}, disposed {ends[3]}");
        ends.Sum().ShouldBe(5_000);
        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public async Task One_makes_it_at_a_time_until_one_has_made_it()
    {
        int seed = Seed();
        await using var runtime = new TaskRuntime();
        for (int round = 0; round < 400; round++)
        {
            var random = new Random(seed + round);
            int failures = random.Next(4);
            int running = 0;
            int overlaps = 0;
            int made = 0;
            var once = new AsyncOnce<int>(async _ =>
            {
                overlaps += Interlocked.Increment(ref running) - 1;
                try
                {
                    await Future.Yield();
                    return Interlocked.Decrement(ref failures) >= 0 ? throw new FormatException() : Interlocked.Increment(ref made);
                }
                finally
                {
                    Interlocked.Decrement(ref running);
                }
            });
            var tasks = new ManagedTask<int>[12];
            for (int i = 0; i < tasks.Length; i++)
            {
                tasks[i] = runtime.SpawnDetached(async _ => await once.GetAsync());
            }

            for (int i = 0; i < 5; i++)
            {
                tasks[random.Next(tasks.Length)].Cancel("storm");
            }

            foreach (ManagedTask<int> task in tasks)
            {
                await EndOfAsync(task);
                (task.State != TaskState.Completed || task.Result == 1).ShouldBeTrue();
                (task.Exception is null or FormatException).ShouldBeTrue(task.Exception?.ToString());
            }

            overlaps.ShouldBe(0);
            made.ShouldBe(once.IsMade ? 1 : 0);
            once.Waiting.ShouldBe(0);
        }

        World.ShouldBeEmpty(runtime);
    }

    private static async Future EndOfAsync(ManagedTask task)
    {
        try
        {
            await task;
        }
        catch (Exception) when (task.State != TaskState.Completed)
        {
            // the test looks at the outcome itself
        }
    }

    private static void Continue(string kind, Action<SynchronizationPrimitive, Action> release, Action? inside = null)
    {
        (SynchronizationPrimitive primitive, Func<Task> wait, Action wake) = Make(kind);
        Exception? error = null;
        bool ran = false;
        SynchronizationContext? outer = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new Inline());
        Task waiter = WaitAsync();
        SynchronizationContext.SetSynchronizationContext(outer);
        primitive.Waiting.ShouldBe(1);
        release(primitive, wake);
        waiter.IsCompletedSuccessfully.ShouldBeTrue();
        ran.ShouldBeTrue();
        if (error is not null)
        {
            throw error;
        }

        async Task WaitAsync()
        {
            try
            {
                await wait();
            }
            catch (ObjectDisposedException)
            {
                // as planned
            }

            try
            {
                ran = true;
                inside?.Invoke();
                primitive.Waiting.ShouldBe(0);
                primitive.ToString().ShouldNotBeNull();
                primitive.Dispose();
            }
            catch (ShouldAssertException failed)
            {
                error = failed;
            }
        }
    }

    private static (SynchronizationPrimitive Primitive, Func<Task> Wait, Action Wake) Make(string kind)
    {
        switch (kind)
        {
            case "notify":
                var notify = new Notify();
                return (notify, async () => await notify.WaitAsync(), notify.NotifyOne);
            case "barrier":
                var barrier = new AsyncBarrier(2);
                return (barrier, async () => await barrier.WaitAsync(), () => AsyncBarrierTests.ComeLast(barrier));
            case "one-shot":
                (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
                return (receiver, async () => await receiver.ReceiveAsync(), () => sender.TrySend(1));
            default:
                throw new ArgumentOutOfRangeException(nameof(kind));
        }
    }

    private int Seed()
    {
        int seed = Environment.ProcessId ^ (int)TimeProvider.System.GetTimestamp();
        output.WriteLine($"seed {seed}");
        return seed;
    }
}
