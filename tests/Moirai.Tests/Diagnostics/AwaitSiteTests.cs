using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Moirai.Diagnostics;
using Moirai.Sites;

namespace Moirai.Tests.Diagnostics;

/// <summary>Issue 5, part 2: the chain of frames of each task, each with method and <c>file:line</c>, from the leaf to the body. Built for Release.</summary>
/// <remarks>A line that is asserted stands in the body itself: the await tells its own line, by <see cref="Here"/>.</remarks>
public sealed class AwaitSiteTests
{
    private readonly World _world = new("sites");
    private readonly TaskCompletionSource _never = new();
    private readonly List<string> _expected = [];

    [Fact]
    public void A_chain_of_futures_is_told_from_the_leaf_to_the_body_with_file_and_line_of_each_await()
    {
        var gate = new Gate();
        ManagedTask task = _world.Start(async _ =>
        {
            At(Here()); await OuterAsync(gate);
        }, "order");

        TaskSnapshot told = Told(task);

        told.Chain.Where(static frame => !frame.IsInfrastructure).Select(static frame => frame.Method)
            .ShouldBe(["InnerAsync", "OuterAsync", "a lambda in A_chain_of_futures_is_told_from_the_leaf_to_the_body_with_file_and_line_of_each_await"]);
        Lines(told).ShouldBe(Enumerable.Reverse(_expected));
        told.AwaitSite.ShouldBe(_expected[^1]);
        told.Chain[0].ToString().ShouldBe("a polled future");
        told.Chain[1].Type.ShouldBe(nameof(AwaitSiteTests));
        gate.Open();
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void A_body_of_plain_tasks_and_value_tasks_is_told_with_its_inner_methods()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(PlainAsync, "plain");
        _world.Run();

        TaskSnapshot told = Told(task);

        told.Chain.Where(static frame => frame.IsPlain).Select(static frame => frame.Method).ShouldBe(["InnerValueAsync", "GenericAsync", "PlainAsync"]);
        Lines(told).ShouldBe(Enumerable.Reverse(_expected));
        told.Wait.ShouldBe(new WaitSnapshot(WaitKind.Foreign, "a Task"));
        _never.SetResult();
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void Each_method_of_futures_is_told_with_how_long_it_has_stood_at_its_await()
    {
        ManagedTask task = _world.Start(async _ =>
        {
            await Future.Delay(TimeSpan.FromSeconds(5));
            await TryAsync();
        }, "syncs");
        _world.Advance(5);
        for (int i = 0; i < 20; i++)
        {
            _world.Advance(1);
        }

        (string Method, int? Seconds)[] told = TimesOf(task);

        told.ShouldBe([(nameof(OnceAsync), 0), (nameof(TryAsync), 0), ($"a lambda in {nameof(Each_method_of_futures_is_told_with_how_long_it_has_stood_at_its_await)}", 20)]);
        _world.Advance(0.5);
        task.Cancel();
        _world.ShouldBeEmpty();

        async Future TryAsync()
        {
            while (true)
            {
                await OnceAsync();
            }
        }

        async Future OnceAsync() => await Future.Delay(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Of_plain_code_it_is_not_known_how_long_and_what_is_ready_stands_nowhere()
    {
        ManagedTask plain = _world.Start(async _ => await PlainAsync(default), "plain");
        ManagedTask ready = _world.Start(async _ => await SleepAsync(), "ready");
        _world.Time.Advance(TimeSpan.FromSeconds(7)); // due after three, and nobody drives

        TimesOf(plain).Select(static one => one.Seconds).ShouldBe([null, null, null, 7]);
        TimesOf(ready).Select(static one => one.Seconds).ShouldBe([null, 7]);
        _never.SetResult();
        _world.ShouldBeEmpty();

        static async Future SleepAsync() => await Future.Delay(TimeSpan.FromSeconds(3));
    }

    [Fact]
    public void A_stream_of_plain_code_is_told_with_the_line_at_which_it_waits()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(
            async Task (CancellationToken _) =>
            {
                await foreach (int item in OuterStreamAsync())
                {
                    item.ShouldBe(1);
                }
            },
            "streams");
        _world.Run();

        TaskSnapshot told = Told(task);

        told.Chain.Where(static frame => !frame.IsInfrastructure).Select(static frame => frame.Method)
            .ShouldBe(["StreamAsync", "OuterStreamAsync", $"a lambda in {nameof(A_stream_of_plain_code_is_told_with_the_line_at_which_it_waits)}"]);
        told.AwaitSite.ShouldBe(_expected[^1]);
        told.Wait!.What.ShouldBe("a Task");
        _never.SetResult();
        _world.ShouldBeEmpty();

        async IAsyncEnumerable<int> OuterStreamAsync()
        {
            await foreach (int item in StreamAsync())
            {
                yield return item;
            }
        }

        async IAsyncEnumerable<int> StreamAsync()
        {
            yield return 1;
            At(Here()); await _never.Task.ConfigureAwait(false);
            yield return 1;
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void Whichever_of_many_awaits_it_stands_at_the_line_is_that_await(int shape)
    {
        ManagedTask task = _world.Start(_ => ManyAsync(shape), "many");

        TaskSnapshot told = Told(task);

        told.AwaitSite.ShouldBe(_expected[^1]);
        _never.SetResult();
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_the_platform_awaits_is_called_by_its_name()
    {
        await using var runtime = new TaskRuntime(new() { Name = "platform" });
        using var semaphore = new SemaphoreSlim(0);
        using var free = new SemaphoreSlim(0);
        using var ticks = new PeriodicTimer(TimeSpan.FromHours(1), TimeProvider.System);
        using var stop = new CancellationTokenSource();
        var channel = Channel.CreateBounded<int>(1);
        Task other = _never.Task;
        var bodies = new (string Name, Func<CancellationToken, Task> Body)[]
        {
#pragma warning disable RS0030 // nobody waits for it to be over: how the wait is called is what is asked
            ("Task.Delay", _ => Task.Delay(TimeSpan.FromHours(1), TimeProvider.System, stop.Token)),
#pragma warning restore RS0030
            ("SemaphoreSlim.WaitAsync", async _ => await semaphore.WaitAsync(stop.Token)),
            ("SemaphoreSlim.WaitAsync", async _ => await free.WaitAsync()),
            ("Task.WhenAll", async _ => await Task.WhenAll(other, new TaskCompletionSource().Task.WaitAsync(stop.Token))),
            ("Task.WhenAny", async _ => await Task.WhenAny(other, new TaskCompletionSource().Task.WaitAsync(stop.Token))),
            ("a Task", async _ => await other),
            ("a Task", async _ => await Parallel.ForEachAsync(Enumerable.Range(0, 2), async (_, _) => await other)),
            ("Task.Run of async code", async _ => await Task.Run(async () => await other)),
            ("PeriodicTimer.WaitForNextTickAsync", async _ => await ticks.WaitForNextTickAsync(stop.Token)),
        };
        (string Name, ManagedTask Task)[] tasks = [.. bodies.Select(body => (body.Name, (ManagedTask)runtime.SpawnDetached(body.Body, body.Name)))];
        ManagedTask reader = runtime.SpawnDetached(async token => _ = await channel.Reader.ReadAsync(stop.Token), "reader");
        Eventually.Is(() => runtime.TakeSnapshot().States is { Blocked: 10, Live: 10 }, TimeSpan.FromSeconds(20)).ShouldBeTrue();

        RuntimeSnapshot snapshot = runtime.TakeSnapshot();

        foreach ((string name, ManagedTask task) in tasks)
        {
            snapshot.Tasks.Single(one => one.Id == task.Id).Wait!.What.ShouldBe(name);
        }

        snapshot.Tasks.Single(one => one.Id == reader.Id).Wait!.What.ShouldContain("Read");
        free.Release();
        await stop.CancelAsync();
        _never.SetResult();
        Eventually.Is(() => runtime.TakeSnapshot().States.Live == 0, TimeSpan.FromSeconds(20)).ShouldBeTrue(runtime.TakeSnapshot().ToString());
    }

    [Fact]
    public void A_managed_task_that_plain_code_awaits_is_named()
    {
        ManagedTask slow = _world.Start(async _ => await _never.Task, "slow");
        ManagedTask plain = _world.Runtime.SpawnDetached(async Task (CancellationToken _) => await slow, "plain");
        _world.Run();

        TaskSnapshot told = Told(plain);

        told.Wait.ShouldBe(new WaitSnapshot(WaitKind.Task, $"the end of {slow.Title}") { Task = slow.Id });
        _never.SetResult();
        Eventually.Is(() => _world.Run() >= 0 && plain.IsEnded, TimeSpan.FromSeconds(20)).ShouldBeTrue(); // plain code goes on by way of the thread pool
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void A_timed_wait_for_plain_code_tells_that_code_and_when_the_time_is_over()
    {
        ManagedTask task = _world.Start(async _ =>
        {
            await PlainAsync(default).WithTimeout(TimeSpan.FromSeconds(30));
        }, "timed");
        _world.Advance(10);

        TaskSnapshot told = Told(task);

        told.Chain.Select(static frame => frame.Method).ShouldContain("InnerValueAsync");
        told.Wait!.DueIn.ShouldBe(TimeSpan.FromSeconds(20));
        _never.SetResult();
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void A_walker_that_does_not_find_what_it_knows_is_off_and_the_snapshot_says_so()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(PlainAsync, "plain");
        _world.Run();
        var moved = new PlainWalker("m_theMachine");

        RuntimeSnapshot snapshot = SnapshotTaker.Take(_world.Runtime.Engine, new SnapshotOptions(), moved);

        moved.Works.ShouldBeFalse();
        PlainWalker.Platform.Works.ShouldBeTrue("the private fields of this platform have moved: see PlainWalker");
        snapshot.Notes.ShouldHaveSingleItem().ShouldContain("self-test of the walker failed");
        snapshot.ToString().ShouldContain("note    Plain async code is not followed");
        snapshot.Tasks.Single(one => one.Id == task.Id).Chain.ShouldAllBe(static frame => !frame.IsPlain);
        _world.Runtime.TakeSnapshot().Notes.ShouldBeEmpty();
        _never.SetResult();
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void Fields_are_read_the_same_by_reflection_and_by_compiled_code()
    {
        Task outer = PlainAsync(default);
        MachineReader reader = MachineReader.Make(outer.GetType(), MachineReader.PlatformField).ShouldNotBeNull();
        object? byReflection = PlainWalker.Platform.Awaited(reader, outer);
        int state = reader.State(outer);

        for (int i = 0; i < 1_000; i++)
        {
            reader.State(outer).ShouldBe(state);
        }

        PlainWalker.Platform.Awaited(reader, outer).ShouldBeSameAs(byReflection.ShouldNotBeNull());
        _never.SetResult();
        PlainWalker.Platform.ReaderOf(outer).ShouldBeNull("it has ended, and stands at no await");
    }

    [Fact]
    public void A_task_that_waits_ten_thousand_frames_deep_is_told_and_cut_short()
    {
        ManagedTask task = _world.Start(_ => DeepAsync(10_000), "deep");

        TaskSnapshot told = Told(task);

        told.Chain.Count.ShouldBeLessThan(100);
        told.Chain[^1].Method.ShouldBe("…");
        _never.SetResult();
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_that_is_ready_or_runs_tells_where_it_stands()
    {
        RuntimeSnapshot? inside = null;
        ManagedTask yields = _world.Spawn(async _ =>
        {
            At(Here()); await Future.Yield();
        }, "yields");
        ManagedTask looks = _world.Spawn(async _ =>
        {
            inside = _world.Runtime.TakeSnapshot();
            await Future.Yield();
        }, "looks");
        _world.Run();

        inside.ShouldNotBeNull();
        inside.Tasks.Single(one => one.Id == looks.Id).State.ShouldBe(TaskState.Running);
        inside.Tasks.Single(one => one.Id == looks.Id).Chain.ShouldNotBeEmpty();
        inside.Tasks.Single(one => one.Id == yields.Id).ShouldSatisfyAllConditions(
            task => task.State.ShouldBe(TaskState.Ready),
            task => task.AwaitSite.ShouldBe(_expected[0]),
            task => task.Wait.ShouldBeNull());
        _world.ShouldBeEmpty();
    }

    private TaskSnapshot Told(ManagedTask task) => _world.Runtime.TakeSnapshot().Tasks.Single(one => one.Id == task.Id);

    private (string Method, int? Seconds)[] TimesOf(ManagedTask task)
    {
        TaskSnapshot told = Told(task);
        told.ChainWaited.Count.ShouldBe(told.Chain.Count);
        return [.. told.Chain.Zip(told.ChainWaited).Where(static one => !one.First.IsInfrastructure).Select(static one => (one.First.Method, (int?)one.Second?.TotalSeconds))];
    }

    private static IEnumerable<string> Lines(TaskSnapshot told) => told.Chain.Where(static frame => !frame.IsInfrastructure).Select(static frame => frame.Site ?? "none");

    private static string Here([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(file)}:{line}");

    private void At(string site) => _expected.Add(site);

    private async Future OuterAsync(Gate gate)
    {
        await Future.Yield();
        At(Here()); await InnerAsync(gate);
        await Future.Yield();
    }

    private async Future InnerAsync(Gate gate)
    {
        At(Here()); await gate.WaitAsync();
    }

    private async Task PlainAsync(CancellationToken token)
    {
        At(Here()); _ = await GenericAsync("x");
    }

    private async Task<T> GenericAsync<T>(T value)
    {
        await Task.CompletedTask;
        At(Here()); await InnerValueAsync();
        return value;
    }

    private async ValueTask InnerValueAsync()
    {
        At(Here()); await _never.Task.ConfigureAwait(false);
    }

    private async Future DeepAsync(int depth)
    {
        if (depth == 0)
        {
            await _never.Task;
            return;
        }

        await DeepAsync(depth - 1);
    }

    private async Future ManyAsync(int shape)
    {
        if (shape == 0)
        {
            At(Here()); await _never.Task;
        }

        try
        {
            if (shape == 1)
            {
                At(Here()); await _never.Task;
            }

            if (shape == 2)
            {
                throw new InvalidOperationException();
            }
        }
        catch (InvalidOperationException)
        {
            At(Here()); await _never.Task;
        }
        finally
        {
            if (shape == 3)
            {
                At(Here()); await _never.Task;
            }
        }

        for (int i = 0; i < 2 && shape == 4; i++)
        {
            At(Here()); await _never.Task.ConfigureAwait(true);
        }

        await using (new Disposable(this, shape == 5))
        {
            await Future.Yield();
        }

        switch (shape)
        {
            case 6:
                At(Here()); await InnerValueAsync();
                break;
            default:
                At(Here()); await _never.Task;
                break;
        }
    }

    private sealed class Disposable(AwaitSiteTests owner, bool waits) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            if (waits)
            {
                owner.At(Here()); await owner._never.Task;
            }
        }
    }
}
