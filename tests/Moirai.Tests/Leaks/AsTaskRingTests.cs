using System.Runtime.CompilerServices;

namespace Moirai.Tests.Leaks;

/// <summary>Row B7: a ring of tasks that wait for each other through plain <see cref="Task"/>s made by <c>AsTask()</c> is found and healed: their clean-up runs, permits and locks return, and the census balances.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class AsTaskRingTests
{
    private readonly World _world = new();
    private readonly SemaphoreSlim _permits = new(100);
    private readonly AsyncSemaphore _own = new(100);
    private int _cleanedUp;

    public enum Way
    {
        Future,
        FutureWithResult,
        PlainBody,
        PlainMethods,
        ValueTasks,
        AnyOf,
        Waiting,
        Handle,
    }

    public static TheoryData<Way, int> Rings
    {
        get
        {
            var data = new TheoryData<Way, int>();
            foreach (Way way in Enum.GetValues<Way>())
            {
                foreach (int length in new[] { 1, 2, 3, 17 })
                {
                    if (way != Way.Handle || length > 1) // one that awaits itself by its handle is refused at once
                    {
                        data.Add(way, length);
                    }
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Rings))]
    public async Task B7_a_ring_through_AsTask_is_healed_and_everything_it_holds_comes_back(Way way, int length)
    {
        ManagedTask[] tasks = Lose(way, length);
        _permits.CurrentCount.ShouldBe(100 - length);

        LeakReport report = await _world.Runtime.FindLeaksAsync();

        report.Leaks.Count.ShouldBe(length);
        report.Leaks.Count(static leak => leak.Remedy is LeakRemedy.Resumed or LeakRemedy.ResumedPartly).ShouldBe(1, "one is enough, and the others go on by that");
        report.Leaks.ShouldAllBe(leak => leak.Remedy != LeakRemedy.NotPossible && (way == Way.AnyOf || leak.WaitsFor.StartsWith("the end of", StringComparison.Ordinal)));
        ShouldHaveCleanedUp(tasks);
        tasks.ShouldAllBe(static task => task.Exception is LeakedTaskException);
        (await _world.Runtime.FindLeaksAsync()).IsClean.ShouldBeTrue();
        _world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Way.Future)]
    [InlineData(Way.PlainBody)]
    public async Task B7_twin_a_ring_through_AsTask_that_is_only_told_of_is_caught(Way way)
    {
        ManagedTask[] tasks = Lose(way, 3);
        LeakReport report = await _world.Runtime.FindLeaksAsync(LeakPolicy.Report);
        report.Leaks.Count.ShouldBe(3);
        Should.Throw<ShouldAssertException>(() => ShouldHaveCleanedUp(tasks, TimeSpan.FromMilliseconds(50)));
    }

    [Fact]
    public async Task B7_a_ring_of_handles_and_AsTask_in_turn_is_healed()
    {
        var tasks = new ManagedTask[6];
        Begin();
        LeakReport report = await _world.Runtime.FindLeaksAsync();
        report.Leaks.Count.ShouldBe(6);
        ShouldHaveCleanedUp(tasks);
        _world.ShouldBeEmpty();

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Begin()
        {
            World unwatched = _world;
            for (int i = 0; i < tasks.Length; i++)
            {
                int index = i;
                tasks[i] = unwatched.Spawn(_ => HoldAsync(() => index % 2 == 0 ? WaitFor(tasks[(index + 1) % tasks.Length]) : tasks[(index + 1) % tasks.Length].AsTask()));
            }

            unwatched.Run();
        }

        static async Task WaitFor(ManagedTask task) => await task;
    }

    [Fact]
    public async Task B5_a_stop_heals_a_ring_through_AsTask_that_heeds_no_cancellation()
    {
        ManagedTask[] tasks = Lose(Way.Future, 3);
        StopReport report = await _world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        report.Left.ShouldBeEmpty(report.ToString());
        ShouldHaveCleanedUp(tasks);
    }

    [Fact]
    public async Task B7_who_waits_for_a_ring_through_AsTask_goes_on_with_it_and_is_not_resumed()
    {
        Lose(Way.Future, 2);
        ManagedTask beside = Beside();
        LeakReport report = await _world.Runtime.FindLeaksAsync();
        report.Leaks.Single(leak => leak.Id == beside.Id).Remedy.ShouldBe(LeakRemedy.Awaits);
        _world.RunUntil(beside);
        _world.ShouldBeEmpty();

        [MethodImpl(MethodImplOptions.NoInlining)]
        ManagedTask Beside()
        {
            ManagedTask first = _world.Runtime.Engine.Root.CollectTasks()[0];
            return _world.Start(async Future (_) => await first.AsTask(), "beside");
        }
    }

    private void ShouldHaveCleanedUp(ManagedTask[] tasks, TimeSpan? within = null)
    {
        Eventually.Is(
            () =>
            {
                _world.Run();
                return Array.TrueForAll(tasks, static task => task.HasLeft);
            },
            within ?? TimeSpan.FromSeconds(20)).ShouldBeTrue($"all have ended: {_world.Runtime.TakeSnapshot()}");
        _cleanedUp.ShouldBe(tasks.Length, "each ran its clean-up once");
        _permits.CurrentCount.ShouldBe(100);
        _own.Available.ShouldBe(100);
        _world.Census.IsBalanced.ShouldBeTrue();
    }

    // In a method of its own: what is on the test's stack counts as held.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ManagedTask[] Lose(Way way, int length)
    {
        var tasks = new ManagedTask[length];
        for (int i = 0; i < length; i++)
        {
            int next = (i + 1) % length;
            tasks[i] = way switch
            {
                Way.FutureWithResult => _world.Spawn(async Future<int> (_) =>
                {
                    await HoldAsync(() => ((ManagedTask<int>)tasks[next]).AsTask());
                    return 1;
                }),
                Way.PlainBody => _world.Runtime.SpawnDetached(async Task (_) => await HoldPlainAsync(() => tasks[next].AsTask()).ConfigureAwait(false)),
                Way.PlainMethods => _world.Spawn(_ => HoldAsync(() => PlainAsync(3, tasks[next]))),
                Way.ValueTasks => _world.Spawn(_ => HoldAsync(async () => await new ValueTask(tasks[next].AsTask()).ConfigureAwait(false))),
                Way.AnyOf => _world.Spawn(_ => HoldAsync(async () => await (await Task.WhenAny(tasks[next].AsTask(), new TaskCompletionSource().Task).ConfigureAwait(false)).ConfigureAwait(false))),
                Way.Waiting => _world.Spawn(_ => HoldAsync(() => tasks[next].AsTask().WaitAsync(ManagedTask.CurrentToken))),
                Way.Handle => _world.Runtime.SpawnDetached(async Task (_) => await HoldPlainAsync(async () => await tasks[next]).ConfigureAwait(false)),
                _ => _world.Spawn(_ => HoldAsync(() => tasks[next].AsTask())),
            };
        }

        _world.Run();
        return [.. tasks];
    }

    private static async Task PlainAsync(int depth, ManagedTask task) => await (depth > 0 ? PlainAsync(depth - 1, task) : task.AsTask()).ConfigureAwait(false);

    private async Task HoldPlainAsync(Func<Task> wait)
    {
        await _permits.WaitAsync().ConfigureAwait(false);
        try
        {
            using (await _own.AcquireAsync())
            {
                await wait().ConfigureAwait(false);
            }
        }
        finally
        {
            using (ManagedTask.Shield())
            {
                await Future.Yield();
            }

            Interlocked.Increment(ref _cleanedUp);
            _permits.Release();
        }
    }

    private async Future HoldAsync(Func<Task> wait)
    {
        await _permits.WaitAsync();
        try
        {
            using (await _own.AcquireAsync())
            {
                await wait();
            }
        }
        finally
        {
            using (ManagedTask.Shield())
            {
                await Future.Yield();
            }

            Interlocked.Increment(ref _cleanedUp);
            _permits.Release();
        }
    }
}
