using Moirai.Alarms;

namespace Moirai.Tests.Alarms;

/// <summary>The detectors, by facts written by hand.</summary>
[Trait("Row", "C7")]
public sealed class AlarmRulesTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Fact]
    public void C7_Nothing_is_found_where_nothing_is() => AlarmRules.Judge(Facts()).ShouldBeEmpty();

    [Theory]
    [InlineData(29, false)]
    [InlineData(30, true)]
    public void C7_Tasks_that_wait_are_found_at_their_limit(int seconds, bool found)
    {
        WatchFacts facts = Facts();
        facts.Waiting.Add(new WaitFact("key", "order", "Orders.cs:7", 30 * s_second, Over: 3, new TaskId(17), seconds * s_second) { AwaitSite = "Orders.cs:42", Detail = "it waits for mutex 'ledger'" });

        AlarmFinding[] findings = [.. AlarmRules.Judge(facts)];

        findings.Length.ShouldBe(found ? 1 : 0);
        if (found)
        {
            findings[0].ShouldBe(new AlarmFinding(AlarmKind.BlockedTooLong, "key", "order")
            {
                Count = 3, Task = new TaskId(17), SpawnSite = "Orders.cs:7", AwaitSite = "Orders.cs:42", Lasted = 30 * s_second, Limit = 30 * s_second, Detail = "it waits for mutex 'ledger'",
            });
        }
    }

    [Theory]
    [InlineData(1.9, null, false, null)]
    [InlineData(2.0, 1.9, false, "it computes")]
    [InlineData(2.0, 0.1, false, "it blocks its thread (0.1 s")]
    [InlineData(2.0, null, true, "it blocks its thread:")]
    [InlineData(2.0, null, false, "it computes or is in a call of the system")]
    public void C7_A_step_that_keeps_its_thread_is_found_and_told_apart_by_the_clock_of_the_thread(double kept, double? computed, bool waits, string? says)
    {
        WatchFacts facts = Facts(limits => limits.WorkerHeld = 2 * s_second);
        facts.Steps.Add(new StepFact(new TaskId(4), "parse", "Parser.cs:3", kept * s_second, computed * s_second, waits) { Methods = "Read ← Parse" });

        List<AlarmFinding> findings = AlarmRules.Judge(facts);

        if (says is null)
        {
            findings.ShouldBeEmpty();
        }
        else
        {
            findings.ShouldHaveSingleItem().Kind.ShouldBe(AlarmKind.WorkerHeld);
            findings[0].Detail!.ShouldStartWith(says);
            findings[0].Detail!.ShouldContain("in Read ← Parse");
        }
    }

    [Theory]
    [InlineData(0, 5.0, false)]
    [InlineData(7, 0.9, false)]
    [InlineData(7, 1.0, true)]
    public void C7_Ready_tasks_that_get_no_thread_are_found(int count, double seconds, bool found)
    {
        WatchFacts facts = Facts();
        facts.Ready = new ReadyFact(count, new TaskId(9), "late", "Late.cs:1", seconds * s_second);

        AlarmRules.Judge(facts).Count(static finding => finding is { Kind: AlarmKind.Starved, Count: 7 }).ShouldBe(found ? 1 : 0);
    }

    [Theory]
    [InlineData(0.9, false)]
    [InlineData(1.0, true)]
    public void C7_Timers_that_fire_late_are_found(double seconds, bool found)
    {
        WatchFacts facts = Facts();
        facts.Timers = 12;
        facts.OldestOverdue = seconds * s_second;

        AlarmRules.Judge(facts).Count(static finding => finding is { Kind: AlarmKind.TimersLate, Count: 12 }).ShouldBe(found ? 1 : 0);
    }

    [Fact]
    public void C7_Tasks_that_were_canceled_and_go_on_are_found()
    {
        WatchFacts facts = Facts();
        facts.Canceled.Add(new WaitFact("key", "deaf", "Deaf.cs:1", 30 * s_second, Over: 1, new TaskId(5), 31 * s_second));

        AlarmRules.Judge(facts).ShouldHaveSingleItem().Kind.ShouldBe(AlarmKind.CancelIgnored);
    }

    [Theory]
    [InlineData(29, false)]
    [InlineData(30, true)]
    public void C7_A_full_pool_is_found_at_its_limit(int seconds, bool found)
    {
        WatchFacts facts = Facts();
        facts.FullPools.Add(new PoolFact("key", "requests", Slots: 100, Waiting: 8, seconds * s_second));

        AlarmRules.Judge(facts).Count(static finding => finding is { Kind: AlarmKind.PoolFull, Count: 8, Name: "requests" }).ShouldBe(found ? 1 : 0);
    }

    [Theory]
    [InlineData(1, "its one slot is held")]
    [InlineData(100, "all 100 slots are held")]
    public void C7_A_full_pool_is_told_in_words(int slots, string saying)
    {
        WatchFacts facts = Facts();
        facts.FullPools.Add(new PoolFact("key", "requests", slots, Waiting: 8, 60 * s_second));

        AlarmRules.Judge(facts).ShouldHaveSingleItem().Detail.ShouldBe(saying);
    }

    [Fact]
    public void C7_What_has_no_limit_is_never_found()
    {
        WatchFacts facts = Facts(limits => (limits.WorkerHeld, limits.Starved, limits.TimersLate, limits.PoolFull) = (null, null, null, null));
        facts.Steps.Add(new StepFact(new TaskId(4), "parse", "Parser.cs:3", TimeSpan.FromDays(1), null, ThreadWaits: false));
        facts.Ready = new ReadyFact(7, new TaskId(9), "late", "Late.cs:1", TimeSpan.FromDays(1));
        facts.OldestOverdue = TimeSpan.FromDays(1);
        facts.FullPools.Add(new PoolFact("key", "requests", 100, 8, TimeSpan.FromDays(1)));

        AlarmRules.Judge(facts).ShouldBeEmpty();
    }

    private static WatchFacts Facts(Action<AlarmLimits>? set = null)
    {
        var limits = new AlarmLimits();
        set?.Invoke(limits);
        return new WatchFacts { Limits = limits, Runtime = "world" };
    }
}
