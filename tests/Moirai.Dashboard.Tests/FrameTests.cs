using System.Net;
using System.Text.Json;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, part 3: what a frame tells.</summary>
public sealed class FrameTests
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    [Fact]
    public async Task A_frame_holds_a_snapshot_in_the_documented_form_and_what_is_beside_it()
    {
        await using var runtime = new TaskRuntime(new() { Name = "orders", Alarms = new AlarmLimits() });
        await using TaskPool pool = runtime.CreatePool("requests", maxTasks: 3);
        _ = await pool.SpawnAsync(static async _ => await Future.Delay(s_hour), name: "order");
        await using Site site = await Site.OpenAsync(runtime);
        JsonElement frame = await site.JsonAsync("/moirai/frame");
        frame.EnumerateObject().Select(static one => one.Name).ShouldBe(["key", "every", "allowsCommands", "snapshot", "alarms", "deadlocks", "leaks", "events", "waits", "lives"]);
        double look = frame.GetProperty("snapshot").GetProperty("duration").GetDouble(); // on a busy machine it takes its time, and what follows waits longer
        frame.GetProperty("every").GetDouble().ShouldBe(Math.Max(0.5, look * 9), 0.000_01);
        var snapshot = RuntimeSnapshot.FromJson(frame.GetProperty("snapshot").GetRawText());
        snapshot.Runtime.ShouldBe("orders");
        snapshot.Scopes.Single(static scope => scope.Kind == ScopeKind.Pool).Slots.ShouldBe(new SlotSnapshot(3, 1, 0));
        snapshot.Groups.ShouldHaveSingleItem().Name.ShouldBe("order");
        pool.Cancel();
    }

    [Fact]
    public async Task Names_of_the_program_are_escaped_wherever_they_stand()
    {
        const string Name = "<script>alert('x')</script>";
        await using var runtime = new TaskRuntime(new() { Name = Name });
        using var mutex = new AsyncMutex(Name);
        _ = runtime.SpawnDetached(
            async _ =>
            {
                using (await mutex.LockAsync())
                {
                    await Future.Delay(s_hour);
                }
            },
            name: Name);
        await using Site site = await Site.OpenAsync(runtime);
        foreach (string path in new[] { "/moirai/frame", "/moirai/snapshot", "/moirai/runtimes", "/moirai/groups?filter=<script>" })
        {
            string text = await site.Http.GetStringAsync(new Uri(path, UriKind.Relative));
            text.ShouldNotContain("<", Case.Sensitive, path);
        }

        (await site.JsonAsync("/moirai/frame")).GetProperty("snapshot").GetProperty("groups")[0].GetProperty("name").GetString().ShouldBe(Name);
    }

    [Fact]
    public async Task A_ring_stands_in_the_graph_as_long_as_its_tasks_wait()
    {
        await using var runtime = new TaskRuntime(new() { Name = "ring", Deadlocks = DeadlockPolicy.Report });
        await using Site site = await Site.OpenAsync(runtime);
        ManagedTask[] ring = Ring(runtime);
        await Eventually.IsAsync(() => runtime.TakeCensus().Deadlocks == 1, "a deadlock");
        JsonElement frame = await site.JsonAsync("/moirai/frame");
        frame.GetProperty("deadlocks")[0].GetProperty("stands").GetBoolean().ShouldBeTrue();
        JsonElement waits = frame.GetProperty("waits");
        waits.GetProperty("nodes").EnumerateArray().Count(static node => node.GetProperty("inRing").GetBoolean()).ShouldBe(2);
        waits.GetProperty("edges").EnumerateArray().Where(static edge => edge.GetProperty("inRing").GetBoolean()).Select(static edge => edge.GetProperty("what").GetString())
            .ShouldBe(["mutex 'accounts'", "mutex 'stock'"], ignoreOrder: true);
        JsonElement detail = await site.JsonAsync($"/moirai/tasks/{ring[0].Id.Value}");
        detail.GetProperty("isRing").GetBoolean().ShouldBeTrue();
        detail.GetProperty("waitsOn")[0].GetProperty("name").GetString().ShouldBe("books");

        ring[0].Cancel();
        await Eventually.IsAsync(() => ring.All(static task => task.IsEnded), "the end of the ring");
        await site.ComeToRestAsync();
        frame = await site.JsonAsync("/moirai/frame");
        frame.GetProperty("deadlocks")[0].GetProperty("stands").GetBoolean().ShouldBeFalse();
        frame.GetProperty("waits").GetProperty("nodes").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task A_ring_that_was_broken_is_remembered_and_does_not_stand()
    {
        await using var runtime = new TaskRuntime(new() { Name = "broken" });
        await using Site site = await Site.OpenAsync(runtime);
        ManagedTask[] ring = Ring(runtime);
        await Eventually.IsAsync(() => ring.All(static task => task.IsEnded), "the end of the ring");
        JsonElement frame = await site.JsonAsync("/moirai/frame");
        frame.GetProperty("deadlocks")[0].GetProperty("stands").GetBoolean().ShouldBeFalse();
        frame.GetProperty("deadlocks")[0].GetProperty("cycle").GetArrayLength().ShouldBe(2);
        _ = ring.Count(static task => task.Exception is DeadlockException);
    }

    [Fact]
    public async Task The_detail_of_a_task_tells_its_chain_and_those_on_whom_it_waits()
    {
        await using var runtime = new TaskRuntime(new() { Name = "detail" });
        await using Site site = await Site.OpenAsync(runtime);
        using var ledger = new AsyncMutex("ledger");
        ManagedTask holder = runtime.SpawnDetached(
            async _ =>
            {
                using (await ledger.LockAsync())
                {
                    await Future.Delay(s_hour);
                }
            },
            name: "holder");
        await Eventually.IsAsync(() => holder.State == TaskState.Blocked, "a holder that waits");
        ManagedTask waiter = runtime.SpawnDetached(async _ => await SaveAsync(ledger), name: "waiter");
        await Eventually.IsAsync(() => waiter.State == TaskState.Blocked, "a waiter that waits");

        JsonElement detail = await site.JsonAsync($"/moirai/tasks/{waiter.Id.Value}");
        detail.GetProperty("task").GetProperty("chain").EnumerateArray().Select(static frame => frame.GetProperty("method").GetString()).ShouldContain("SaveAsync");
        detail.GetProperty("waitsOn").EnumerateArray().ShouldHaveSingleItem().GetProperty("name").GetString().ShouldBe("holder");
        (await site.GetAsync("/moirai/tasks/999999999")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        holder.Cancel();
        await waiter;
    }

    [Fact]
    public async Task However_many_tasks_and_names_there_are_a_frame_is_bounded_and_the_rest_can_be_asked_for_by_name()
    {
        await using var runtime = new TaskRuntime(new() { Name = "many" });
        await using Site site = await Site.OpenAsync(runtime);
        for (int i = 0; i < 3_000; i++)
        {
            _ = runtime.SpawnDetached(static async _ => await Future.Delay(s_hour), name: $"name {i % 1_500}");
        }

        await Eventually.IsAsync(() => runtime.TakeCensus().TimerEntries == 3_000, "three thousand that sleep");
        using EventStream stream = await EventStream.OpenAsync(site);
        JsonElement frame = (await stream.NextAsync()).ShouldNotBeNull();
        frame.GetRawText().Length.ShouldBeLessThan(250_000);
        JsonElement snapshot = frame.GetProperty("snapshot");
        snapshot.GetProperty("groups").GetArrayLength().ShouldBe(120);
        snapshot.GetProperty("groupsNotListed").GetInt32().ShouldBe(1_380);
        (snapshot.GetProperty("tasks").GetArrayLength() + snapshot.GetProperty("tasksNotListed").GetInt32()).ShouldBe(3_000);
        frame.GetProperty("lives").GetArrayLength().ShouldBe(24);

        JsonElement found = await site.JsonAsync("/moirai/groups?filter=NAME%201499");
        found.GetProperty("groups").EnumerateArray().ShouldHaveSingleItem().GetProperty("count").GetInt32().ShouldBe(2);
    }

    [Fact]
    public async Task Timeouts_without_number_push_nothing_else_off_the_page()
    {
        await using var runtime = new TaskRuntime(new() { Name = "impatient" });
        await using Site site = await Site.OpenAsync(runtime);
        ManagedTask guarded = runtime.SpawnDetached(
            static async ct =>
            {
                _ = ResourceGuard.Protect(new object(), (Action<object>)(static _ => throw new InvalidOperationException("it cannot be closed")), "a file");
                await Future.Yield();
            },
            name: "guarded");
        await Eventually.IsAsync(() => guarded.IsEnded, "the end of a task whose clean-up fails");
        _ = guarded.Exception;
        for (int i = 0; i < 60; i++)
        {
            ManagedTask late = runtime.SpawnDetached(static async _ => await Future.Delay(s_hour).WithTimeout(TimeSpan.FromMilliseconds(1)), name: "late");
            await Should.ThrowAsync<TaskTimeoutException>(async () => await late);
        }

        string?[] kinds = [.. (await site.JsonAsync("/moirai/frame")).GetProperty("events").EnumerateArray().Select(static one => one.GetProperty("kind").GetString())];

        kinds.ShouldBe(["TimedOut", "TimedOut", "TimedOut", "CleanUpFailed"]);
    }

    [Fact]
    public async Task Scopes_without_number_push_no_pool_off_the_page()
    {
        await using var runtime = new TaskRuntime(new() { Name = "many scopes" });
        await using Site site = await Site.OpenAsync(runtime);
        TaskScope[] scopes = [.. Enumerable.Range(0, 3_000).Select(i => runtime.OpenScope($"request {i}"))];
        await using TaskPool late = runtime.CreatePool("late", maxTasks: 3);

        JsonElement snapshot = (await site.JsonAsync("/moirai/frame")).GetProperty("snapshot");

        snapshot.GetProperty("scopes").GetArrayLength().ShouldBe(251);
        snapshot.GetProperty("scopesNotListed").GetInt32().ShouldBe(3_002 - 251);
        JsonElement pool = snapshot.GetProperty("scopes").EnumerateArray().Single(static scope => scope.GetProperty("name").GetString() == "late");
        pool.GetProperty("slots").GetProperty("limit").GetInt32().ShouldBe(3);
        foreach (TaskScope scope in scopes)
        {
            await scope.DisposeAsync();
        }
    }

    private static async Future SaveAsync(AsyncMutex ledger)
    {
        using (await ledger.LockAsync())
        {
        }
    }

    private static ManagedTask[] Ring(TaskRuntime runtime)
    {
        var stock = new AsyncMutex("stock");
        var accounts = new AsyncMutex("accounts");
        var both = new AsyncBarrier(2);
        return [runtime.SpawnDetached(_ => BothAsync(stock, accounts), name: "shipping"), runtime.SpawnDetached(_ => BothAsync(accounts, stock), name: "books")];

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
}
