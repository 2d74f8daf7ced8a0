using System.Net.Sockets;
using PlainDriver;

namespace Moirai.Programs.Tests;

/// <summary>Issue 5, part 6: a database driver of plain <c>async</c> code over real sockets, with a pool of connections and <c>ConfigureAwait(false)</c> throughout, that knows nothing of Moirai.</summary>
public sealed class DriverTests
{
    private static readonly TimeSpan s_tenSeconds = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task A_query_that_gets_no_answer_is_told_down_to_the_socket_and_its_time_is_time_blocked()
    {
        await using var server = new HeldServer();
        using var database = new Database(server.Address, maxConnections: 2);
        await using var stage = new Stage();
        string? site = null;
        ManagedTask<string> order = stage.Runtime.SpawnDetached(
            async ct =>
            {
                stage.Time.Advance(TimeSpan.FromSeconds(2)); // so long it computes
                site = Stage.Here(); string answer = await database.QueryAsync("held order", ct);
                stage.Time.Advance(TimeSpan.FromSeconds(3));
                return answer;
            },
            name: "order");
        await server.ArrivesAsync();
        TaskSnapshot told = await stage.StandsInAsync(order, "FillAsync");

        Methods(told).ShouldBe(["FillAsync", "ReadFrameAsync", "AskAsync", "QueryAsync", "a lambda in A_query_that_gets_no_answer_is_told_down_to_the_socket_and_its_time_is_time_blocked"]);
        told.Chain[^1].Site.ShouldBe(site);
        told.Chain[0].Site.ShouldNotBeNull().ShouldStartWith("Connection.cs:");
        told.Wait.ShouldBe(new WaitSnapshot(WaitKind.Foreign, "a socket"));
        stage.Time.Advance(s_tenSeconds);
        TaskAccount waiting = order.TakeAccount();
        (waiting.Busy, waiting.Blocked, waiting.Age).ShouldBe((TimeSpan.FromSeconds(2), s_tenSeconds, TimeSpan.FromSeconds(12)));
        waiting.LastAwait.ShouldNotBeNull();

        server.Answer("held order", "done");
        (await Stage.EndsAsync(order.AsTask())).ShouldBe("done");
        TaskAccount ended = order.TakeAccount();
        (ended.Busy, ended.Blocked, ended.Age).ShouldBe((TimeSpan.FromSeconds(5), s_tenSeconds, TimeSpan.FromSeconds(15)));
        ended.Polls.ShouldNotBeNull().ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task Who_waits_for_a_connection_of_the_plain_pool_is_told_apart_from_who_has_it()
    {
        await using var server = new HeldServer();
        using var database = new Database(server.Address, maxConnections: 1);
        await using var stage = new Stage();
        ManagedTask<string> first = stage.Runtime.SpawnDetached(ct => database.QueryAsync("held 1", ct), name: "has it");
        await server.ArrivesAsync();
        ManagedTask<string>[] others = [.. Enumerable.Range(0, 5).Select(_ => stage.Runtime.SpawnDetached(ct => database.QueryAsync("2", ct), name: "wants it"))];
        foreach (ManagedTask<string> other in others)
        {
            TaskSnapshot told = await stage.StandsInAsync(other, "RentAsync");
            Methods(told).ShouldBe(["RentAsync", "QueryAsync"]);
            told.Wait.ShouldBe(new WaitSnapshot(WaitKind.Foreign, "SemaphoreSlim.WaitAsync"));
        }

        await stage.StandsInAsync(first, "FillAsync");
        GroupSnapshot widest = stage.Runtime.TakeSnapshot().Groups[0];
        (widest.Count, widest.Name, widest.Wait!.What).ShouldBe((5, "wants it", "SemaphoreSlim.WaitAsync"));
        widest.AwaitSite.ShouldNotBeNull().ShouldStartWith("Database.cs:");

        server.Answer("held 1", "1");
        foreach (ManagedTask<string> other in others)
        {
            (await Stage.EndsAsync(other.AsTask())).ShouldBe("2!");
        }
    }

    [Fact]
    public async Task A_query_that_lasts_too_long_raises_an_alarm_that_says_where_and_on_what_and_clears_it_when_the_answer_comes()
    {
        await using var server = new HeldServer();
        using var database = new Database(server.Address, maxConnections: 1);
        await using var stage = new Stage();
        ManagedTask<string> report = stage.Runtime.SpawnDetached(ct => database.QueryAsync("held report", ct), name: "report");
        await server.ArrivesAsync();
        await stage.StandsInAsync(report, "FillAsync");
        stage.Pass(31);

        Alarm alarm = stage.Alarms.ShouldHaveSingleItem();
        (alarm.Kind, alarm.Name, alarm.Task, alarm.Phase).ShouldBe((AlarmKind.BlockedTooLong, "report", report.Id, AlarmPhase.Raised));
        alarm.AwaitSite.ShouldNotBeNull().ShouldStartWith("Connection.cs:");
        alarm.Detail.ShouldBe("it waits for a socket");

        server.Answer("held report", "done");
        await Stage.EndsAsync(report.AsTask());
        stage.Pass(1);
        stage.Alarms[^1].Phase.ShouldBe(AlarmPhase.Cleared);
        stage.Alarms[^1].Id.ShouldBe(alarm.Id);
    }

    [Fact]
    public async Task A_query_that_keeps_its_thread_is_told_as_a_thread_that_is_blocked_and_by_whom()
    {
        await using var server = new HeldServer();
        using var database = new Database(server.Address, maxConnections: 1);
        await using var stage = new Stage();
        ManagedTask<string> old = stage.Runtime.SpawnDetached(async Future<string> (_) =>
        {
            await Future.Yield();
            return database.Query("held old");
        }, name: "old");
        await server.ArrivesAsync();
        await Stage.IsAsync(() => stage.Runtime.TakeSnapshot().Tasks is [{ State: TaskState.Running }], "its thread waits");
        stage.Pass(7);

        Alarm alarm = stage.Alarms.ShouldHaveSingleItem();
        (alarm.Kind, alarm.Name, alarm.Task).ShouldBe((AlarmKind.WorkerHeld, "old", old.Id));
        alarm.Detail.ShouldNotBeNull().ShouldContain("blocked");
        server.Answer("held old", "done");
        (await Stage.EndsAsync(old.AsTask())).ShouldBe("done");
        old.TakeAccount().Busy.ShouldBe(TimeSpan.FromSeconds(7), "its thread was its own all the time");
    }

    [Theory]
    [InlineData(AccountingLevel.Exact, true)]
    [InlineData(AccountingLevel.Polls, true)]
    [InlineData(AccountingLevel.Exact, false)] // the twin: the same query, awaited, keeps no thread
    public async Task Plain_code_that_keeps_a_thread_after_its_first_await_is_told_too(AccountingLevel level, bool keeps)
    {
        await using var server = new HeldServer();
        using var database = new Database(server.Address, maxConnections: 1);
        await using var stage = new Stage(level);
        ManagedTask<string> old = stage.Runtime.SpawnDetached(
            async Task<string> (ct) =>
            {
                await database.QueryAsync("first", ct).ConfigureAwait(false);
                return keeps ? database.Query("held old") : await database.QueryAsync("held old", ct).ConfigureAwait(false);
            },
            name: "old");
        await server.ArrivesAsync();
        if (!keeps)
        {
            await stage.StandsInAsync(old, "FillAsync");
        }

        stage.Pass(7);

        Alarm[] alarms = [.. stage.Alarms.Where(static alarm => alarm.Kind == AlarmKind.WorkerHeld)];
        server.Answer("held old", "done");
        (await Stage.EndsAsync(old.AsTask())).ShouldBe("done");
        if (!keeps)
        {
            alarms.ShouldBeEmpty();
            return;
        }

        Alarm held = alarms.ShouldHaveSingleItem();
        (held.Name, held.Task).ShouldBe(("old", old.Id));
        held.Detail.ShouldNotBeNull().ShouldContain("blocks its thread");
        stage.Pass(1);
        (stage.Alarms[^1].Phase, stage.Alarms[^1].Id).ShouldBe((AlarmPhase.Cleared, held.Id));
    }

    [Fact]
    public async Task Two_tasks_that_wait_for_each_others_connections_are_a_ring_that_the_proof_of_leaks_finds_and_heals()
    {
        await using var server = new HeldServer();
        await using var stage = new Stage();
        (ManagedTask One, ManagedTask Two) ring = await CloseRingAsync(stage, server);

        LeakReport proof = await stage.Runtime.FindLeaksAsync();

        proof.Leaks.Select(static leak => leak.Name).Order(StringComparer.Ordinal).ShouldBe(["first then second", "second then first"]);
        foreach (ManagedTask task in new[] { ring.One, ring.Two })
        {
            await Stage.IsAsync(() => task.IsEnded, "healed: its clean-up runs");
            task.State.ShouldBe(TaskState.Failed);

            // As docs/ownership.md says: what has a finalizer, as a socket does, is finalized by the proof. So the roll-back of the transaction in its DisposeAsync meets a socket that is closed; the server sees the connection end.
            task.Exception.ShouldBeOfType<ObjectDisposedException>();
        }
    }

    [Fact]
    public async Task The_same_two_are_innocent_while_somebody_outside_can_return_a_connection()
    {
        await using var server = new HeldServer();
        using var first = new Database(server.Address, maxConnections: 1);
        await using var stage = new Stage();
        await using Transaction outside = await first.BeginAsync();
        ManagedTask waits = stage.Runtime.SpawnDetached(async Task (ct) =>
        {
            await using Transaction mine = await first.BeginAsync(ct);
        }, name: "waits");
        await stage.StandsInAsync(waits, "RentAsync");
        (await stage.Runtime.FindLeaksAsync()).Leaks.ShouldBeEmpty();
        await outside.DisposeAsync();
        await Stage.EndsAsync(waits.AsTask());
    }

    [Fact]
    public async Task A_canceled_query_gives_its_place_back_and_a_server_that_is_not_there_is_an_error_of_its_task_alone()
    {
        await using var server = new HeldServer();
        using var database = new Database(server.Address, maxConnections: 1);
        using var nowhere = new Database(HeldServer.Nowhere, maxConnections: 1);
        await using var stage = new Stage();
        ManagedTask<string> hung = stage.Runtime.SpawnDetached(ct => database.QueryAsync("held for ever", ct), name: "hung");
        await server.ArrivesAsync();
        await stage.StandsInAsync(hung, "FillAsync");
        hung.Cancel("nobody wants it any more");
        await Stage.IsAsync(() => hung.IsEnded, "the cancellation reaches the socket");
        hung.State.ShouldBe(TaskState.Canceled);

        ManagedTask<string> next = stage.Runtime.SpawnDetached(ct => database.QueryAsync("next", ct));
        (await Stage.EndsAsync(next.AsTask())).ShouldBe("next!");
        ManagedTask<string> refused = stage.Runtime.SpawnDetached(ct => nowhere.QueryAsync("anything", ct));
        await Should.ThrowAsync<SocketException>(() => Stage.EndsAsync(refused.AsTask()));
        ManagedTask<string> again = stage.Runtime.SpawnDetached(ct => nowhere.QueryAsync("anything", ct));
        await Should.ThrowAsync<SocketException>(() => Stage.EndsAsync(again.AsTask())); // it would hang, had the place been kept
    }

    // The databases are known to the two tasks alone.
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static async Task<(ManagedTask One, ManagedTask Two)> CloseRingAsync(Stage stage, HeldServer server)
    {
#pragma warning disable CA2025 // they are the two tasks' own, and go with them
        var first = new Database(server.Address, maxConnections: 1);
        var second = new Database(server.Address, maxConnections: 1);
        var bothHave = new TaskCompletionSource();
        int have = 0;
        ManagedTask one = stage.Runtime.SpawnDetached(ct => CrossAsync(first, second, ct), name: "first then second");
        ManagedTask two = stage.Runtime.SpawnDetached(ct => CrossAsync(second, first, ct), name: "second then first");
#pragma warning restore CA2025
        await stage.StandsInAsync(one, "RentAsync");
        await stage.StandsInAsync(two, "RentAsync");
        return (one, two);

        async Task CrossAsync(Database mine, Database theirs, CancellationToken ct)
        {
            await using Transaction held = await mine.BeginAsync(ct);
            if (Interlocked.Increment(ref have) == 2)
            {
                bothHave.SetResult();
            }

            await bothHave.Task;
            await using Transaction other = await theirs.BeginAsync(ct);
        }
    }

    private static IEnumerable<string> Methods(TaskSnapshot told) => told.Chain.Where(static frame => !frame.IsInfrastructure).Select(static frame => frame.Method);
}
