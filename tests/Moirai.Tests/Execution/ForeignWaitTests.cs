using System.Runtime.CompilerServices;
using Moirai.Ground;
using Moirai.Timers;

namespace Moirai.Tests.Execution;

/// <summary>Waits on awaiters that misbehave: that refuse, that call twice, that call and then refuse.</summary>
public sealed class ForeignWaitTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_awaiter_that_refuses_its_registration_throws_at_the_await_and_the_task_goes_on_as_if_nothing_had_been(bool critical)
    {
        var world = new World();
        var refuses = new Misbehaves();
        ManagedTask<int> task = world.Spawn(async _ =>
        {
            try
            {
                await AwaitAsync(refuses, critical);
            }
            catch (NotSupportedException)
            {
                world.Log("refused inside");
            }

            try
            {
                if (critical)
                {
                    await refuses;
                }
                else
                {
                    await new Uncritical(refuses);
                }
            }
            catch (NotSupportedException)
            {
                world.Log("refused");
            }

            ManagedTask.Current!.State.ShouldBe(TaskState.Running);
            int two = await TwoAsync(); // calls, gives way and waits: each needs to know where the task is
            await Future.Yield();
            await Future.Delay(Second);
            return two + 1;
        });
        world.Run();
        world.Trace.ShouldBe(["refused inside", "refused"]);
        world.Timers.ShouldBe(1);

        refuses.Continuation!(); // kept all the same, and called too late
        world.Run().ShouldBe(0);
        world.Advance(1);
        task.Result.ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_continuation_that_is_called_again_ends_no_other_wait_of_the_task()
    {
        var world = new World();
        var first = new Misbehaves { Accepts = true };
        var second = new Misbehaves { Accepts = true };
        ManagedTask task = world.Start(async _ =>
        {
            await first;
            world.Log("first");
            await Future.Delay(Second); // one of Moirai's waits, in the same frame
            world.Log("delay");
            await AwaitAsync(second, critical: true); // a foreign one, in another frame
            world.Log("second");
        });
        first.Continuation!();
        world.Run();
        world.Trace.ShouldBe(["first"]);

        ShouldChangeNothing();
        world.Timers.ShouldBe(1);
        world.Advance(1);
        world.Trace.ShouldBe(["first", "delay"]);

        ShouldChangeNothing();
        second.Continuation!();
        second.Continuation!();
        world.Run();
        world.Trace.ShouldBe(["first", "delay", "second"]);
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();

        void ShouldChangeNothing()
        {
            first.Continuation!();
            world.Run().ShouldBe(0);
            task.State.ShouldBe(TaskState.Blocked);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_awaiter_that_calls_its_continuation_and_then_throws_has_ended_the_wait_and_its_error_is_told(bool critical)
    {
        var world = new World();
        var both = new Misbehaves { Calls = true };
        ManagedTask<int> task = world.Spawn(async _ =>
        {
            await AwaitAsync(both, critical);
            world.Log("went on");
            return await TwoAsync();
        });
        world.Run();

        task.Result.ShouldBe(2);
        world.Trace.ShouldBe(["went on"]);
        RuntimeEvent told = world.Events.ShouldHaveSingleItem();
        told.Error.ShouldBeOfType<NotSupportedException>();
        told.Task.ShouldBe(task.Id);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_delay_that_is_canceled_while_its_timer_queue_refuses_it_throws_the_cancellation_and_runs_once()
    {
        var world = new World();
        int caught = 0;
        ManagedTask task = world.Spawn(async _ =>
        {
            try
            {
                await Future.Delay(Second);
            }
            catch (ManagedTaskCanceledException)
            {
                caught++;
                throw;
            }
        });
        TimerQueue timers = world.Runtime.Engine.Timers;
        timers.Dispose();
        GateOf(timers).Enter(); // the delay has begun to wait and is held where it is about to be refused
        var driver = new Thread(() => world.Run());
        var canceller = new Thread(() =>
        {
            Until(() => task.State == TaskState.Blocked);
            task.Cancel("meanwhile").ShouldBeTrue();
        });
        driver.Start();
        canceller.Start();
        Until(() => task.Word.Starts == 1 && task.State == TaskState.Ready); // who cancels has claimed the wait, and comes to the same gate
        GateOf(timers).Exit();
        canceller.Join();
        driver.Join();
        world.Run();

        caught.ShouldBe(1);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();

        static void Until(Func<bool> condition)
        {
            var spinner = default(SpinWait);
            while (!condition())
            {
                spinner.SpinOnce();
            }
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_gate")]
    private static extern ref SpinGate GateOf(TimerQueue queue);

    private static async Future AwaitAsync(Misbehaves awaitable, bool critical)
    {
        if (critical)
        {
            await awaitable;
        }
        else
        {
            await new Uncritical(awaitable);
        }
    }

    private static async Future<int> TwoAsync()
    {
        await Future.Yield();
        return 2;
    }

    /// <summary>Keeps the continuation, and then throws unless it accepts.</summary>
    private sealed class Misbehaves : ICriticalNotifyCompletion
    {
        public bool Accepts { get; init; }

        public bool Calls { get; init; }

        public Action? Continuation { get; private set; }

        public bool IsCompleted => false;

        public Misbehaves GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation)
        {
            Continuation = continuation;
            if (Calls)
            {
                continuation();
            }

            if (!Accepts)
            {
                throw new NotSupportedException("refused");
            }
        }

        public void UnsafeOnCompleted(Action continuation) => OnCompleted(continuation);
    }

    /// <summary>The same, without the second method.</summary>
    private readonly struct Uncritical(Misbehaves inner) : INotifyCompletion
    {
        public bool IsCompleted => false;

        public Uncritical GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => inner.OnCompleted(continuation);
    }
}
