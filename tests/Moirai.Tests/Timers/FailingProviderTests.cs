using Moirai.Testing;

namespace Moirai.Tests.Timers;

/// <summary>A provider that cannot set a timer: whoever asked for the time is told at its await, nothing stays in the queue, and no place stays open.</summary>
public sealed class FailingProviderTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    public static TheoryData<string> Waits => ["delay", "timeout of a future", "timeout of a task", "scope with a deadline"];

    [Theory]
    [MemberData(nameof(Waits))]
    public void A1_a_wait_for_which_no_timer_can_be_set_is_told_so_and_leaves_nothing(string wait)
    {
        var clock = new FailingProvider { Fails = true };
        var world = new World(options => options.TimeProvider = clock);
        bool ran = false;
        world.Fails<TimeZoneNotFoundException>(WaitAsync(wait)).Message.ShouldBe("no timers today");
        ran.ShouldBeFalse("it was to run in time, and there was no time");
        world.Census.OpenScopes.ShouldBe(0);
        world.ShouldBeEmpty();

        clock.Fails = false;
        ManagedTask again = world.Runtime.SpawnDetached(WaitAsync(wait), "again");
        world.Run();
        clock.Time.Advance(s_second * 3);
        world.Run();
        again.IsEnded.ShouldBeTrue("once timers can be set, time goes on");
        world.Census.OpenScopes.ShouldBe(0);
        world.ShouldBeEmpty();

        Future WaitAsync(string what) => what switch
        {
            "delay" => Future.Delay(s_second),
            "timeout of a future" => RunAsync().WithTimeout(s_second),
            "timeout of a task" => new TaskCompletionSource().Task.WithTimeout(s_second),
            _ => world.Runtime.RunScopeAsync("late", s_second, _ => RunAsync()),
        };

        async Future RunAsync()
        {
            ran = true;
            await Future.Delay(Timeout.InfiniteTimeSpan);
        }
    }

    private sealed class FailingProvider : TimeProvider
    {
        public VirtualTimeProvider Time { get; } = new();

        public bool Fails { get; set; }

        public override long TimestampFrequency => Time.TimestampFrequency;

        public override long GetTimestamp() => Time.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => Time.GetUtcNow();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            Fails ? throw new TimeZoneNotFoundException("no timers today") : Time.CreateTimer(callback, state, dueTime, period);
    }
}
