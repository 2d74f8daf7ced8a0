namespace Moirai.Tests.Results;

/// <summary>A real failure beats a cancellation, and one that no caller can see is told to the operator.</summary>
public sealed class LostFailureTests
{
    private static readonly InvalidDataException s_planned = new("planned");

    private readonly World _world = new();

    [Theory]
    [InlineData("all")]
    [InlineData("first")]
    [InlineData("partial")]
    public void S073_a_failure_is_thrown_although_the_collecting_task_was_canceled(string way)
    {
        ManagedTask task = _world.Start(async _ => await CollectAsync(way));
        task.Cancel();
        _world.Advance(1);

        task.State.ShouldBe(TaskState.Failed);
        task.Exception.ShouldBeSameAs(s_planned);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void S073_a_failure_is_thrown_although_the_collection_was_timed_out()
    {
        ManagedTask task = _world.Start(async _ => await CollectAsync("first").WithTimeout(TimeSpan.FromMilliseconds(1)));
        _world.Advance(1);

        task.Exception.ShouldBeSameAs(s_planned);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void S073_a_collection_that_is_canceled_without_a_failure_is_canceled()
    {
        ManagedTask task = _world.Start(async _ => await CollectAsync("first", fails: false));
        task.Cancel();
        _world.Advance(1);

        task.State.ShouldBe(TaskState.Canceled);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void S075_a_failure_in_a_collector_that_is_left_without_collecting_is_told()
    {
        ManagedTask task = _world.Start(async ct => await _world.Runtime.RunScopeAsync("scope", async scope =>
        {
            await using var collector = new TaskCollector<int>(scope);
            _ = collector.Add(FailAsync());
            await Future.Yield();
            await Future.Yield();
        }));

        task.State.ShouldBe(TaskState.Completed);
        RuntimeEvent told = _world.Events.Where(static what => what.Kind == RuntimeEventKind.UnobservedFailure).ShouldHaveSingleItem();
        told.Error.ShouldBeSameAs(s_planned);
        told.Message.ShouldContain("left without collecting");
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void S169_failures_of_a_race_that_is_canceled_are_told()
    {
        ManagedTask task = _world.Start(async _ => await new Race<int>("race").Add(FailAsync()).Add(SleepAsync()).FirstCompletedAsync());
        task.Cancel();
        _world.Run();

        task.State.ShouldBe(TaskState.Canceled);
        _world.Events.Where(static what => what.Kind == RuntimeEventKind.UnobservedFailure).ShouldHaveSingleItem().Error.ShouldBeSameAs(s_planned);
        _world.ShouldBeEmpty();
    }

    private Future CollectAsync(string way, bool fails = true) => _world.Runtime.RunScopeAsync("scope", async scope =>
    {
        await using var collector = new TaskCollector<int>(scope);
        _ = collector.Add(SleepAsync());
        _ = collector.Add(fails ? FailLateAsync() : SleepAsync());
        switch (way)
        {
            case "all":
                await collector.CollectAsync();
                break;
            case "first":
                await collector.CollectFirstAsync();
                break;
            default:
                await collector.CollectPartialAsync();
                break;
        }
    }, ScopePolicy.Isolate);

    // Fails in its clean-up, when it is told to stop.
    private static async Future<int> FailLateAsync()
    {
        try
        {
            return await SleepAsync();
        }
        catch (ManagedTaskCanceledException)
        {
            throw s_planned;
        }
    }

    private static async Future<int> FailAsync()
    {
        await Future.Yield();
        throw s_planned;
    }

    private static async Future<int> SleepAsync()
    {
        await Future.Delay(TimeSpan.FromHours(1));
        return 1;
    }
}
