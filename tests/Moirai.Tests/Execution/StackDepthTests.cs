namespace Moirai.Tests.Execution;

/// <summary>Depth costs heap, never stack.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class StackDepthTests
{
    private const int Million = 1_000_000;

    [Fact]
    public void C2_a_million_awaits_that_complete_synchronously()
    {
        var world = new World();
        world.Run(SumAsync()).ShouldBe(3L * Million);
        world.ShouldBeEmpty();

        static async Future<long> SumAsync()
        {
            long sum = 0;
            for (int i = 0; i < Million; i++)
            {
                sum += await Future.FromResult(1);
                await Task.CompletedTask;
                await Future.Delay(TimeSpan.Zero);
                sum += await OneAsync() + await ValueTask.FromResult(1);
            }

            return sum;
        }

        static async Future<int> OneAsync() => await new ValueTask<int>(1);
    }

    [Fact]
    public void C2_a_recursion_of_futures_a_million_deep()
    {
        var world = new World();
        world.Run(DownAsync(Million)).ShouldBe(Million);
        world.ShouldBeEmpty();

        static async Future<int> DownAsync(int depth) => depth == 0 ? 0 : 1 + await DownAsync(depth - 1);
    }

    [Fact]
    public void C2_a_failure_that_climbs_two_thousand_futures()
    {
        var world = new World();
        world.Fails<FormatException>(DownAsync(2_000)).Message.ShouldBe("at the bottom");
        world.ShouldBeEmpty();

        static async Future DownAsync(int depth)
        {
            if (depth == 0)
            {
                await Future.Yield();
                throw new FormatException("at the bottom");
            }

            await DownAsync(depth - 1);
        }
    }

    [Fact]
    public void C2_a_million_yields_and_as_many_steps_exactly()
    {
        var world = new World();
        world.Run(YieldAsync());
        world.Census.Steps.ShouldBe(Million + 1);

        static async Future YieldAsync()
        {
            for (int i = 0; i < Million; i++)
            {
                await Future.Yield();
            }
        }
    }

    [Fact]
    public void C2_a_million_wakes_in_a_row()
    {
        var world = new World();
        int polls = 0;
        Waker kept = default;
        ManagedTask task = world.Runtime.SpawnDetached(Future.FromPoll(waker =>
        {
            kept = waker;
            return ++polls > Million;
        }));
        world.Run();
        while (!task.IsEnded)
        {
            kept.Wake();
            kept.Wake(); // coalesces
            world.Run().ShouldBe(1);
        }

        polls.ShouldBe(Million + 1);
    }

    [Fact]
    public void C2_a_poll_that_wakes_itself_a_million_times()
    {
        var world = new World();
        int polls = 0;
        world.Run(Future.FromPoll(waker =>
        {
            waker.Wake();
            return ++polls == Million;
        }));
        polls.ShouldBe(Million);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C2_a_foreign_awaiter_that_continues_inside_its_own_registration_a_million_times()
    {
        var world = new World();
        world.Run(LoopAsync());
        world.ShouldBeEmpty();

        static async Future LoopAsync()
        {
            for (int i = 0; i < Million; i++)
            {
                await default(ContinuesAtOnce);
            }
        }
    }

    [Fact]
    public void C2_a_chain_of_joins_a_hundred_thousand_long()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask last = world.Runtime.SpawnDetached(gate.WaitAsync());
        for (int i = 0; i < 100_000; i++)
        {
            last = world.Runtime.SpawnDetached(last, static async (before, _) => await before);
        }

        world.Run();
        last.State.ShouldBe(TaskState.Blocked);
        gate.Open();
        world.ShouldBeEmpty();
        last.State.ShouldBe(TaskState.Completed);
    }

    private readonly struct ContinuesAtOnce : System.Runtime.CompilerServices.INotifyCompletion
    {
        public bool IsCompleted => false;

        public ContinuesAtOnce GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => continuation();
    }
}
