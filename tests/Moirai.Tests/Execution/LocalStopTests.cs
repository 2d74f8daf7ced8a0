namespace Moirai.Tests.Execution;

/// <summary>A runtime on a local executor is stopped while another thread drives that executor: the stop waits for it, and does what it leaves undone.</summary>
public sealed class LocalStopTests
{
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan ForEver = Timeout.InfiniteTimeSpan;

    [Fact]
    public async Task B5_a_stop_comes_back_to_its_caller_while_another_thread_drives_and_runs_what_that_one_leaves_behind()
    {
        var world = new World();
        var driver = new HeldDriver(world);
        ManagedTask behind = world.Spawn(static async _ => await Future.Yield(), "behind");
        Task<StopReport> stop = StopBeside(world, ForEver, driver);
        stop.IsCompleted.ShouldBeFalse();
        driver.LetGo();

        StopReport report = await stop.WaitAsync(Failsafe, TimeProvider.System); // nobody drives any more but the stop
        report.IsComplete.ShouldBeTrue(report.ToString());
        report.Completed.ShouldBe(2);
        behind.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task B5_a_stop_looks_again_when_a_driver_leaves_by_its_token_with_work_undone()
    {
        var world = new World();
        using var token = new CancellationTokenSource();
        var driver = new HeldDriver(world, (executor, held) => Should.Throw<OperationCanceledException>(() => executor.RunUntil(held, token.Token)), thenWait: true);
        ManagedTask behind = world.Spawn(static async _ => await Future.Yield());
        Task<StopReport> stop = StopBeside(world, ForEver, driver);
        token.Cancel();
        driver.LetGo();

        // The driver has run all there was until it saw its token; the rest is woken when nobody drives.
        driver.Gate.Open();
        StopReport report = await stop.WaitAsync(Failsafe, TimeProvider.System);
        report.IsComplete.ShouldBeTrue(report.ToString());
        behind.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task B5_a_stop_whose_budgets_are_over_while_another_thread_drives_reports_what_that_one_still_runs()
    {
        var world = new World();
        var driver = new HeldDriver(world);
        ManagedTask behind = world.Spawn(static async _ => await Future.Yield(), "behind");
        StopReport report = await StopBeside(world, TimeSpan.Zero, driver).WaitAsync(Failsafe, TimeProvider.System);

        world.Census.Waiters.ShouldBe(0, "the stop has left, and its seats with it");
        report.Left.Select(static left => left.Name).ShouldBe(["held", "behind"], ignoreOrder: true);
        report.Left.Single(static left => left.Name == "held").State.ShouldBe(TaskState.Running);
        driver.LetGo();
        world.Run();
        behind.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Who_waits_for_work_without_a_thread_is_told_when_a_driver_leaves_and_not_while_it_drives()
    {
        var world = new World();
        var driver = new HeldDriver(world);
        Task whileIdle = world.Executor.NextArrival();
        _ = world.Spawn(static async _ => await Future.Yield());
        Task whileReady = world.Executor.NextArrival();
        whileIdle.IsCompleted.ShouldBeFalse();
        whileReady.IsCompleted.ShouldBeFalse("something is ready, but somebody is there to run it");

        driver.LetGo();
        whileIdle.IsCompleted.ShouldBeTrue();
        whileReady.IsCompleted.ShouldBeTrue();
        world.Executor.NextArrival().IsCompleted.ShouldBeTrue("something is ready, and nobody is there to run it");

        world.Run();
        Task whenEmpty = world.Executor.NextArrival();
        whenEmpty.IsCompleted.ShouldBeFalse();
        _ = world.Spawn(static async _ => await Future.Yield());
        whenEmpty.IsCompleted.ShouldBeTrue();
        world.ShouldBeEmpty();
    }

    // A stop that spins until the driver has gone does not come back to who called it.
    private static Task<StopReport> StopBeside(World world, TimeSpan budget, HeldDriver driver)
    {
        Task<StopReport>? stop = null;
        var caller = new Thread(() => stop = world.Runtime.StopAsync(budget, budget));
        caller.Start();
        if (!caller.Join(Failsafe))
        {
            driver.LetGo();
            caller.Join();
            Assert.Fail("the stop span on its caller's thread while another one drove");
        }

        return stop!;
    }

    /// <summary>A thread that drives the world's executor and is held inside a step until it is let go.</summary>
    private sealed class HeldDriver
    {
        private readonly ManualResetEventSlim _entered = new();
        private readonly ManualResetEventSlim _hold = new();
        private readonly Thread _thread;

        /// <summary>Makes one that leaves after the held step, whatever is ready then.</summary>
        public HeldDriver(World world)
            : this(world, static (executor, _) => executor.RunOneStep().ShouldBeTrue(), thenWait: false)
        {
        }

        public HeldDriver(World world, Action<LocalExecutor, ManagedTask> drive, bool thenWait)
        {
            ManagedTask held = world.Spawn(
                async _ =>
                {
                    _entered.Set();
                    _hold.Wait();
                    await (thenWait ? Gate.WaitAsync() : Future.Completed());
                },
                "held");
            _thread = new Thread(() => drive(world.Executor, held)) { IsBackground = true };
            _thread.Start();
            _entered.Wait(Failsafe).ShouldBeTrue();
        }

        /// <summary>Where the held task waits after its held step.</summary>
        public Gate Gate { get; } = new();

        /// <summary>Lets the step end, and waits until the thread has left the executor.</summary>
        public void LetGo()
        {
            _hold.Set();
            _thread.Join(Failsafe).ShouldBeTrue();
        }
    }
}
