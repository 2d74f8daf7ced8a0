using System.Runtime.CompilerServices;

namespace Moirai.Tests.Futures;

/// <summary>S119, S111: what an interval and a delay that can be moved refuse is told at the await, to plain code too, and ends nothing but that await.</summary>
public sealed class MovableWaitTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Fact]
    public async Task S119_a_second_waiter_in_plain_code_is_refused_at_its_await()
    {
        var interval = new Interval(Hour);
        Task<IntervalTick> first = NextAsync(interval);
        (await Should.ThrowAsync<InvalidOperationException>(NextAsync(interval))).Message.ShouldContain("One waiter at a time");
        interval.Reset(TimeSpan.Zero);
        (await first).Number.ShouldBe(1, "who was refused has taken no tick");
    }

    [Fact]
    public async Task S111_a_second_waiter_in_plain_code_is_refused_at_its_await()
    {
        var sleep = new ResettableDelay(Hour);
        Task first = SleepAsync(sleep);
        (await Should.ThrowAsync<InvalidOperationException>(SleepAsync(sleep))).Message.ShouldContain("One waiter at a time");
        sleep.IsElapsed.ShouldBeFalse();
        sleep.Reset(TimeSpan.Zero);
        await first;
    }

    [Fact]
    public async Task S119_plain_code_that_a_task_calls_is_refused_at_its_await()
    {
        Interval? interval = null;
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "movable" });
        ManagedTask first = runtime.SpawnDetached(async ct =>
        {
            interval = new Interval(Hour);
            await interval.NextAsync();
        });
        while (first.State != TaskState.Blocked)
        {
            await Task.Yield();
        }

        ManagedTask<IntervalTick> second = runtime.SpawnDetached(async ct => await NextAsync(interval!));
        (await Should.ThrowAsync<InvalidOperationException>(async () => await second)).Message.ShouldContain("One waiter at a time");
        first.IsEnded.ShouldBeFalse();
        first.Cancel();
    }

    [Fact]
    public async Task S119_who_waits_in_plain_code_is_told_when_the_timers_are_gone()
    {
        var world = new World();
        Interval? interval = null;
        ResettableDelay? sleep = null;
        world.Run(MakeAsync());
        await world.Runtime.DisposeAsync();
        await Should.ThrowAsync<ObjectDisposedException>(NextAsync(interval!));
        await Should.ThrowAsync<ObjectDisposedException>(SleepAsync(sleep!));

        async Future MakeAsync()
        {
            interval = new Interval(Hour);
            sleep = new ResettableDelay(Hour);
            await Future.Completed();
        }
    }

    [Fact]
    public void S119_a_waiter_for_whom_the_clock_cannot_be_set_is_told_and_leaves_its_place_to_the_next()
    {
        var clock = new FailingClock();
        var executor = new LocalExecutor();
        var runtime = new TaskRuntime(new TaskRuntimeOptions { Executor = executor, TimeProvider = clock });
        Interval? interval = null;
        ManagedTask first = runtime.SpawnDetached(async ct =>
        {
            interval = new Interval(TimeSpan.FromSeconds(1));
            clock.FailsNext = true;
            await interval.NextAsync();
        });
        executor.RunUntilStalled();
        first.Exception.ShouldBeOfType<NotSupportedException>();
        runtime.Engine.Timers.Count.ShouldBe(0);
        ManagedTask<IntervalTick> second = runtime.SpawnDetached(async ct => await interval!.NextAsync());
        executor.RunUntilStalled();
        clock.Time.Advance(TimeSpan.FromSeconds(1));
        executor.RunUntilStalled();
        second.Result.Number.ShouldBe(1);
    }

    // Of their own, so that the refusal is thrown into a state machine that goes on as plain code does.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<IntervalTick> NextAsync(Interval interval) => await interval.NextAsync();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task SleepAsync(ResettableDelay sleep) => await sleep;

    private sealed class FailingClock : TimeProvider
    {
        public Moirai.Testing.VirtualTimeProvider Time { get; } = new();

        public bool FailsNext { get; set; }

        public override long TimestampFrequency => Time.TimestampFrequency;

        public override long GetTimestamp() => Time.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new FailingTimer(this, Time.CreateTimer(callback, state, dueTime, period));

        private sealed class FailingTimer(FailingClock clock, ITimer timer) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                bool fails = clock.FailsNext;
                clock.FailsNext = false;
                return fails ? throw new NotSupportedException("the clock cannot be set") : timer.Change(dueTime, period);
            }

            public void Dispose() => timer.Dispose();

            public ValueTask DisposeAsync() => timer.DisposeAsync();
        }
    }
}
