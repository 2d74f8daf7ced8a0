using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Moirai.Hosting.Events;
using System.Runtime.CompilerServices;

namespace Moirai.Hosting.Tests;

/// <summary>Row A5: what a runtime tells is in the log, under stable ids.</summary>
public sealed class EventLogTests
{
    public static TheoryData<RuntimeEventKind> Kinds => [.. Enum.GetValues<RuntimeEventKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_kind_of_event_has_a_line_of_its_own_with_its_number(RuntimeEventKind kind)
    {
        var book = new LogBook();
        var error = new InvalidOperationException("why");
        new RuntimeEventLog(book).Take(new RuntimeEvent(kind, "the story", new TaskId(17), error));
        LogLine line = book.Lines.ShouldHaveSingleItem();
        line.Id.ShouldBe((int)kind);
        line.Category.ShouldBe("Moirai.Runtime");
        line.Text.ShouldBe("the story (task 17)");
        line.Error.ShouldBeSameAs(error);
        line.Level.ShouldBeOneOf(kind switch { RuntimeEventKind.TimedOut => [LogLevel.Debug], RuntimeEventKind.AlarmCleared => [LogLevel.Information], _ => [LogLevel.Warning, LogLevel.Error] });
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_page_tells_the_id_and_the_level_of_each_kind(RuntimeEventKind kind)
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(here.FullName, "Moirai.slnx")))
        {
            here = here.Parent.ShouldNotBeNull();
        }

        var book = new LogBook();
        new RuntimeEventLog(book).Take(new RuntimeEvent(kind, "the story", default));
        LogLine line = book.Lines.ShouldHaveSingleItem();
        File.ReadAllLines(Path.Combine(here.FullName, "docs", "telemetry.md")).Count(row => row == $"| {line.Id} | {kind} | {line.Level} |").ShouldBe(1);
    }

    [Fact]
    public void A_kind_that_nobody_has_given_a_line_is_caught_and_logged_all_the_same()
    {
        var book = new LogBook();
        new RuntimeEventLog(book).Take(new RuntimeEvent((RuntimeEventKind)98, "the story", default));
        LogLine line = book.Lines.ShouldHaveSingleItem();
        line.Id.ShouldBe(RuntimeEventLog.UnknownKind);
        line.Text.ShouldBe("98: the story (task 0)");
    }

    [Fact]
    public async Task A_zombie_is_logged_when_the_host_stops()
    {
        House house = await House.OpenAsync(static services => services.AddMoirai());
        ManagedTask zombie = house.Runtime.SpawnDetached(static Future (_) => throw new InvalidOperationException("nobody looks"), "zombie");
        await Eventually.IsAsync(() => zombie.IsEnded, "the end of the zombie");
        await house.DisposeAsync();
        LogLine line = house.Log.Of("Moirai.Runtime").ShouldHaveSingleItem();
        line.Id.ShouldBe((int)RuntimeEventKind.UnobservedFailure);
        line.Text.ShouldContain("'zombie'");
        line.Error!.Message.ShouldBe("nobody looks");
    }

    [Fact]
    public async Task A_leak_is_logged_and_seen_by_the_health_check_for_as_long_as_is_said()
    {
        await using House house = await House.OpenAsync(static services =>
        {
            services.AddMoirai();
            services.AddHealthChecks().AddMoirai(static health => health.RememberFor = TimeSpan.FromMinutes(1));
        });
        (await Health.OfAsync(house, "moirai-leaks")).ShouldBe(("Healthy", "No task was found that can never go on."));
        Lose(house.Runtime);
        LeakReport? report = null;
        for (int i = 0; i < 100 && report is not { Leaks.Count: > 0 }; i++) // the thread that ran its step may still have it on its stack: then the next search finds it
        {
            await Eventually.IsAsync(() => house.Runtime.TakeSnapshot().States is { Live: 1, Blocked: 1 }, "the wait of the leaked one");
            report = await house.Runtime.FindLeaksAsync();
        }

        report!.Leaks.ShouldHaveSingleItem();

        house.Log.Of("Moirai.Runtime").ShouldContain(static line => line.Id == (int)RuntimeEventKind.Leaked && line.Text.Contains("'lost'", StringComparison.Ordinal));
        house.Time.Advance(TimeSpan.FromSeconds(30));
        (string status, string story) = await Health.OfAsync(house, "moirai-leaks");
        status.ShouldBe("Degraded");
        story.ShouldStartWith("1 since the start, the last one 00:00:30 ago: ");
        house.Time.Advance(TimeSpan.FromSeconds(30));
        (await Health.OfAsync(house, "moirai-leaks")).ShouldBe(("Healthy", "1 since the start, none in the last 00:01:00."));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose(TaskRuntime runtime) => _ = runtime.SpawnDetached(static _ => new TaskCompletionSource().Task, "lost");
}
