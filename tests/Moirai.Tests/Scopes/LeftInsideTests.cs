namespace Moirai.Tests.Scopes;

/// <summary>Scopes and pools that were opened inside something and never left by their owner, however deep: whatever they are in ends them with itself.</summary>
public sealed class LeftInsideTests
{
    private readonly World _world = new();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void C13_a_pool_is_drained_of_scopes_that_nobody_left(int depth)
    {
        TaskPool pool = _world.Runtime.CreatePool("pool", 2);
        Run(async () =>
        {
            ManagedTask task = await pool.SpawnAsync(OpenAndLeave(depth));
            await task;
            await pool.DrainAsync();
        });
        _world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void C1_a_pool_is_disposed_of_with_scopes_that_nobody_left(int depth)
    {
        Run(async () =>
        {
            await using TaskPool pool = _world.Runtime.CreatePool("pool", 2);
            ManagedTask task = await pool.SpawnAsync(OpenAndLeave(depth));
            await task;
        });
        _world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void C9_a_collector_ends_scopes_that_nobody_left(int depth)
    {
        Run(() => _world.Runtime.RunScopeAsync("scope", async scope =>
        {
            await using var collector = new TaskCollector<int>(scope);
            _ = collector.Add(OneAsync(depth));
            (await collector.CollectAsync()).ShouldBe([1]);
        }));
        _world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void S167_a_race_ends_scopes_that_nobody_left(int depth)
    {
        Run(async () => (await new Race<int>("race").Add(OneAsync(depth)).FirstCompletedAsync()).Index.ShouldBe(0));
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C11_what_a_body_opens_is_inside_its_scope_and_ends_with_it()
    {
        TaskScope? inner = null;
        TaskPool? pool = null;
        ManagedTask? orphan = null;
        ManagedTask? pooled = null;
        var planned = new InvalidDataException("planned");
        Should.Throw<InvalidDataException>(() => Run(() => _world.Runtime.RunScopeAsync("outer", async _ =>
        {
            inner = _world.Runtime.OpenScope("inner");
            orphan = inner.Spawn(NeverAsync());
            pool = _world.Runtime.CreatePool("pool", 1);
            pool.TrySpawn(static _ => NeverAsync(), out pooled).ShouldBeTrue();
            await Future.Yield();
            throw planned;
        }))).ShouldBeSameAs(planned);

        inner!.IsClosed.ShouldBeTrue();
        orphan!.State.ShouldBe(TaskState.Canceled);
        pooled!.State.ShouldBe(TaskState.Canceled);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C11_ten_thousand_scopes_are_left_oldest_first_and_none_is_kept_by_who_opened_it()
    {
        Run(async () =>
        {
            var scopes = new TaskScope[10_000];
            for (int i = 0; i < scopes.Length; i++)
            {
                scopes[i] = _world.Runtime.OpenScope("one of many");
            }

            ManagedTask self = ManagedTask.Current!;
            foreach (TaskScope scope in scopes)
            {
                await scope.DisposeAsync();
            }

            self.Extras!.Groups.ShouldBeNull();
        });
        _world.ShouldBeEmpty();
    }

    private void Run(Func<Future> body) => _world.Run(body());

    private Func<CancellationToken, Future> OpenAndLeave(int depth) => async _ => await OneAsync(depth);

    private async Future<int> OneAsync(int depth)
    {
        await Future.Yield();
        if (depth > 0)
        {
            TaskScope left = _world.Runtime.OpenScope($"left {depth}");
            await left.Spawn(OneAsync(depth - 1));
        }

        return 1;
    }

    private static async Future NeverAsync() => await Future.Delay(Timeout.InfiniteTimeSpan);
}
