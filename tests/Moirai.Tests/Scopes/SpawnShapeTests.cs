using System.Runtime.CompilerServices;

namespace Moirai.Tests.Scopes;

/// <summary>Every shape of spawn binds as the design says, runs, and records its name and its site.</summary>
public sealed class SpawnShapeTests
{
    [Fact]
    public void An_async_lambda_binds_to_a_future_and_runs_as_a_task_throughout()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("lambdas");
        var currents = new List<ManagedTask?>();
        ManagedTask plain = scope.Spawn(async ct =>
        {
            await Future.Yield();
            currents.Add(ManagedTask.Current);
            ct.CanBeCanceled.ShouldBeTrue();
        });
        ManagedTask<string> typed = scope.Spawn(async ct =>
        {
            await Future.Yield();
            currents.Add(ManagedTask.Current);
            return ct.CanBeCanceled ? "given a token" : "";
        });
        world.Run();
        currents.ShouldBe([plain, typed]);
        typed.Result.ShouldBe("given a token");
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void Method_groups_of_every_return_type_bind_and_keep_their_results()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("groups");
        ManagedTask[] all =
        [
            scope.Spawn(FutureAsync), scope.Spawn(TaskAsync), scope.Spawn(ValueTaskAsync), scope.Spawn(FutureAsync(default)), scope.Spawn(3, static async (state, _) => state.ShouldBe(await Future.FromResult(3))),
        ];
        ManagedTask<int>[] typed =
        [
            scope.Spawn(FutureOfIntAsync), scope.Spawn(TaskOfIntAsync), scope.Spawn(ValueTaskOfIntAsync), scope.Spawn(FutureOfIntAsync(default)),
            scope.Spawn(5, static async (state, ct) => state + (await FutureOfIntAsync(ct)) - 5),
        ];
        world.Run();
        all.ShouldAllBe(task => task.State == TaskState.Completed);
        typed.Select(task => task.Result).ShouldBe([1, 2, 3, 1, 1]);
        typed.Select(task => task.Name).ShouldBe(["FutureOfIntAsync", "TaskOfIntAsync", "ValueTaskOfIntAsync", "FutureOfIntAsync", "groups"]);
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void Every_place_takes_all_its_shapes_and_leaves_nothing()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("shapes");
        TaskPool pool = world.Runtime.CreatePool("shapes", 100);
        var collector = new TaskCollector<int>(scope);
        ManagedTask?[] tasks =
        [
            .. Shapes.Fine.Into(scope).Select(spawn => spawn()), .. Shapes.Fine.Into(world.Runtime).Select(spawn => spawn()),
            .. Shapes.Fine.Into(world, pool).Select(spawn => spawn()), .. Shapes.Fine.TryInto(pool).Select(spawn => spawn()),
            .. Shapes.Fine.Into(collector).Select(spawn => spawn()),
        ];
        world.Run();
        tasks.Length.ShouldBe(45);
        tasks.ShouldAllBe(task => task!.State == TaskState.Completed);
        world.Run(collector.CollectAsync()).ShouldBe([1, 1, 1, 1, 1]);
        world.Run(pool.DrainAsync());
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void S021_names_are_the_given_one_else_the_methods_else_the_place_and_sites_are_the_callers_line()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("nursery");
        TaskPool pool = world.Runtime.CreatePool("pool", 10);
        var collector = new TaskCollector<int>(scope, "prices");
        (ManagedTask Task, string Name, int Line)[] all =
        [
            (scope.Spawn(FutureAsync(default), name: "given"), "given", Line()),
            (scope.Spawn(FutureAsync(default)), "FutureAsync", Line()),
            (scope.Spawn(async _ => await Future.Yield()), "nursery", Line()),
            (scope.Spawn(TaskAsync), "TaskAsync", Line()),
            (world.Runtime.SpawnDetached(async _ => await Future.Yield()), "world", Line()),
            (world.Runtime.SpawnDetached(ValueTaskAsync, "detached"), "detached", Line()),
            (world.Run(pool.SpawnAsync(async _ => await Future.Yield()).AsFuture()), "pool", Line()),
            (world.Run(pool.SpawnAsync(TaskAsync, "waited").AsFuture()), "waited", Line()),
            (pool.TrySpawn(_ => Task.CompletedTask, out ManagedTask? tried) ? tried : null!, "pool", Line()),
            (collector.Add(FutureOfIntAsync), "FutureOfIntAsync", Line()),
            (collector.Add(async _ => await Future.FromResult(1)), "prices", Line()),
        ];
        all.ShouldSatisfyAllConditions([.. all.Select<(ManagedTask Task, string Name, int Line), Action>(one => () =>
        {
            one.Task.Name.ShouldBe(one.Name);
            one.Task.SpawnSite.ShouldBe($"{nameof(SpawnShapeTests)}.cs:{one.Line}");
            one.Task.ToString().ShouldContain($"{one.Task.Id} '{one.Name}'");
        })]);
        world.Run();
        world.Run(collector.DisposeAsync());
        world.Run(pool.DisposeAsync());
        world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public void Different_methods_spawned_at_one_line_each_keep_their_own_name()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("loop");
        Func<CancellationToken, Task>[] bodies = [TaskAsync, OtherTaskAsync, TaskAsync];
        string[] names = [.. bodies.Select(body => scope.Spawn(body).Name)];
        names.ShouldBe(["TaskAsync", "OtherTaskAsync", "TaskAsync"]);
        world.CloseAndBeEmpty(scope);
    }

    private static int Line([CallerLineNumber] int line = 0) => line;

    private static async Future FutureAsync(CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        await Future.Yield();
    }

    private static async Future<int> FutureOfIntAsync(CancellationToken token)
    {
        await FutureAsync(token);
        return 1;
    }

    private static Task TaskAsync(CancellationToken token) => Task.CompletedTask;

    private static Task OtherTaskAsync(CancellationToken token) => Task.CompletedTask;

    private static Task<int> TaskOfIntAsync(CancellationToken token) => Task.FromResult(2);

    private static ValueTask ValueTaskAsync(CancellationToken token) => default;

    private static ValueTask<int> ValueTaskOfIntAsync(CancellationToken token) => new(3);
}
