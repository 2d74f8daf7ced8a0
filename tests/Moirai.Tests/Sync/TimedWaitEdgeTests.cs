using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Tests.Sync;

/// <summary>Row A1: a timed wait in a primitive at the moments at which it begins and ends.</summary>
public sealed class TimedWaitEdgeTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A1_a_token_that_is_canceled_between_the_question_and_the_wait_ends_it(bool givesWay)
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        using var source = new CancellationTokenSource();
        ManagedTask<int> waiter = world.Spawn(async _ =>
        {
            UseUpTurns(givesWay);
            return await new Between(receiver.ReceiveAsync(source.Token).WithTimeout(s_second), Before: source.Cancel);
        });
        world.Run();
        waiter.State.ShouldBe(TaskState.Failed);
        waiter.Exception.ShouldBeOfType<OperationCanceledException>();
        world.Timers.ShouldBe(0);
        GC.KeepAlive(sender);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_a_timer_that_fires_late_finds_no_frame_that_serves_another()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        WaitNode? timer = null;
        ManagedTask task = world.Runtime.SpawnDetached(WaitAsync());
        world.Run();
        task.State.ShouldBe(TaskState.Canceled);
        timer.ShouldNotBeNull();
        var batch = default(WakeBatch);
        timer.Resume(ref batch);
        batch.Flush();
        GC.KeepAlive(sender);
        world.ShouldBeEmpty();

        // Canceled where it gives way before its wait, while the time goes by.
        async Future<int> WaitAsync()
        {
            UseUpTurns();
            return await new Between(
                receiver.ReceiveAsync().WithTimeout(s_second),
                Before: () => ManagedTask.Current!.Cancel(),
                After: () =>
                {
                    timer = world.Runtime.Engine.Timers.ListEntries().Single().Node;
                    world.Runtime.Engine.Timers.Remove(timer); // as a turn does
                    timer.TryClaim().ShouldBeTrue();
                });
        }
    }

    [Fact]
    public void A1_no_time_tells_what_is_broken_or_disposed_or_was_received()
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        sender.Dispose();
        world.Fails<BrokenSynchronizationException>(ReceiveAsync(receiver, TimeSpan.Zero));
        var notify = new Notify("items");
        notify.Dispose();
        world.Fails<ObjectDisposedException>(WaitAsync(notify));
        (sender, receiver) = OneShot.Create<int>("price");
        sender.TrySend(1);
        world.Run(ReceiveAsync(receiver, TimeSpan.Zero)).ShouldBe(1);
        world.Fails<InvalidOperationException>(ReceiveAsync(receiver, TimeSpan.Zero));
        var mutex = new AsyncMutex("cache");
        mutex.Dispose();
        world.Fails<ObjectDisposedException>(LockAsync(mutex)).Message.ShouldContain("Mutex 'cache' has been disposed");
        world.ShouldBeEmpty();

        static async Future LockAsync(AsyncMutex mutex) => (await mutex.LockAsync().WithTimeout(TimeSpan.Zero)).Dispose();

        static async Future WaitAsync(Notify notify) => await notify.WaitAsync().WithTimeout(TimeSpan.Zero);
    }

    [Theory]
    [InlineData("timed wait")]
    [InlineData("delay")]
    [InlineData("timed task")]
    [InlineData("interval")]
    [InlineData("second tick")]
    public void A1_clean_up_runs_when_a_wait_cannot_begin(string wait)
    {
        var world = new World();
        (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>("price");
        var mutex = new AsyncMutex("cache");
        var trace = new List<string>();
        Interval every = null!;
        world.Start(async _ =>
        {
            every = new Interval(s_second);
            await Future.Yield();
        });
        ManagedTask? other = wait == "second tick" ? world.Start(async _ => await every.NextAsync()) : null;
        if (other is null)
        {
            world.Runtime.Engine.Timers.Dispose();
        }

        ManagedTask caught = world.Start(_ => CatchAsync());
        caught.State.ShouldBe(TaskState.Completed);
        trace.ShouldBe(["caught", "finally"]);
        ManagedTask failed = world.Start(_ => FailAsync());
        failed.State.ShouldBe(TaskState.Failed);
        mutex.TryLock(out MutexLease lease).ShouldBeTrue("the lease was given back");
        lease.Dispose();
        receiver.Waiting.ShouldBe(0);
        other?.Cancel();
        world.Run();
        GC.KeepAlive(sender);
        world.ShouldBeEmpty();

        async Future FailAsync()
        {
            using (await mutex.LockAsync())
            {
                switch (wait)
                {
                    case "timed wait":
                        await receiver.ReceiveAsync().WithTimeout(s_second);
                        break;
                    case "delay":
                        await Future.Delay(s_second);
                        break;
                    case "timed task":
                        await new TaskCompletionSource().Task.WithTimeout(s_second);
                        break;
                    default:
                        await every.NextAsync();
                        break;
                }
            }
        }

        async Future CatchAsync()
        {
            try
            {
                try
                {
                    switch (wait)
                    {
                        case "timed wait":
                            await receiver.ReceiveAsync().WithTimeout(s_second);
                            break;
                        case "delay":
                            await Future.Delay(s_second);
                            break;
                        case "timed task":
                            await new TaskCompletionSource().Task.WithTimeout(s_second);
                            break;
                        default:
                            await every.NextAsync();
                            break;
                    }
                }
                catch (Exception error) when (error is ObjectDisposedException or InvalidOperationException)
                {
                    trace.Add("caught");
                }
            }
            finally
            {
                trace.Add("finally");
            }
        }
    }

    [Fact]
    public async Task A1_a_search_for_leaks_leaves_a_timed_wait_its_time_and_finds_one_without_end()
    {
        var world = new World();
        (WeakReference<ManagedTask> timed, WeakReference<ManagedTask> endless) = Lose(world);
        LeakReport report = await world.Runtime.FindLeaksAsync(LeakPolicy.Heal);
        report.Leaks.ShouldHaveSingleItem().Name.ShouldBe("endless");
        world.Run();
        world.Timers.ShouldBe(1);
        timed.TryGetTarget(out ManagedTask? left).ShouldBeTrue();
        left!.State.ShouldBe(TaskState.Blocked);
        (await world.Runtime.FindLeaksAsync(LeakPolicy.Heal)).Leaks.ShouldBeEmpty();
        world.Advance(1);
        left.Exception.ShouldBeOfType<TaskTimeoutException>();
        GC.KeepAlive(endless);
        world.ShouldBeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference<ManagedTask> Timed, WeakReference<ManagedTask> Endless) Lose(World world)
    {
        ManagedTask timed = world.Start(static async _ => await new Notify("nobody's").WaitAsync().WithTimeout(s_second), "timed");
        ManagedTask endless = world.Start(static async _ => await new Notify("nobody's").WaitAsync().WithTimeout(Timeout.InfiniteTimeSpan), "endless");
        return (new(timed), new(endless));
    }

    [Fact]
    public void A1_an_exact_account_names_the_primitive_of_a_timed_wait()
    {
        var world = new World(options => options.Accounting = AccountingLevel.Exact);
        var (sender, receiver) = OneShot.Create<int>("price");
        using var source = new CancellationTokenSource();
        string[] told = new string[3];
        for (int i = 0; i < 3; i++)
        {
            int which = i;
            (sender, receiver) = OneShot.Create<int>("price");
            ManagedTask task = world.Start(async _ =>
            {
                await (which switch { 0 => receiver.ReceiveAsync().AsFuture(), 1 => receiver.ReceiveAsync(source.Token).AsFuture(), _ => receiver.ReceiveAsync().WithTimeout(s_second).AsFuture() });
            });
            sender.TrySend(1);
            world.Run();
            told[i] = task.TakeAccount().LastAwait!;
        }

        told.ShouldBe(["OneShotReceiver", "OneShotReceiver", "OneShotReceiver"]);
    }

    private static async Future<int> ReceiveAsync(OneShotReceiver<int> receiver, TimeSpan within) => await receiver.ReceiveAsync().WithTimeout(within);

    private static void UseUpTurns(bool all = true)
    {
        while (all && !StepContext.Current.HasToGiveWay)
        {
            StepContext.MayGoOn();
        }
    }

    // Awaits a timed wait, and does what another thread can do at the same time: after it was asked and before it begins, and when it has begun.
    private readonly record struct Between(TimedWait<int> Wait, Action? Before = null, Action? After = null)
    {
        public Awaiter GetAwaiter() => new(Wait.GetAwaiter(), Before, After);

        internal struct Awaiter(TimedWait<int>.Awaiter wait, Action? before, Action? after) : ICriticalNotifyCompletion, IFrameAwaiter
        {
            private TimedWait<int>.Awaiter _wait = wait;

            public bool IsCompleted => _wait.IsCompleted;

            public readonly int GetResult() => _wait.GetResult();

            public readonly void OnCompleted(Action continuation) => throw new NotSupportedException();

            public readonly void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException();

            readonly void IFrameAwaiter.Suspend(Frame frame)
            {
                before?.Invoke();
                _wait.Suspend(frame);
                after?.Invoke();
            }
        }
    }
}
