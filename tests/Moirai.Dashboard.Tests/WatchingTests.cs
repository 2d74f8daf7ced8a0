using System.Net;
using System.Text.Json;
using Moirai.Dashboard.Watching;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, part 3: live updates by server-sent events, at a bounded cost.</summary>
public sealed class WatchingTests
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task All_who_watch_share_one_look_per_interval()
    {
        await using var runtime = new TaskRuntime(new() { Name = "shared" });
        await using Site site = await Site.OpenAsync(runtime);
        List<EventStream> all = [];
        for (int i = 0; i < 10; i++)
        {
            all.Add(await EventStream.OpenAsync(site));
        }

        all.ForEach(static stream => stream.ShouldNotBeNull());
        foreach (EventStream stream in all)
        {
            (await stream.NextAsync()).ShouldNotBeNull();
        }

        site.Observer.Looks.ShouldBe(1, "who comes later is shown the last frame");
        await AdvanceAsync(site, s_interval);
        foreach (EventStream stream in all)
        {
            (await stream.NextAsync()).ShouldNotBeNull();
        }

        site.Observer.Looks.ShouldBe(2);
        all.ForEach(static stream => stream.Dispose());
    }

    [Fact]
    public async Task Nothing_is_looked_at_while_nobody_watches_and_a_client_that_has_gone_leaves_nothing()
    {
        await using var runtime = new TaskRuntime(new() { Name = "quiet" });
        await using Site site = await Site.OpenAsync(runtime);
        site.Observer.Looks.ShouldBe(0);
        using (EventStream stream = await EventStream.OpenAsync(site))
        {
            (await stream.NextAsync()).ShouldNotBeNull();
            site.Observer.WatcherCount.ShouldBe(1);
        }

        await Eventually.IsAsync(() => site.Observer.WatcherCount == 0, "a client that has gone");
        await site.ComeToRestAsync();
        site.Time.NextTimerIn.ShouldBeNull();
        long looks = site.Observer.Looks;
        site.Time.Advance(TimeSpan.FromMinutes(1));
        site.Observer.Looks.ShouldBe(looks);

        using EventStream again = await EventStream.OpenAsync(site);
        (await again.NextAsync()).ShouldNotBeNull("who comes back is served");
    }

    [Fact]
    public async Task One_who_does_not_read_misses_frames_and_they_do_not_pile_up()
    {
        await using var runtime = new TaskRuntime(new() { Name = "slow" });
        await using Site site = await Site.OpenAsync(runtime);
        using Watcher slow = site.Observer.Watch().ShouldNotBeNull();
        for (int frames = 1; frames <= 5; frames++)
        {
            await Eventually.IsAsync(() => site.Observer.Looks == frames && site.Time.NextTimerIn is not null, "a look");
            await AdvanceAsync(site, s_interval);
        }

        await Eventually.IsAsync(() => slow.Dropped == 5, "five frames that were dropped for newer ones");
        (await slow.NextAsync(CancellationToken.None)).ShouldNotBeNull();
        slow.NextAsync(CancellationToken.None).AsTask().IsCompleted.ShouldBeFalse("only the newest was kept");
    }

    [Theory]
    [InlineData(1, 500)]
    [InlineData(55, 500)]
    [InlineData(56, 504)]
    [InlineData(1_000, 9_000)]
    public void The_pause_is_at_least_nine_times_what_the_look_cost(int cost, int pause) =>
        Pace.PauseAfter(TimeSpan.FromMilliseconds(cost), s_interval).ShouldBe(TimeSpan.FromMilliseconds(pause));

    [Fact]
    public async Task More_than_are_allowed_are_refused()
    {
        await using var runtime = new TaskRuntime(new() { Name = "full" });
        await using Site site = await Site.OpenAsync(runtime, static options => options.MaxWatchers = 1);
        using EventStream first = await EventStream.OpenAsync(site);
        (await first.NextAsync()).ShouldNotBeNull();
        using HttpResponseMessage second = await site.GetAsync("/moirai/events");
        second.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
    }

    [Fact]
    public async Task A_stop_of_the_host_ends_the_streams_and_waits_for_none()
    {
        await using var runtime = new TaskRuntime(new() { Name = "stopping" });
        await using Site site = await Site.OpenAsync(runtime);
        using EventStream stream = await EventStream.OpenAsync(site);
        (await stream.NextAsync()).ShouldNotBeNull();
        await Eventually.EndsAsync(site.StopAsync());
        (await stream.NextAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task Dear_questions_pass_one_at_a_time_with_a_pause_after_each()
    {
        var time = new Moirai.Testing.VirtualTimeProvider();
        using var turnstile = new Turnstile(time, s_interval);
        (await turnstile.PassAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1)); // dear
                return 1;
            },
            CancellationToken.None)).ShouldBe(1);
        Task<int> second = turnstile.PassAsync(static () => 2, CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(8.9));
        second.IsCompleted.ShouldBeFalse();
        time.Advance(TimeSpan.FromSeconds(0.1));
        (await Eventually.EndsAsync(second)).ShouldBe(2);
    }

    [Fact]
    public async Task The_lives_of_a_sample_are_followed_from_their_spawn_to_their_end()
    {
        await using var runtime = new TaskRuntime(new() { Name = "lives", Accounting = AccountingLevel.Exact });
        await using Site site = await Site.OpenAsync(runtime);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ManagedTask task = runtime.SpawnDetached(_ => gate.Task, name: "mortal");
        await Eventually.IsAsync(() => task.State == TaskState.Blocked, "a waiting task");
        using EventStream stream = await EventStream.OpenAsync(site);
        JsonElement life = Life((await stream.NextAsync()).ShouldNotBeNull());
        life.GetProperty("name").GetString().ShouldBe("mortal");
        life.TryGetProperty("endedAgo", out _).ShouldBeFalse();
        life.GetProperty("spans").GetString()!.ShouldContain('b');

        gate.SetResult();
        await task;
        await AdvanceAsync(site, s_interval);
        JsonElement over = Life((await stream.NextAsync()).ShouldNotBeNull());
        over.GetProperty("outcome").GetString().ShouldBe("Completed");
        over.GetProperty("endedAgo").GetInt64().ShouldBeLessThanOrEqualTo(500);

        static JsonElement Life(JsonElement frame) => frame.GetProperty("lives").EnumerateArray().ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_life_tells_when_it_began_and_that_it_ran_between_two_looks()
    {
        await using var runtime = new TaskRuntime(new() { Name = "lives", Accounting = AccountingLevel.Exact });
        await using Site site = await Site.OpenAsync(runtime);
        var (first, second) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        ManagedTask task = runtime.SpawnDetached(
            async ct =>
            {
                await first.Task;
                await second.Task;
            },
            name: "mortal");
        await Eventually.IsAsync(() => task.State == TaskState.Blocked, "a waiting task");
        using EventStream stream = await EventStream.OpenAsync(site);
        Life((await stream.NextAsync()).ShouldNotBeNull()).GetProperty("bornAgo").GetInt64().ShouldBeGreaterThanOrEqualTo(0);
        long? polls = task.TakeAccount().Polls;

        first.SetResult();
        await Eventually.IsAsync(() => task.TakeAccount().Polls > polls && task.State == TaskState.Blocked, "a task that waits again");
        await AdvanceAsync(site, s_interval);

        Life((await stream.NextAsync()).ShouldNotBeNull()).GetProperty("spans").GetString().ShouldNotBeNull().ShouldMatch("b[0-9]+t[0-9]+b[0-9]+$");
        second.SetResult();
        await task;

        static JsonElement Life(JsonElement frame) => frame.GetProperty("lives").EnumerateArray().ShouldHaveSingleItem();
    }

    // Beat by beat, as the observer sleeps.
    private static async Task AdvanceAsync(Site site, TimeSpan time)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += Observer.Beat)
        {
            await Eventually.IsAsync(() => site.Time.NextTimerIn is not null, "an observer that rests");
            site.Time.Advance(Observer.Beat);
        }
    }
}
