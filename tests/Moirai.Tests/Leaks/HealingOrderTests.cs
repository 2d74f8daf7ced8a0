using System.Runtime.CompilerServices;

namespace Moirai.Tests.Leaks;

/// <summary>In which order leaked tasks are healed: who has another's promise in its locals comes first, since its clean-up may keep that promise and would throw if it had been failed.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class HealingOrderTests
{
    private readonly World _world = new();

    public enum Way
    {
        InALocal,
        InAClosure,
        InAnObject,
        InPlainCode,
    }

    [Theory]
    [InlineData(Way.InALocal)]
    [InlineData(Way.InAClosure)]
    [InlineData(Way.InAnObject)]
    [InlineData(Way.InPlainCode)]
    public async Task Leak_APromiseThatALeakedTaskKeepsInItsCleanUpIsNotFailedBefore(Way way)
    {
        (ManagedTask consumer, ManagedTask producer) = Lose(way, keeps: true);
        LeakReport report = await _world.Runtime.FindLeaksAsync();
        report.Leaks.Select(static leak => (leak.Name, leak.Remedy)).ShouldBe([("consumer", LeakRemedy.Awaits), ("producer", LeakRemedy.Resumed)]);
        await EndedAsync(consumer, producer);
        consumer.State.ShouldBe(TaskState.Completed, "its promise was kept after all");
        producer.Exception.ShouldBeOfType<LeakedTaskException>("its clean-up has not thrown");
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Leak_APromiseThatTheCleanUpDoesNotKeepIsFailedByTheNextSearchWhichComesByItself()
    {
        (ManagedTask consumer, ManagedTask producer) = Lose(Way.InALocal, keeps: false);
        LeakReport report = await _world.Runtime.FindLeaksAsync();
        report.Leaks[0].Remedy.ShouldBe(LeakRemedy.Awaits);
        await EndedAsync(consumer, producer);
        consumer.Exception.ShouldBeOfType<LeakedTaskException>();
        _world.Events.Count(static e => e.Kind == RuntimeEventKind.Leaked).ShouldBe(2, "each is told once");
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Leak_AStopHealsThemInTheSameOrder()
    {
        (ManagedTask consumer, ManagedTask producer) = Lose(Way.InALocal, keeps: true);
        (await _world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero)).Left.ShouldBeEmpty();
        consumer.State.ShouldBe(TaskState.Completed);
        producer.Exception.ShouldBeOfType<LeakedTaskException>();
    }

    // In a method of its own: what is still on a stack counts as held. The consumer has the lower id.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private (ManagedTask Consumer, ManagedTask Producer) Lose(Way way, bool keeps)
    {
        var promise = new TaskCompletionSource();
        ManagedTask consumer = _world.Runtime.SpawnDetached(ConsumeAsync(promise.Task), "consumer");
        ManagedTask producer = _world.Runtime.SpawnDetached(
            way switch
            {
                Way.InALocal => ProduceAsync(promise, keeps),
                Way.InAClosure => CallAsync(() => promise.SetResult()),
                Way.InAnObject => KeepAsync(new Keeper { Inner = new Keeper { Promises = [promise] } }),
                _ => PlainAsync(promise),
            },
            "producer");
        _world.Run();
        return (consumer, producer);
    }

    private Task EndedAsync(params ManagedTask[] tasks) => Eventually.IsAsync(() =>
    {
        _world.Run();
        return Array.TrueForAll(tasks, static task => task.IsEnded);
    });

    private static async Future ConsumeAsync(Task promise) => await promise;

    private static async Future ProduceAsync(TaskCompletionSource promise, bool keeps)
    {
        try
        {
            await new TaskCompletionSource().Task;
        }
        finally
        {
            if (keeps)
            {
                promise.SetResult();
            }
        }
    }

    private static async Future CallAsync(Action after)
    {
        try
        {
            await new TaskCompletionSource().Task;
        }
        finally
        {
            after();
        }
    }

    private static async Future KeepAsync(Keeper keeper)
    {
        try
        {
            await new TaskCompletionSource().Task;
        }
        finally
        {
            keeper.Inner!.Promises[0].SetResult();
        }
    }

    private static async Future PlainAsync(TaskCompletionSource promise) => await InnerAsync(promise);

    private static async Task InnerAsync(TaskCompletionSource promise)
    {
        try
        {
            await new TaskCompletionSource().Task;
        }
        finally
        {
            promise.SetResult();
        }
    }

    private sealed class Keeper
    {
        public Keeper? Inner { get; init; }

        public List<TaskCompletionSource> Promises { get; init; } = [];
    }
}
