using System.Runtime.CompilerServices;

namespace Moirai.Tests.Wakers;

/// <summary>Leaf futures made of a callback: it may come never, late, twice, at once, and from any thread.</summary>
public sealed class FromCallbackTests
{
    // Code that the compiler has not optimized yet boxes the awaiter.
    private const int BoxOfAnAwaiter = 24;

    public enum Way
    {
        AtOnce,
        Later,
        OnAnotherThread,
    }

    [Theory]
    [InlineData(Way.AtOnce)]
    [InlineData(Way.Later)]
    [InlineData(Way.OnAnotherThread)]
    public void D3_the_await_gives_what_the_callback_brings(Way way)
    {
        var service = new Service();
        world().Result.ShouldBe("value");
        service.Trace.ShouldBe(["register"]);

        ManagedTask<string> world()
        {
            var world = new World();
            service.OnRegister = source =>
            {
                if (way == Way.AtOnce)
                {
                    source.TrySetResult("value").ShouldBeTrue();
                }
            };
            ManagedTask<string> task = world.Runtime.SpawnDetached(service.AskAsync());
            service.Trace.ShouldBeEmpty("a future is cold");
            world.Run();
            task.IsEnded.ShouldBe(way == Way.AtOnce);
            CallbackSource<string> source = service.Source!;
            source.IsPending.ShouldBe(way != Way.AtOnce);
            if (way == Way.Later)
            {
                source.TrySetResult("value").ShouldBeTrue();
            }
            else if (way == Way.OnAnotherThread)
            {
                var thread = new Thread(() => source.TrySetResult("value").ShouldBeTrue());
                thread.Start();
                thread.Join();
            }

            source.IsPending.ShouldBeFalse();
            world.Run().ShouldBe(way == Way.AtOnce ? 0 : 1, "it is woken once");
            world.ShouldBeEmpty();
            return task;
        }
    }

    [Fact]
    public void D3_a_callback_that_comes_twice_is_refused_the_second_time()
    {
        var world = new World();
        var service = new Service();
        ManagedTask<string> task = world.Runtime.SpawnDetached(service.AskAsync());
        world.Run();
        service.Source!.TrySetResult("first").ShouldBeTrue();
        AllRefused(service.Source);
        world.Run().ShouldBe(1);
        AllRefused(service.Source);
        world.Run().ShouldBe(0);
        task.Result.ShouldBe("first");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void D3_a_callback_that_comes_after_the_cancellation_is_refused_and_wakes_nobody()
    {
        var world = new World();
        var service = new Service();
        ManagedTask<string> task = world.Runtime.SpawnDetached(service.AskAsync());
        world.Run();
        service.OnUnregister = AllRefused;
        task.Cancel();
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Canceled);
        service.Trace.ShouldBe(["register", "unregister"]);
        AllRefused(service.Source!);
        world.Run().ShouldBe(0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void D3_a_callback_that_comes_at_the_moment_of_the_cancellation_is_not_lost(bool callbackFirst)
    {
        var world = new World();
        var service = new Service();
        string? got = null;
        ManagedTask task = world.Start(async _ =>
        {
            got = await service.AskAsync();
            await Future.Yield();
        });
        if (callbackFirst)
        {
            service.Source!.TrySetResult("value").ShouldBeTrue();
            task.Cancel();
        }
        else
        {
            task.Cancel();
            service.Source!.TrySetResult("value").ShouldBeTrue("nobody has given up yet");
        }

        world.ShouldBeEmpty();
        got.ShouldBe("value");
        task.State.ShouldBe(TaskState.Canceled, "the next wait throws");
        service.Trace.ShouldBe(["register"]);
    }

    [Fact]
    public void D3_a_callback_that_comes_at_the_moment_of_the_timeout_is_not_lost()
    {
        var world = new World();
        var service = new Service();
        ManagedTask<string> task = world.Runtime.SpawnDetached(service.AskAsync().WithTimeout(TimeSpan.FromSeconds(1)));
        world.Run();
        world.Time.Advance(TimeSpan.FromSeconds(1));
        service.Source!.TrySetResult("value").ShouldBeTrue("nobody has given up yet");
        world.ShouldBeEmpty();
        task.Result.ShouldBe("value");
        service.Trace.ShouldBe(["register"]);
    }

    [Fact]
    public void D3_a_task_that_was_canceled_before_it_could_register_never_registers()
    {
        var world = new World();
        var service = new Service();
        ManagedTask busy = world.Spawn(async _ =>
        {
            for (int i = 0; i < 63; i++)
            {
                await Future.FromPoll(static _ => true);
            }

            ManagedTask.Current!.Cancel();
            await service.AskAsync(); // gives way first, and finds that it was canceled
        });
        world.ShouldBeEmpty();
        busy.State.ShouldBe(TaskState.Canceled);
        service.Trace.ShouldBeEmpty();
    }

    [Fact]
    public void D3_the_other_side_may_fail_or_cancel()
    {
        var world = new World();
        var failure = new FormatException("as planned");
        using var theirs = new CancellationTokenSource();
        var failing = new Service { OnRegister = source => source.TrySetException(failure).ShouldBeTrue() };
        var canceling = new Service { OnRegister = source => source.TrySetCanceled(theirs.Token).ShouldBeTrue() };
        world.Fails<FormatException>(failing.AskAsync()).ShouldBeSameAs(failure);
        ManagedTask<string> task = world.Runtime.SpawnDetached(canceling.AskAsync());
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Failed, "a cancellation that comes from elsewhere is a failure");
        task.Exception.ShouldBeOfType<OperationCanceledException>().CancellationToken.ShouldBe(theirs.Token);
        Should.Throw<ArgumentNullException>(() => failing.Source!.TrySetException(null!));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void D3_a_registration_that_throws_is_what_the_await_throws_and_is_undone(bool callsBackFirst)
    {
        var world = new World();
        var service = new Service
        {
            OnRegister = source =>
            {
                callsBackFirst.ShouldBe(callsBackFirst && source.TrySetResult("lost"));
                throw new FormatException("as planned");
            },
        };
        world.Fails<FormatException>(service.AskAsync()).Message.ShouldBe("as planned");
        service.Trace.ShouldBe(callsBackFirst ? ["register"] : ["register", "unregister"]);
        AllRefused(service.Source!);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void D3_unregistering_that_throws_is_told_and_the_cancellation_stands()
    {
        var world = new World();
        var service = new Service { OnUnregister = _ => throw new FormatException("as planned") };
        ManagedTask<string> task = world.Runtime.SpawnDetached(service.AskAsync(), name: "asker");
        world.Run();
        task.Cancel();
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Canceled);
        RuntimeEvent told = world.Events.ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.CancelCallbackFailed);
        told.Task.ShouldBe(task.Id);
        told.Message.ShouldBe($"{task.Id} 'asker' gave up waiting for the reply, and unregistering from that threw: as planned");
        told.Error.ShouldBeOfType<FormatException>();
    }

    [Fact]
    public void D3_without_a_way_to_unregister_a_canceled_wait_just_ends()
    {
        var world = new World();
        CallbackSource<int>? kept = null;
        ManagedTask task = world.Start(async _ => await Future.FromCallback<int>(source => kept = source));
        task.DescribeWait().ShouldBe("a callback");
        task.Cancel();
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Canceled);
        kept!.TrySetResult(1).ShouldBeFalse();
    }

    [Fact]
    public void D3_the_short_form_registers_and_unregisters_with_the_source_alone()
    {
        var world = new World();
        List<CallbackSource<int>> waiting = [];
        ManagedTask<int> task = world.Runtime.SpawnDetached(Future.FromCallback<int>(waiting.Add, source => waiting.Remove(source).ShouldBeTrue(), "the reply"));
        ManagedTask<int> canceled = world.Runtime.SpawnDetached(Future.FromCallback<int>(waiting.Add, source => waiting.Remove(source).ShouldBeTrue()));
        world.Run();
        task.DescribeWait().ShouldBe("the reply");
        canceled.Cancel();
        world.Run();
        waiting.ShouldHaveSingleItem().TrySetResult(7);
        world.ShouldBeEmpty();
        task.Result.ShouldBe(7);
    }

    [Fact]
    public void D3_no_registration_is_no_future()
    {
        Should.Throw<ArgumentNullException>(() => Future.FromCallback<int>(null!)).ParamName.ShouldBe("register");
        Should.Throw<ArgumentNullException>(() => Future.FromCallback<int, int>(1, null!)).ParamName.ShouldBe("register");
    }

    [Fact]
    public void D3_a_wait_for_a_callback_costs_its_frame_and_its_source()
    {
        const int Waits = 3;
        var world = new World();
        var made = new long[Waits];
        var waited = new long[Waits];
        ManagedTask task = world.Spawn(async _ =>
        {
            for (int i = 0; i < Waits; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                Future<int> future = Future.FromCallback<int, int>(1, static (_, source) => source.TrySetResult(1));
                made[i] = GC.GetAllocatedBytesForCurrentThread() - before;
                before = GC.GetAllocatedBytesForCurrentThread();
                await future;
                waited[i] = GC.GetAllocatedBytesForCurrentThread() - before;
            }
        });
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Completed);
        made[1..].ShouldAllBe(bytes => bytes == 128);
        waited[1..].ShouldAllBe(bytes => bytes == 40 || bytes == 40 + BoxOfAnAwaiter);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task B1_a_callback_that_never_comes_keeps_nothing_of_a_disposed_runtime(bool plant)
    {
        var kept = new List<object>();
        (CallbackSource<object> source, Waker waker, AtomicWaker place, WeakReference[] gone) = await LeaveWaitingAsync(plant ? kept : null);
        if (plant)
        {
            Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(gone[0]));
        }
        else
        {
            Array.ForEach(gone, Garbage.ShouldBeGone);
        }

        source.TrySetResult(new object()).ShouldBeFalse();
        waker.Wake();
        place.Wake();
        GC.KeepAlive(kept);
    }

    [Fact]
    public void D3_a_source_that_is_kept_keeps_no_value_that_it_was_given()
    {
        var world = new World();
        (CallbackSource<object> source, CallbackSource<object> failed, WeakReference[] values) = GiveValues(world);
        Array.ForEach(values, Garbage.ShouldBeGone);
        failed.IsPending.ShouldBeFalse();
        source.IsPending.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task D3_S139_cancel_racing_the_callback_loses_and_doubles_no_value()
    {
        const int Rounds = 4_000;
        int seed = Environment.ProcessId ^ (int)TimeProvider.System.GetTimestamp();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using var runtime = new TaskRuntime();
        int given = 0;
        int got = 0;
        int unregistered = 0;
        int refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            CallbackSource<int>? source = null;
            ManagedTask task = runtime.SpawnDetached(async _ =>
            {
                int value = await Future.FromCallback<int>(
                    registered => Volatile.Write(ref source, registered),
                    _ => Interlocked.Increment(ref unregistered));
                Interlocked.Add(ref got, value);
            });
            var spinner = default(SpinWait);
            while (Volatile.Read(ref source) is null)
            {
                spinner.SpinOnce();
            }

            int delay = random.Next(100);
            Task callback = Task.Run(() =>
            {
                Thread.SpinWait(delay);
                Interlocked.Increment(ref source!.TrySetResult(1) ? ref given : ref refused);
            });
            Thread.SpinWait(random.Next(100));
            task.Cancel();
            await callback;
            await task.AsTask().ContinueWith(static _ => { }, TaskScheduler.Default);
        }

        given.ShouldBe(got, $"seed {seed}");
        refused.ShouldBe(unregistered, $"seed {seed}");
        (given + refused).ShouldBe(Rounds, $"seed {seed}");
        World.ShouldBeEmpty(runtime);
    }

    private static void AllRefused(CallbackSource<string> source)
    {
        source.TrySetResult("late").ShouldBeFalse();
        source.TrySetException(new FormatException()).ShouldBeFalse();
        source.TrySetCanceled().ShouldBeFalse();
        source.IsPending.ShouldBeFalse();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<(CallbackSource<object> Source, Waker Waker, AtomicWaker Place, WeakReference[] Gone)> LeaveWaitingAsync(List<object>? plant)
    {
        var runtime = new TaskRuntime();
        var registered = new TaskCompletionSource<CallbackSource<object>>(TaskCreationOptions.RunContinuationsAsynchronously);
        var polled = new TaskCompletionSource<Waker>(TaskCreationOptions.RunContinuationsAsynchronously);
        var place = new AtomicWaker();
        var captured = new object();
        plant?.Add(captured);
        WeakReference[] gone =
        [
            new(captured),
            new(runtime.SpawnDetached(async _ =>
            {
                await Future.FromCallback<object>(registered.SetResult);
                GC.KeepAlive(captured);
            })),
            new(runtime.SpawnDetached(async _ =>
            {
                await Future.FromPoll(waker =>
                {
                    place.Register(waker);
                    polled.TrySetResult(waker);
                    return false;
                });
                GC.KeepAlive(captured);
            })),
        ];
        CallbackSource<object> source = await registered.Task;
        Waker waker = await polled.Task;
        await runtime.StopAsync(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        World.ShouldBeEmpty(runtime);
        return (source, waker, place, gone);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (CallbackSource<object> Source, CallbackSource<object> Failed, WeakReference[] Values) GiveValues(World world)
    {
        CallbackSource<object>? source = null;
        object[] values = [new(), new(), new(), new()];
        ManagedTask task = world.Start(async _ => await Future.FromCallback<object>(given => source = given));
        source!.TrySetResult(values[0]).ShouldBeTrue();
        source.TrySetResult(values[1]).ShouldBeFalse();
        world.Run();
        source.TrySetResult(values[2]).ShouldBeFalse();
        task.State.ShouldBe(TaskState.Completed);

        // One that came, and then the registration failed: nobody will take it.
        CallbackSource<object>? failed = null;
        world.Fails<NotSupportedException>(Future.FromCallback<object>(given =>
        {
            failed = given;
            given.TrySetResult(values[3]).ShouldBeTrue();
            throw new NotSupportedException();
        }));
        return (source, failed!, [.. values.Select(value => new WeakReference(value))]);
    }

    private sealed class Service
    {
        public List<string> Trace { get; } = [];

        public CallbackSource<string>? Source { get; private set; }

        public Action<CallbackSource<string>>? OnRegister { get; set; }

        public Action<CallbackSource<string>>? OnUnregister { get; set; }

        public Future<string> AskAsync() => Future.FromCallback<Service, string>(
            this,
            static (service, source) =>
            {
                service.Trace.Add("register");
                service.Source = source;
                service.OnRegister?.Invoke(source);
            },
            static (service, source) =>
            {
                service.Trace.Add("unregister");
                source.ShouldBeSameAs(service.Source);
                service.OnUnregister?.Invoke(source);
            },
            "the reply");
    }
}
