using System.Diagnostics;

namespace Moirai.Telemetry.Tests;

/// <summary>Row C3: each task with a name is a span with its id, parent, spawn site, start, end and outcome.</summary>
[Trait("Row", "C3")]
[Trait("Issue", "7")]
public sealed class SpanTests
{
    [Fact]
    public void A_task_with_a_name_is_a_span_from_its_spawn_to_its_end()
    {
        using var spans = new SpanBook();
        using var world = new World("spans");
        ManagedTask task = world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromSeconds(7)), "fetch");
        world.Run();
        world.Advance(7);

        Activity span = spans["fetch"];
        span.Duration.ShouldBe(TimeSpan.FromSeconds(7));
        span.StartTimeUtc.ShouldBe(Moirai.Testing.VirtualTimeProvider.DefaultStart.UtcDateTime);
        span.Kind.ShouldBe(ActivityKind.Internal);
        span.Status.ShouldBe(ActivityStatusCode.Unset);
        Tags(span).ShouldBe(
            [$"moirai.task.id={task.Id.Value}", "moirai.task.name=fetch", "moirai.runtime.name=spans", $"moirai.task.spawn_site={task.SpawnSite}", "moirai.task.outcome=completed"]);
        task.SpawnSite.ShouldStartWith("SpanTests.cs:");
    }

    [Fact]
    public void A_task_is_named_after_its_method_and_a_lambda_without_a_name_is_no_span()
    {
        using var spans = new SpanBook();
        using var world = new World("spans");
        world.Runtime.SpawnDetached(FetchAsync());
        world.Runtime.SpawnDetached(static async _ => await Future.Yield());
        world.Run();

        spans.Ended.ShouldHaveSingleItem().DisplayName.ShouldBe(nameof(FetchAsync));

        static async Future FetchAsync() => await Future.Yield();
    }

    [Fact]
    public void Inside_a_scope_the_span_of_the_spawner_is_the_parent()
    {
        using var spans = new SpanBook();
        using var world = new World("spans");
        world.Runtime.SpawnDetached(
            async ct => await world.Runtime.RunScopeAsync("import", static async scope =>
            {
                _ = scope.Spawn(static async ct => await Future.Yield(), "child");
                await Future.Yield();
            }),
            "parent");
        world.Run();

        spans["child"].ParentSpanId.ShouldBe(spans["parent"].SpanId);
        spans["child"].TraceId.ShouldBe(spans["parent"].TraceId);
        spans["child"].Links.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_scope_that_plain_code_awaits_belongs_to_the_activity_of_that_code()
    {
        using var spans = new SpanBook();
        await using var runtime = new TaskRuntime(new() { Name = "spans" });
        using (SpanBook.Users.StartActivity("request"))
        {
            await runtime.RunScopeAsync("import", static async scope =>
            {
                _ = scope.Spawn(static async _ => await Future.Yield(), "child");
                await Future.Yield();
            });
        }

        spans.Ended.Select(static span => span.DisplayName).ShouldBe(["child", "request"]);
        spans["child"].ParentSpanId.ShouldBe(spans["request"].SpanId);
    }

    [Fact]
    public void A_task_that_may_outlive_its_spawner_begins_a_trace_that_is_linked_to_it()
    {
        using var spans = new SpanBook();
        using var world = new World("spans");
        TaskPool pool = world.Runtime.CreatePool("db", 2);
        world.Runtime.SpawnDetached(
            async ct =>
            {
                await pool.SpawnAsync(static async _ => await Future.Yield(), "pooled");
                _ = world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "detached");
            },
            "spawner");
        world.Run();

        Activity spawner = spans["spawner"];
        foreach (Activity outliving in new[] { spans["pooled"], spans["detached"] })
        {
            outliving.ParentSpanId.ShouldBe(default);
            outliving.TraceId.ShouldNotBe(spawner.TraceId);
            outliving.Links.ShouldHaveSingleItem().Context.SpanId.ShouldBe(spawner.SpanId);
        }

        spans["pooled"].GetTagItem("moirai.pool.name").ShouldBe("db");
        spawner.Links.ShouldBeEmpty();
    }

    [Fact]
    public void The_code_of_a_task_runs_in_its_span_and_who_spawns_stays_in_its_own()
    {
        using var spans = new SpanBook();
        using var world = new World("spans");
        Activity? inside = null;
        Activity? afterWait = null;
        using Activity mine = SpanBook.Users.StartActivity("mine")!;
        world.Runtime.SpawnDetached(
            async _ =>
            {
                inside = Activity.Current;
                await Future.Delay(TimeSpan.FromSeconds(1));
                afterWait = Activity.Current;
            },
            "task");

        Activity.Current.ShouldBeSameAs(mine);
        world.Run();
        world.Advance(1);
        Activity.Current.ShouldBeSameAs(mine); // the span was stopped on this thread
        inside.ShouldBeSameAs(spans["task"]);
        afterWait.ShouldBeSameAs(inside);
    }

    [Fact]
    public void Who_spawns_while_its_activity_has_been_stopped_stays_in_it_all_the_same()
    {
        using var spans = new SpanBook();
        using var world = new World("spans");
        Activity stopped = SpanBook.Users.StartActivity("over")!;
        ExecutionContext context = ExecutionContext.Capture()!;
        stopped.Stop();
        Activity? after = null;
        ExecutionContext.Run(
            context,
            _ =>
            {
                world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "late");
                after = Activity.Current;
            },
            null);
        world.Run();

        after.ShouldBeSameAs(stopped);
        spans["late"].Links.ShouldHaveSingleItem().Context.SpanId.ShouldBe(stopped.SpanId);
    }

    [Fact]
    public void Where_the_flow_of_contexts_is_suppressed_a_span_is_made_and_nothing_is_left_current()
    {
        using var spans = new SpanBook();
        using var world = new World("spans");
        using (ExecutionContext.SuppressFlow())
        {
            world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "apart");
            Activity.Current.ShouldBeNull();
        }

        world.Run();
        Activity.Current.ShouldBeNull();
        spans["apart"].Links.ShouldBeEmpty();
    }

    [Fact]
    public void A_failure_is_an_error_of_the_span_and_a_cancellation_tells_its_cause()
    {
        using var spans = new SpanBook();
        using var world = new World("spans");
        ManagedTask failing = world.Runtime.SpawnDetached(static Future (_) => throw new InvalidOperationException("no stock"), "failing");
        ManagedTask slow = world.Runtime.SpawnDetached(static async _ => await Future.Delay(TimeSpan.FromHours(1)), "slow");
        world.Run();
        slow.Cancel("enough");
        world.Run();
        ManagedTask unstarted = world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "unstarted");
        unstarted.Cancel();
        world.Run();

        failing.Exception.ShouldNotBeNull();
        Activity failed = spans["failing"];
        failed.Status.ShouldBe(ActivityStatusCode.Error);
        failed.StatusDescription.ShouldBe("no stock");
        failed.GetTagItem("error.type").ShouldBe("System.InvalidOperationException");
        failed.GetTagItem("moirai.task.outcome").ShouldBe("failed");
        failed.Events.ShouldHaveSingleItem().Name.ShouldBe("exception");
        Activity canceled = spans["slow"];
        canceled.Status.ShouldBe(ActivityStatusCode.Unset);
        canceled.GetTagItem("moirai.task.outcome").ShouldBe("canceled");
        canceled.GetTagItem("moirai.task.cancel_cause").ShouldBeOfType<string>().ShouldContain("enough");
        spans["unstarted"].GetTagItem("moirai.task.outcome").ShouldBe("canceled");
    }

    [Fact]
    public void A_timeout_and_a_long_wait_are_events_of_the_span()
    {
        using var spans = new SpanBook();
        using var world = new World("spans", static options => options.Alarms = new AlarmLimits { Blocked = TimeSpan.FromSeconds(10) });
        world.Runtime.SpawnDetached(
            static async _ =>
            {
                try
                {
                    await Future.Delay(TimeSpan.FromHours(1)).WithTimeout(TimeSpan.FromSeconds(5));
                }
                catch (TaskTimeoutException)
                {
                }

                await Future.Delay(TimeSpan.FromSeconds(60));
            },
            "patient");
        world.Run();
        for (int i = 0; i < 70; i++)
        {
            world.Advance(1);
        }

        ActivityEvent[] events = [.. spans["patient"].Events];
        events.Select(static one => one.Name).ShouldBe(["moirai.timeout", "moirai.blocked_too_long"]);
        events[0].Tags.ShouldContain(new KeyValuePair<string, object?>("moirai.timeout.within", 5d));
        ((string)events[1].Tags.Single().Value!).ShouldContain("'patient'");
    }

    [Fact]
    public void What_the_sampler_does_not_want_is_no_span_and_what_the_spawner_runs_in_flows_on()
    {
        using var world = new World("spans");
        using var mine = new Activity("mine");
        mine.Start();
        Activity? inside = null;
        using var spans = new SpanBook(ActivitySamplingResult.None);
        world.Runtime.SpawnDetached(
            async _ =>
            {
                await Future.Yield();
                inside = Activity.Current;
            },
            "task");
        world.Run();

        spans.Ended.ShouldBeEmpty();
        inside.ShouldBeSameAs(mine);
        Activity.Current.ShouldBeSameAs(mine);
    }

    [Fact]
    public void A_span_that_is_only_propagated_carries_no_outcome()
    {
        using var spans = new SpanBook(ActivitySamplingResult.PropagationData);
        using var world = new World("spans");
        world.Runtime.SpawnDetached(static Future (_) => throw new InvalidOperationException("no stock"), "failing").Exception.ShouldBeNull();
        world.Run();

        Activity span = spans["failing"];
        span.GetTagItem("moirai.task.outcome").ShouldBeNull();
        span.Status.ShouldBe(ActivityStatusCode.Unset);
    }

    [Fact]
    public void A_listener_that_throws_harms_no_task()
    {
        using var faults = new Faults();
        using var spans = new SpanBook(atStop: static () => throw new InvalidOperationException("a fault of the listener"));
        using var world = new World("spans");
        ManagedTask task = world.Runtime.SpawnDetached(static async _ => await Future.Yield(), "victim");
        world.Run();

        task.State.ShouldBe(TaskState.Completed);
        Activity.Current.ShouldBeNull();
        world.Runtime.TakeCensus().IsEmpty.ShouldBeTrue();
        faults.Told.ShouldHaveSingleItem().ShouldContain("a fault of the listener");
    }

    private static string[] Tags(Activity span) => [.. span.TagObjects.Select(static tag => $"{tag.Key}={tag.Value}")];
}
