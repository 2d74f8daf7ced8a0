using System.Runtime.CompilerServices;
using System.Text.Json;
using Moirai.Telemetry;

namespace Moirai.Tests.Telemetry;

/// <summary>What a process has told its operators is still told to a tool that comes later.</summary>
[Trait("Issue", "7")]
public sealed class RecentEventsTests
{
    [Theory]
    [InlineData(DeadlockPolicy.Throw, "broken: #")]
    [InlineData(DeadlockPolicy.Report, "stands: #")]
    public async Task A_deadlock_is_told_in_a_line_with_what_became_of_it_and_the_whole_ring(DeadlockPolicy policy, string saying)
    {
        await using var runtime = new TaskRuntime(new() { Name = "ring told later", Deadlocks = policy });
        await CloseRingAsync(runtime);

        (string kind, string text) = Events(runtime).ShouldHaveSingleItem();

        kind.ShouldBe("Deadlock");
        text.ShouldStartWith(saying);
        text.ShouldContain("'ship' → mutex 'accounts' → #");
        text.ShouldContain("'book' → mutex 'stock' → #");
        text.ShouldNotContain('\n');
    }

    [Theory]
    [InlineData(LeakPolicy.Heal, "'orphan' was healed: it waited for a Task")]
    [InlineData(LeakPolicy.Report, "'orphan' can never go on: it waits for a Task")]
    public async Task A_leak_is_told_with_whether_it_was_healed(LeakPolicy policy, string saying)
    {
        await using var runtime = new TaskRuntime(new() { Name = "leak told later" });
        ManagedTask task = Orphan(runtime);
        while (task.State != TaskState.Blocked)
        {
            await Task.Yield();
        }

        (await runtime.FindLeaksAsync(policy)).Leaks.ShouldHaveSingleItem();

        (string kind, string text) = Events(runtime).ShouldHaveSingleItem();
        kind.ShouldBe("Leaked");
        text.ShouldContain(saying);
        text.ShouldContain("spawned at RecentEventsTests.cs:");
        _ = task.Exception;
        await runtime.FindLeaksAsync(LeakPolicy.Heal);
    }

    [Fact]
    public async Task A_leak_that_is_found_again_is_told_once_with_what_became_of_it_last()
    {
        await using var runtime = new TaskRuntime(new() { Name = "leak found again" });
        ManagedTask task = Orphan(runtime);
        while (task.State != TaskState.Blocked)
        {
            await Task.Yield();
        }

        await runtime.FindLeaksAsync(LeakPolicy.Report);
        await runtime.FindLeaksAsync(LeakPolicy.Report);
        await runtime.FindLeaksAsync(LeakPolicy.Heal);

        Events(runtime).ShouldHaveSingleItem().Text.ShouldContain("'orphan' was healed");
        _ = task.Exception;
    }

    [Fact]
    public async Task Many_of_one_kind_push_out_none_of_another_and_are_not_kept_themselves()
    {
        await using var runtime = new TaskRuntime(new() { Name = "many told later" });
        await CloseRingAsync(runtime);
        var events = Engine(runtime);
        for (int i = 0; i < 100; i++)
        {
            events.Publish(new RuntimeEvent(RuntimeEventKind.CleanUpLate, $"late {i}\nand more{new string('.', 1_000)}", default));
        }

        (string Kind, string Text)[] told = Events(runtime);

        told.Select(static one => one.Kind).ShouldBe([.. Enumerable.Repeat("CleanUpLate", RecentEvents.MostOfAKind), "Deadlock"]);
        told[0].Text.ShouldStartWith("late 99 and more");
        told[0].Text.Length.ShouldBe(RecentEvents.LongestText + 1);
    }

    [Fact]
    public async Task Timeouts_are_not_kept_nor_alarms_that_are_there_now_but_those_that_are_over()
    {
        await using var runtime = new TaskRuntime(new() { Name = "alarms told later" });
        var events = Engine(runtime);
        events.Publish(new RuntimeEvent(RuntimeEventKind.TimedOut, "daily bread", default));
        events.Publish(new RuntimeEvent(RuntimeEventKind.Alarm, "alarm 1: there", default));
        events.Publish(new RuntimeEvent(RuntimeEventKind.AlarmCleared, "alarm 1 is over", default));

        Events(runtime).ShouldBe([("AlarmCleared", "alarm 1 is over")]);
    }

    [Fact]
    public async Task Each_runtime_tells_its_own_although_another_has_its_name()
    {
        await using var one = new TaskRuntime(new() { Name = "twins" });
        await using var other = new TaskRuntime(new() { Name = "twins" });
        Engine(one).Publish(new RuntimeEvent(RuntimeEventKind.CleanUpLate, "of the first", default));

        Events(one).ShouldBe([("CleanUpLate", "of the first")]);
        Events(other).ShouldBeEmpty();
    }

    private static Moirai.Execution.Engine Engine(TaskRuntime runtime) => runtime.Engine;

    private static (string Kind, string Text)[] Events(TaskRuntime runtime)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            RecentEvents.Write(json, runtime.Engine);
            json.WriteEndObject();
        }

        return [.. JsonElement.Parse(buffer.ToArray()).GetProperty("events").EnumerateArray().Select(static one => (one.GetProperty("kind").GetString()!, one.GetProperty("text").GetString()!))];
    }

    private static async Task CloseRingAsync(TaskRuntime runtime)
    {
        var stock = new AsyncMutex("stock");
        var accounts = new AsyncMutex("accounts");
        var both = new AsyncBarrier(2);
        ManagedTask[] ring = [runtime.SpawnDetached(_ => BothAsync(stock, accounts), "ship"), runtime.SpawnDetached(_ => BothAsync(accounts, stock), "book")];
        while (runtime.TakeCensus().Deadlocks == 0)
        {
            await Task.Yield();
        }

        ring[0].Cancel(); // where nobody breaks it
        while (!ring.All(static task => task.IsEnded))
        {
            await Task.Yield();
        }

        ring.Count(static task => task.Exception is not null).ShouldBeLessThanOrEqualTo(2); // looked at

        async Future BothAsync(AsyncMutex first, AsyncMutex second)
        {
            using (await first.LockAsync())
            {
                await both.WaitAsync();
                using (await second.LockAsync())
                {
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask Orphan(TaskRuntime runtime)
    {
        var nobody = new TaskCompletionSource();
        return runtime.SpawnDetached(_ => nobody.Task, name: "orphan");
    }
}
