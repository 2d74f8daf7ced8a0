using Moirai.Alarms;

namespace Moirai.Tests.Alarms;

/// <summary>One alarm, from its raising to its clearing.</summary>
[Trait("Row", "C7")]
public sealed class AlarmBookTests
{
    private static readonly DateTimeOffset s_start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly AlarmBook _book = new(TimeSpan.FromSeconds(10));

    [Fact]
    public void C7_An_alarm_is_raised_once_and_has_one_number_until_it_is_cleared()
    {
        Alarm raised = Take(0, "a").ShouldHaveSingleItem();
        Take(1, "a").ShouldBeEmpty();
        Alarm cleared = Take(2).ShouldHaveSingleItem();
        Alarm again = Take(3, "a").ShouldHaveSingleItem();

        (raised.Phase, cleared.Phase, again.Phase).ShouldBe((AlarmPhase.Raised, AlarmPhase.Cleared, AlarmPhase.Raised));
        cleared.Id.ShouldBe(raised.Id);
        again.Id.ShouldNotBe(raised.Id);
        cleared.RaisedAt.ShouldBe(s_start);
    }

    [Fact]
    public void C7_It_is_repeated_at_growing_intervals_with_a_count()
    {
        List<(int Second, int Told)> told = [];
        for (int second = 0; second <= 200; second++)
        {
            told.AddRange(Take(second, "a").Select(alarm => (second, alarm.Told)));
        }

        told.ShouldBe([(0, 1), (10, 2), (30, 3), (70, 4), (150, 5)]);
        _book.Open.ShouldHaveSingleItem().Phase.ShouldBe(AlarmPhase.Repeated);
    }

    [Fact]
    public void C7_The_pause_between_two_tellings_is_at_most_an_hour()
    {
        List<int> told = [];
        for (int hour = 0; hour < 48; hour++)
        {
            told.AddRange(Take(hour * 3600, "a").Select(_ => hour));
        }

        told.Skip(2).ShouldBe(Enumerable.Range(told[2], told.Count - 2));
    }

    [Fact]
    public void C7_What_was_seen_last_is_listed_although_it_is_not_told()
    {
        Take(0, "a");
        _book.Take([Finding("a") with { Count = 8 }], s_start.AddSeconds(1), TimeSpan.FromSeconds(1)).ShouldBeEmpty();

        _book.Open.ShouldHaveSingleItem().Count.ShouldBe(8);
    }

    [Fact]
    public void C7_Alarms_of_one_kind_about_two_things_are_two()
    {
        Alarm[] both = [.. Take(0, "a", "b")];

        both.Select(static alarm => alarm.Id).Distinct().Count().ShouldBe(2);
        Take(1, "b").ShouldHaveSingleItem().Id.ShouldBe(both[0].Id);
    }

    private List<Alarm> Take(int second, params string[] keys) => _book.Take([.. keys.Select(Finding)], s_start.AddSeconds(second), TimeSpan.FromSeconds(second));

    private static AlarmFinding Finding(string key) => new(AlarmKind.PoolFull, key, key) { Limit = TimeSpan.FromSeconds(1) };
}
