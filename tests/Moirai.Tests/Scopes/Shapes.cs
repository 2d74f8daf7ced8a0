namespace Moirai.Tests.Scopes;

/// <summary>One body in each of the ten shapes that a spawn takes.</summary>
internal sealed class Shapes
{
    public const int Delegates = 8;

    public required Func<Future> Cold { get; init; }

    public required Func<Future<int>> ColdOfInt { get; init; }

    public Func<CancellationToken, Future>? Future { get; init; }

    public Func<CancellationToken, Future<int>>? FutureOfInt { get; init; }

    public Func<CancellationToken, Task>? Task { get; init; }

    public Func<CancellationToken, Task<int>>? TaskOfInt { get; init; }

    public Func<CancellationToken, ValueTask>? ValueTask { get; init; }

    public Func<CancellationToken, ValueTask<int>>? ValueTaskOfInt { get; init; }

    public Func<int, CancellationToken, Future>? State { get; init; }

    public Func<int, CancellationToken, Future<int>>? StateOfInt { get; init; }

    /// <summary>No body at all.</summary>
    public static Shapes Missing { get; } = new() { Cold = () => default, ColdOfInt = () => default };

    /// <summary>Delegates that give nothing to run.</summary>
    public static Shapes Empty { get; } = new()
    {
        Cold = () => default,
        ColdOfInt = () => default,
        Future = _ => default,
        FutureOfInt = _ => default,
        Task = _ => NoTask<Task>(),
        TaskOfInt = _ => NoTask<Task<int>>(),
        ValueTask = _ => default,
        ValueTaskOfInt = _ => default,
        State = (_, _) => default,
        StateOfInt = (_, _) => default,
    };

    /// <summary>Bodies that throw before anything else.</summary>
    public static Shapes Throwing { get; } = new()
    {
        Cold = ThrowsAsync,
        ColdOfInt = ThrowsOfIntAsync,
        Future = _ => throw new FormatException("at once"),
        FutureOfInt = _ => throw new FormatException("at once"),
        Task = _ => throw new FormatException("at once"),
        TaskOfInt = _ => throw new FormatException("at once"),
        ValueTask = _ => throw new FormatException("at once"),
        ValueTaskOfInt = _ => throw new FormatException("at once"),
        State = (_, _) => throw new FormatException("at once"),
        StateOfInt = (_, _) => throw new FormatException("at once"),
    };

    /// <summary>Bodies that do nothing.</summary>
    public static Shapes Fine { get; } = new()
    {
        Cold = Moirai.Future.Completed,
        ColdOfInt = () => Moirai.Future.FromResult(1),
        Future = async _ => await Moirai.Future.Yield(),
        FutureOfInt = async _ => await Moirai.Future.FromResult(1),
        Task = _ => System.Threading.Tasks.Task.CompletedTask,
        TaskOfInt = _ => System.Threading.Tasks.Task.FromResult(1),
        ValueTask = _ => default,
        ValueTaskOfInt = _ => new ValueTask<int>(1),
        State = async (_, _) => await Moirai.Future.Yield(),
        StateOfInt = async (state, _) => await Moirai.Future.FromResult(state),
    };

    /// <summary>The two cold shapes come first, then the eight with a delegate.</summary>
    public Func<ManagedTask>[] Into(TaskScope scope) =>
    [
        () => scope.Spawn(Cold()), () => scope.Spawn(ColdOfInt()), () => scope.Spawn(Future!), () => scope.Spawn(FutureOfInt!),
        () => scope.Spawn(Task!), () => scope.Spawn(TaskOfInt!), () => scope.Spawn(ValueTask!), () => scope.Spawn(ValueTaskOfInt!),
        () => scope.Spawn(1, State!), () => scope.Spawn(1, StateOfInt!),
    ];

    public Func<ManagedTask>[] Into(TaskRuntime runtime) =>
    [
        () => runtime.SpawnDetached(Cold()), () => runtime.SpawnDetached(ColdOfInt()),
        () => runtime.SpawnDetached(Future!), () => runtime.SpawnDetached(FutureOfInt!),
        () => runtime.SpawnDetached(Task!), () => runtime.SpawnDetached(TaskOfInt!),
        () => runtime.SpawnDetached(ValueTask!), () => runtime.SpawnDetached(ValueTaskOfInt!),
        () => runtime.SpawnDetached(1, State!), () => runtime.SpawnDetached(1, StateOfInt!),
    ];

    public Func<ManagedTask>[] Into(World world, TaskPool pool) =>
    [
        () => world.Run(pool.SpawnAsync(Cold()).AsFuture()), () => world.Run(pool.SpawnAsync(ColdOfInt()).AsFuture()),
        () => world.Run(pool.SpawnAsync(Future!).AsFuture()), () => world.Run(pool.SpawnAsync(FutureOfInt!).AsFuture()),
        () => world.Run(pool.SpawnAsync(Task!).AsFuture()), () => world.Run(pool.SpawnAsync(TaskOfInt!).AsFuture()),
        () => world.Run(pool.SpawnAsync(ValueTask!).AsFuture()), () => world.Run(pool.SpawnAsync(ValueTaskOfInt!).AsFuture()),
        () => world.Run(pool.SpawnAsync(1, State!).AsFuture()), () => world.Run(pool.SpawnAsync(1, StateOfInt!).AsFuture()),
    ];

    /// <summary>Null stands for a full pool.</summary>
    public Func<ManagedTask?>[] TryInto(TaskPool pool) =>
    [
        () => pool.TrySpawn(Cold(), out ManagedTask? task) ? task : null, () => pool.TrySpawn(ColdOfInt(), out ManagedTask<int>? task) ? task : null,
        () => pool.TrySpawn(Future!, out ManagedTask? task) ? task : null, () => pool.TrySpawn(FutureOfInt!, out ManagedTask<int>? task) ? task : null,
        () => pool.TrySpawn(Task!, out ManagedTask? task) ? task : null, () => pool.TrySpawn(TaskOfInt!, out ManagedTask<int>? task) ? task : null,
        () => pool.TrySpawn(ValueTask!, out ManagedTask? task) ? task : null, () => pool.TrySpawn(ValueTaskOfInt!, out ManagedTask<int>? task) ? task : null,
        () => pool.TrySpawn(1, State!, out ManagedTask? task) ? task : null, () => pool.TrySpawn(1, StateOfInt!, out ManagedTask<int>? task) ? task : null,
    ];

    /// <summary>A collector takes the five shapes that give a value.</summary>
    public Func<ManagedTask>[] Into(TaskCollector<int> collector) =>
    [
        () => collector.Add(ColdOfInt()), () => collector.Add(FutureOfInt!), () => collector.Add(TaskOfInt!),
        () => collector.Add(ValueTaskOfInt!), () => collector.Add(1, StateOfInt!),
    ];

    private static async Future ThrowsAsync()
    {
        _ = Throw();
        await Moirai.Future.Yield();
    }

    private static async Future<int> ThrowsOfIntAsync()
    {
        _ = Throw();
        await Moirai.Future.Yield();
        return 1;
    }

    private static TTask NoTask<TTask>()
        where TTask : class => null!;

    private static int Throw() => throw new FormatException("at once");
}
