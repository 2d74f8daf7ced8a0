using Moirai.Costs.Counting;

namespace Moirai.Costs;

/// <summary>What a snapshot costs for each task, exactly, in bytes, gates and atomic operations. Issue 5: it takes less than a tenth from the program beside it, and the collector would take more if each told task were objects.</summary>
public sealed class SnapshotCostTests
{
    private const int TasksAPage = 1_024;
    private const int ToldTask = 48;
    private const int Polls = 8;
    private const int ArrayHeader = 24;

    // Grows from two to four.
    private const int ListOfPages = ArrayHeader + (4 * 8);

    [Theory]
    [InlineData(AccountingLevel.None)]
    [InlineData(AccountingLevel.Polls)]
    public void A_task_that_is_told_with_its_chain_its_wait_and_how_long_takes_a_place_in_a_page(AccountingLevel level)
    {
        int pages = Page(ToldTask) + (level == AccountingLevel.None ? 0 : Page(Polls));
        using var crowd = new Crowd(4 * TasksAPage, level);

        Tally half = crowd.CostOf(new SnapshotOptions { MaxTasks = 2 * TasksAPage });
        Tally whole = crowd.CostOf(new SnapshotOptions { MaxTasks = 4 * TasksAPage });

        (whole - half).Bytes.ShouldBe((2 * pages) + (level == AccountingLevel.None ? ListOfPages : 2 * ListOfPages));
        (whole - half).Gates.ShouldBe(level == AccountingLevel.None ? 0 : 2 * TasksAPage, "how often a task was taken up is read under its gate");
        (whole - half).Atomics.ShouldBe(0);
    }

    [Fact]
    public void A_task_that_is_counted_takes_no_byte_no_gate_and_no_atomic_operation()
    {
        var counted = new SnapshotOptions { Chains = false, MaxTasks = 0 };
        using var few = new Crowd(1 * TasksAPage, AccountingLevel.None);
        using var many = new Crowd(4 * TasksAPage, AccountingLevel.None);

        Tally more = many.CostOf(counted) - few.CostOf(counted);

        // A page of the register has 64 seats, and a word in the list of what is looked at, which doubles as it grows: twice, and no further than a page of words.
        more.Bytes.ShouldBe(ArrayHeader + (64 * 8) + ArrayHeader + (128 * 8));
        more.Gates.ShouldBe(0);
        more.Atomics.ShouldBe(0);
        more.Fences.ShouldBe(3 * TasksAPage, "each task is looked at twice, with a fence in between");
    }

    [Fact]
    public void Twin_an_object_for_each_told_task_is_caught()
    {
        using var crowd = new Crowd(4 * TasksAPage, AccountingLevel.None);
        var options = new SnapshotOptions { MaxTasks = 2 * TasksAPage };
        Tally half = crowd.CostOf(options);
        options.MaxTasks = 4 * TasksAPage;

        Tally made = crowd.CostOf(options, static snapshot => GC.KeepAlive(snapshot.Tasks.ToList()));

        (made - half).Bytes.ShouldBeGreaterThan(2 * Page(ToldTask) + (4 * TasksAPage * 100));
    }

    private static int Page(int size) => ArrayHeader + (TasksAPage * size);

    /// <summary>Tasks that sleep, two methods deep, on the test's thread.</summary>
    private sealed class Crowd : IDisposable
    {
        private static readonly TimeSpan Night = TimeSpan.FromHours(8);

        private readonly LocalExecutor _executor = new();
        private readonly CostWorld.HandClock _clock = new();
        private readonly TaskRuntime _runtime;

        internal Crowd(int tasks, AccountingLevel level)
        {
            _runtime = new TaskRuntime(new() { Name = "crowd", Executor = _executor, TimeProvider = _clock, LeaksAtStop = null, Accounting = level });
            for (int i = 0; i < tasks; i++)
            {
                _runtime.SpawnDetached(OuterAsync());
            }

            _executor.RunUntilStalled();
        }

        internal Tally CostOf(SnapshotOptions options, Action<RuntimeSnapshot>? read = null)
        {
            read?.Invoke(_runtime.TakeSnapshot(options)); // what is made only once
            _runtime.TakeSnapshot(options);
            Tally begun = Tally.Read();
            RuntimeSnapshot snapshot = _runtime.TakeSnapshot(options);
            read?.Invoke(snapshot);
            Tally cost = Tally.Read() - begun;
            snapshot.Tasks.Count.ShouldBe(options.MaxTasks);
            snapshot.Tasks.ShouldAllBe(task => task.Chain.Count == 2 && task.ChainWaited.Count == (options.Chains ? 2 : 0) && task.Wait!.DueIn == Night);
            return cost;
        }

        public void Dispose()
        {
            _clock.Turn(Night);
            _executor.RunUntilStalled();
            _runtime.TakeCensus().IsEmpty.ShouldBeTrue();
        }

        private static async Future OuterAsync() => await InnerAsync();

        private static async Future InnerAsync() => await Future.Delay(Night);
    }
}
